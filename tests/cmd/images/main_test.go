package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/detection-api/detection-api/tests/chart"
)

const boardDir = "../../testdata/charts/notes-board"

func TestImages(t *testing.T) {
	loaded, err := chart.Load(boardDir)
	require.NoError(t, err)
	list, err := imagesOf(loaded, chart.Options{SetArguments: []string{"image.registry=mirror.example:5000/a"}})
	require.NoError(t, err)
	require.Equal(t, "mirror.example:5000/a/notes-board:2.1.0\n", list)
}

func TestWriteAndCheck(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(boardDir)))
	require.ErrorContains(t, run(dir, chart.Options{}, false, true), "write it anew with -write")
	require.NoError(t, run(dir, chart.Options{}, true, false))
	require.NoError(t, run(dir, chart.Options{}, false, true))
	text, err := os.ReadFile(filepath.Join(dir, fileName))
	require.NoError(t, err)
	require.Equal(t, "registry.example/notes-board:2.1.0\n", string(text))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "values-other.yaml"), []byte("image: {tag: \"3\"}\n"), 0o600))
	require.Error(t, run(dir, chart.Options{}, false, true), "another values file, another list")
}
