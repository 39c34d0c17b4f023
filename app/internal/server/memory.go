package server

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/detection-api/detection-api/app/internal/sqlite"
)

// unlimited is what a control group of the first version says when it has no limit, or more.
const unlimited = 1 << 60

// tellMemory warns when the kernel would end the process before Go collects its garbage: GOMEMLIMIT and what SQLite takes
// beside it do not fit below the limit of the control group. It is no reason not to start, as being killed costs nothing
// that was acknowledged. root is the machine's root directory, goLimit that of runtime/debug.SetMemoryLimit.
func tellMemory(log *slog.Logger, root fs.FS, goLimit int64, databases int) {
	limit, err := memoryLimit(root)
	if err != nil {
		log.Debug("the memory limit of the control group cannot be told", "error", err)
		return
	}
	caches := int64(databases) * sqlite.CacheBytes
	switch {
	case limit >= unlimited:
	case goLimit == math.MaxInt64:
		log.Warn("the process has a memory limit and Go does not know it; set GOMEMLIMIT", "limit_bytes", limit,
			"gomemlimit_at_most_bytes", limit-caches)
	case goLimit+caches > limit:
		log.Warn("GOMEMLIMIT and SQLite's caches are more than the memory limit; lower GOMEMLIMIT or raise the limit",
			"limit_bytes", limit, "gomemlimit_bytes", goLimit, "cache_bytes", caches)
	}
}

func (c Common) checkMemory(databases int) {
	tellMemory(c.Logger, os.DirFS("/"), debug.SetMemoryLimit(-1), databases)
}

// databasesOf counts those of the serve role.
func databasesOf(c ServeConfig) int {
	if c.StoreURL == "" {
		return 2
	}
	return 1
}

// memoryLimit returns the smallest limit of this process's control group and those around it, in bytes, of either version.
func memoryLimit(root fs.FS) (int64, error) {
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0, err
	}
	limit := int64(math.MaxInt64)
	for line := range strings.Lines(string(text)) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3) // cgroups(7): hierarchy, controllers, path
		if len(part) != 3 {
			return 0, fmt.Errorf("proc/self/cgroup has the line %q", line)
		}
		base, file := "sys/fs/cgroup", "memory.max"
		if part[1] != "" {
			base, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		}
		if part[1] != "" && part[1] != "memory" {
			continue
		}
		around, err := smallestAround(root, base, part[2], file)
		if err != nil {
			return 0, err
		}
		limit = min(limit, around)
	}
	return limit, nil
}

// smallestAround reads the file of the group and of all above it. In a container the path may be the host's, of which only
// the last part can be seen, as the root.
func smallestAround(root fs.FS, base, group, file string) (int64, error) {
	limit := int64(math.MaxInt64)
	for group = path.Clean("/" + group); ; group = path.Dir(group) {
		one, err := readLimit(root, path.Join(base, group, file))
		if err != nil {
			return 0, err
		}
		if limit = min(limit, one); group == "/" {
			return limit, nil
		}
	}
}

// readLimit returns the largest number when there is no limit or no such file.
func readLimit(root fs.FS, name string) (int64, error) {
	content, err := fs.ReadFile(root, name)
	text := strings.TrimSpace(string(content))
	if errors.Is(err, fs.ErrNotExist) || err == nil && text == "max" {
		return math.MaxInt64, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return n, nil
}
