package state

import (
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/detection-api/detection-api/tests/cluster/local/address"
)

func TestNames(t *testing.T) {
	for _, name := range []string{"a", "detection-api", "0", "abcdefghij0123456789"} {
		_, err := At("/cache", name)
		require.NoError(t, err, name)
	}
	for _, name := range []string{"", "-a", "a-", "A", "a/b", "..", ".hidden", "a b", "abcdefghij01234567890"} {
		_, err := At("/cache", name)
		require.ErrorContains(t, err, "cluster name", name)
	}
}

func TestLinkNames(t *testing.T) {
	one, err := At("/cache/one", "same")
	require.NoError(t, err)
	two, err := At("/cache/two", "same")
	require.NoError(t, err)
	require.NotEqual(t, one.Bridge(), two.Bridge())
	require.LessOrEqual(t, len(one.Cable(address.MaxNodes)), 15, "the kernel's limit")
}

func TestSaveAndLoad(t *testing.T) {
	root := t.TempDir()
	directory, err := At(root, "c")
	require.NoError(t, err)
	_, err = directory.Load()
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, os.Mkdir(directory.Path(), 0o700))
	saved := Cluster{Name: "c", Plan: address.Plan{Slot: 3}, Workers: 2, Parts: "/p"}
	require.NoError(t, directory.Save(saved))
	loaded, err := directory.Load()
	require.NoError(t, err)
	require.Equal(t, saved, loaded)
	require.NoError(t, os.WriteFile(root+"/.addresses.lock", nil, 0o600))
	found, err := List(root)
	require.NoError(t, err)
	require.Equal(t, []Directory{directory}, found)
}

func TestZone(t *testing.T) {
	for i, want := range []string{"zone-a", "zone-b", "zone-c", "zone-a"} {
		require.Equal(t, want, Zone(i+1))
	}
}
