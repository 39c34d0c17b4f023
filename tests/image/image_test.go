package image

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func spec() Spec {
	return Spec{
		Ref: "registry.internal/app:1", Entrypoint: []string{"/app"}, User: "1000:1000", Env: []string{"A=b"},
		Files: []File{
			{Path: "/app", Content: []byte("program"), Mode: 0o755},
			{Path: "/etc/passwd", Content: []byte("app:x:1000:1000::/:\n")},
			{Path: "/tmp", Dir: true, Mode: 0o1777},
			{Path: "/app-data/data", Dir: true, UID: 1000, GID: 1000},
		},
	}
}

func digest(t *testing.T, s Spec) string {
	t.Helper()
	built, err := Build(s)
	require.NoError(t, err)
	value, err := built.Digest()
	require.NoError(t, err)
	return value
}

func TestSameInputSameDigest(t *testing.T) {
	for _, plain := range []bool{false, true} {
		first := spec()
		first.Plain = plain
		second := first
		second.Files = []File{first.Files[2], first.Files[3], first.Files[0], first.Files[1]} // order does not matter
		require.Equal(t, digest(t, first), digest(t, second))
	}
}

func TestSourceTimeDoesNotMatter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.WriteFile(path, []byte("program"), 0o600))
	s := spec()
	s.Files[0] = File{Path: "/app", Source: path, Mode: 0o755}
	first := digest(t, s)
	require.NoError(t, os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0)))
	require.Equal(t, first, digest(t, s))
	require.Equal(t, digest(t, spec()), first)
}

// TestDigestSeesEveryInput is the positive control of the tests above.
func TestDigestSeesEveryInput(t *testing.T) {
	changes := map[string]func(*Spec){
		"content":      func(s *Spec) { s.Files[0].Content = []byte("other") },
		"mode":         func(s *Spec) { s.Files[0].Mode = 0o700 },
		"owner":        func(s *Spec) { s.Files[3].UID = 7 },
		"path":         func(s *Spec) { s.Files[1].Path = "/etc/group" },
		"entrypoint":   func(s *Spec) { s.Entrypoint = []string{"/other"} },
		"user":         func(s *Spec) { s.User = "0" },
		"environment":  func(s *Spec) { s.Env = nil },
		"architecture": func(s *Spec) { s.Architecture = "riscv64" },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			s := spec()
			change(&s)
			require.NotEqual(t, digest(t, spec()), digest(t, s))
		})
	}
}

func TestRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Spec)
		want   string
	}{
		{"no tag", func(s *Spec) { s.Ref = "registry.internal/app" }, "want registry/name:tag"},
		{"no registry", func(s *Spec) { s.Ref = "app:1" }, "want registry/name:tag"},
		{"no entrypoint", func(s *Spec) { s.Entrypoint = nil }, "no entrypoint"},
		{"same path twice", func(s *Spec) { s.Files[1].Path = "//app" }, "/app is given twice"},
		{"missing source", func(s *Spec) { s.Files[0].Source = "/does/not/exist" }, "no such file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := spec()
			test.change(&s)
			_, err := Build(s)
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestArchive(t *testing.T) {
	built, err := Build(spec())
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "app.tar")
	require.NoError(t, built.WriteFile(path))
	entries := readTar(t, path)

	var manifests []dockerManifest
	require.NoError(t, json.Unmarshal(entries["manifest.json"], &manifests))
	require.Equal(t, []string{"registry.internal/app:1"}, manifests[0].RepoTags)
	require.Contains(t, entries, manifests[0].Config)
	require.Contains(t, entries, manifests[0].Layers[0])

	var index struct{ Manifests []struct{ Digest string } }
	require.NoError(t, json.Unmarshal(entries["index.json"], &index))
	value, err := built.Digest()
	require.NoError(t, err)
	require.Equal(t, value, index.Manifests[0].Digest)

	size, err := built.Size()
	require.NoError(t, err)
	var blobs int
	for name, content := range entries {
		if filepath.Dir(name) == "blobs/sha256" {
			blobs += len(content)
		}
	}
	require.EqualValues(t, blobs, size)
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func readTar(t *testing.T, path string) map[string][]byte {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	entries := map[string][]byte{}
	for reader := tar.NewReader(file); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return entries
		}
		require.NoError(t, err)
		entries[header.Name], err = io.ReadAll(reader)
		require.NoError(t, err)
	}
}
