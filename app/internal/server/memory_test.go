package server

import (
	"log/slog"
	"math"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/detection-api/detection-api/app/internal/sqlite"
)

func files(content map[string]string) fstest.MapFS {
	root := fstest.MapFS{}
	for name, text := range content {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return root
}

func TestMemoryLimit(t *testing.T) {
	const v1 = "3:cpu,cpuacct:/pods/a\n2:memory:/pods/a\n1:name=systemd:/\n0::/\n"
	tests := map[string]struct {
		files map[string]string
		want  int64 // 0: an error
	}{
		"version 2, in a container": {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1000\n"}, 1000},
		"version 2, the group's own": {map[string]string{
			"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "900\n", "sys/fs/cgroup/a/memory.max": "max\n",
		}, 900},
		"version 2, of a group around it": {map[string]string{
			"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "900\n", "sys/fs/cgroup/a/memory.max": "800\n",
		}, 800},
		"version 2, none": {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, math.MaxInt64},
		"version 1, in a container": {map[string]string{
			"proc/self/cgroup": v1, "sys/fs/cgroup/memory/memory.limit_in_bytes": "700\n", "sys/fs/cgroup/cpu/memory.limit_in_bytes": "1\n",
		}, 700},
		"version 1, the group's own": {map[string]string{
			"proc/self/cgroup": v1, "sys/fs/cgroup/memory/pods/a/memory.limit_in_bytes": "600\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, 600},
		"no files":           {map[string]string{"proc/self/cgroup": "0::/\n"}, math.MaxInt64},
		"no control groups":  {nil, 0},
		"a line of no kind":  {map[string]string{"proc/self/cgroup": "what\n"}, 0},
		"a limit of no kind": {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "much\n"}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := memoryLimit(files(tt.files))
			if got != tt.want || (err == nil) != (tt.want != 0) {
				t.Errorf("memoryLimit = %d, %v; want %d", got, err, tt.want)
			}
		})
	}
}

func TestTooLittleMemoryIsTold(t *testing.T) {
	const limit = 256 << 20
	tests := map[string]struct {
		max     string
		goLimit int64
		want    string
	}{
		"fits exactly":       {"268435456", limit - 2*sqlite.CacheBytes, ""}, // positive control
		"a byte too much":    {"268435456", limit - 2*sqlite.CacheBytes + 1, "lower GOMEMLIMIT"},
		"Go does not know":   {"268435456", math.MaxInt64, "set GOMEMLIMIT"},
		"no limit":           {"max", math.MaxInt64, ""},
		"no limit, Go's own": {"max", 1 << 30, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var told strings.Builder
			root := files(map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": tt.max})
			tellMemory(slog.New(slog.NewTextHandler(&told, nil)), root, tt.goLimit, 2)
			if (tt.want == "") != (told.Len() == 0) || !strings.Contains(told.String(), tt.want) {
				t.Errorf("the log says %q, want %q", told.String(), tt.want)
			}
		})
	}
}
