package cgroup

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// write makes a file of a pretended control group file system.
func write(t *testing.T, content string, path ...string) {
	t.Helper()
	name := filepath.Join(path...)
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
	require.NoError(t, os.WriteFile(name, []byte(content), 0o644))
}

func TestMakeVersion1(t *testing.T) {
	root := t.TempDir()
	for _, controller := range []string{"memory", "cpuset"} {
		write(t, "", root, controller, "cgroup.procs")
	}
	write(t, "0-1", root, "cpuset", "cpuset.cpus")
	write(t, "0", root, "cpuset", "cpuset.mems")
	require.NoError(t, os.Symlink("memory", filepath.Join(root, "alias")))
	host, err := Open(root)
	require.NoError(t, err)
	require.False(t, host.Unified())
	files, err := host.Make("a/b")
	require.NoError(t, err)
	require.ElementsMatch(t, []string{
		filepath.Join(root, "memory/a/b/cgroup.procs"), filepath.Join(root, "cpuset/a/b/cgroup.procs"),
	}, files)
	inherited, err := os.ReadFile(filepath.Join(root, "cpuset/a/b/cpuset.cpus"))
	require.NoError(t, err)
	require.Equal(t, "0-1", string(inherited))
	_, err = host.Make("a/b")
	require.NoError(t, err, "a group that exists is taken over")
}

func TestMakeVersion2(t *testing.T) {
	root := t.TempDir()
	write(t, "cpu memory pids\n", root, "cgroup.controllers")
	write(t, "memory\n", root, "a", "cgroup.controllers") // the kernel would make it with the directory
	host, err := Open(root)
	require.NoError(t, err)
	require.True(t, host.Unified())
	files, err := host.Make("a/b")
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Join(root, "a/b/cgroup.procs")}, files)
	for _, group := range []string{"", "a"} {
		enabled, err := os.ReadFile(filepath.Join(root, group, "cgroup.subtree_control"))
		require.NoError(t, err)
		require.Contains(t, string(enabled), "+")
	}
}

func TestOpenRefusesEmpty(t *testing.T) {
	_, err := Open(t.TempDir())
	require.ErrorContains(t, err, "no control groups are mounted")
}

func TestRemove(t *testing.T) {
	root := t.TempDir()
	write(t, "", root, "memory", "cgroup.procs")
	require.NoError(t, os.MkdirAll(filepath.Join(root, "memory/a/b/c"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(root, "memory/other"), 0o755))
	host, err := Open(root)
	require.NoError(t, err)
	require.NoError(t, host.Remove(context.Background(), "a"))
	require.NoDirExists(t, filepath.Join(root, "memory/a"))
	require.DirExists(t, filepath.Join(root, "memory/other"))
	require.NoError(t, host.Remove(context.Background(), "a"), "a second time")
}
