package process

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseStat(t *testing.T) {
	const rest = " 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000 200 18446744073709551615"
	tests := []struct{ name, line string }{
		{"plain", "42 (etcd) S" + rest},
		{"blank in the name", "42 (tmux: server) S" + rest},
		{"brackets in the name", "42 (a) R 1 (b)) S" + rest},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseStat(test.line)
			require.NoError(t, err)
			require.Equal(t, stat{state: 'S', startTicks: 987654}, got)
		})
	}
	for _, line := range []string{"", "42 etcd S", "42 (etcd) S 1 2", "42 (etcd) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 x 1"} {
		_, err := parseStat(line)
		require.Error(t, err, line)
	}
}

// start runs a process that ends only when it is killed.
func start(t *testing.T) (ID, string) {
	t.Helper()
	record := filepath.Join(t.TempDir(), "record")
	id, err := Start(exec.Command("sleep", "600"), record)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, id.Kill(context.Background(), 0)) })
	return id, record
}

func TestStartAndKill(t *testing.T) {
	id, record := start(t)
	content, err := os.ReadFile(record)
	require.NoError(t, err)
	read, err := Parse(string(content))
	require.NoError(t, err)
	require.Equal(t, id, read)
	require.True(t, read.Alive())
	require.NoError(t, read.Kill(t.Context(), time.Second))
	require.False(t, read.Alive())
	require.NoError(t, read.Kill(t.Context(), time.Second), "killing what has ended does nothing")
}

func TestRecycledIDIsSpared(t *testing.T) {
	id, _ := start(t)
	former := ID{PID: id.PID, StartTicks: id.StartTicks - 1} // what had this process id before
	require.False(t, former.Alive())
	require.NoError(t, former.Kill(t.Context(), 0))
	require.True(t, id.Alive())
	require.NoError(t, id.Kill(t.Context(), 0), "the positive control: the right identity does kill")
	require.False(t, id.Alive())
}

func TestWithArguments(t *testing.T) {
	id, _ := start(t)
	found, err := WithArguments("sleep", "600")
	require.NoError(t, err)
	require.Contains(t, found, id)
	found, err = WithArguments("sleep", "60")
	require.NoError(t, err)
	require.NotContains(t, found, id)
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"", "12", "x 5", "1 5", "-4 5", "0 5"} {
		_, err := Parse(text)
		require.Error(t, err, text)
	}
}
