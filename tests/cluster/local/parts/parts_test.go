package parts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// source makes a small module directory.
func source(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "cmd"), 0o755))
	for name, content := range map[string]string{"go.mod": "module x\n", "go.sum": "", "cmd/main.go": "package main\n"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	return dir
}

func hash(t *testing.T, dir string) string {
	t.Helper()
	value, err := Builder{Source: dir}.recipe(t.Context())
	require.NoError(t, err)
	return value
}

func TestRecipe(t *testing.T) {
	first := hash(t, source(t))
	require.Equal(t, first, hash(t, source(t)), "the directory's place does not matter")
	changes := []struct {
		file    string
		changes bool
	}{
		{"cmd/main.go", true},
		{"go.mod", true},
		{"go.sum", true},
		{"cmd/new.go", true},
		{"README.md", false},
		{"cmd/main_test.go", false},
	}
	for _, change := range changes {
		t.Run(change.file, func(t *testing.T) {
			dir := source(t)
			require.NoError(t, os.WriteFile(filepath.Join(dir, change.file), []byte("// other\n"), 0o644))
			require.Equal(t, change.changes, first != hash(t, dir))
		})
	}
}

// TestVersion holds the version in the code against the module that is built.
func TestVersion(t *testing.T) {
	dir, err := DefaultSource()
	require.NoError(t, err)
	content, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	require.NoError(t, err)
	require.Contains(t, string(content), "k8s.io/kubernetes "+KubernetesVersion+"\n")
	minor := strings.Split(KubernetesVersion, ".")[1]
	last := steps()[len(steps())-1]
	require.Contains(t, last.ldflags, "gitMinor="+minor)
}

func TestSourceVariable(t *testing.T) {
	t.Setenv(SourceVariable, "/elsewhere")
	dir, err := DefaultSource()
	require.NoError(t, err)
	require.Equal(t, "/elsewhere", dir)
}
