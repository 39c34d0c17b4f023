package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const chart = "../../../charts/detection-api"

// The schema and the README in the repository belong to its values.yaml.
func TestTheChartIsUpToDate(t *testing.T) {
	require.NoError(t, run([]string{"-check", chart}, t.Output()))
}

// copyChart writes a chart of three files and returns its directory.
func copyChart(t *testing.T, values string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"values.yaml": values, "README.md": "a\n" + tableBegin + tableEnd + "\nz\n"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	return dir
}

// Writing makes -check succeed, changing values.yaml makes it fail.
func TestCheckFindsDrift(t *testing.T) {
	dir := copyChart(t, "# -- A count.\n# @schema {minimum: 1}\na: 1\n")
	require.Error(t, run([]string{"-check", dir}, t.Output()))
	require.NoError(t, run([]string{dir}, t.Output()))
	require.NoError(t, run([]string{"-check", dir}, t.Output()))
	readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
	require.NoError(t, err)
	require.Contains(t, string(readme), "| `a` | `1` | A count. |")
	require.True(t, bytes.HasPrefix(readme, []byte("a\n")) && bytes.HasSuffix(readme, []byte("\nz\n")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "values.yaml"), []byte("# -- A count.\na: 2\n"), 0o644))
	require.ErrorContains(t, run([]string{"-check", dir}, t.Output()), "values.schema.json does not belong to values.yaml")
}

// The schema closes mappings, requires their keys, and takes over hints.
func TestSchema(t *testing.T) {
	dir := copyChart(t, "a:\n  # -- B.\n  # @schema {enum: [x, y]}\n  b: x\nc:\n  # -- D.\n  # @schema {like: a}\n  d: {}\n")
	require.NoError(t, run([]string{dir}, t.Output()))
	text, err := os.ReadFile(filepath.Join(dir, "values.schema.json"))
	require.NoError(t, err)
	var schema struct {
		Properties map[string]struct {
			AdditionalProperties *bool
			Required             []string
			Properties           map[string]map[string]any
		}
	}
	require.NoError(t, json.Unmarshal(text, &schema))
	a := schema.Properties["a"]
	require.Equal(t, new(false), a.AdditionalProperties)
	require.Equal(t, []string{"b"}, a.Required)
	require.Equal(t, []any{"x", "y"}, a.Properties["b"]["enum"])
	d := schema.Properties["c"].Properties["d"]
	require.Equal(t, false, d["additionalProperties"])
	require.NotContains(t, d, "required")
}

// A values.yaml that says too little is refused with the key's name.
func TestRefusals(t *testing.T) {
	for values, want := range map[string]string{
		"a: 1\n":                                "a has no description",
		"# -- A.\na: []\n":                      "a: a list needs a @schema hint",
		"# -- A.\na: {}\n":                      "a: a list needs a @schema hint with items, an empty mapping one",
		"# -- A.\na: null\n":                    "!!null",
		"# -- A.\n# @schema {\na: 1\n":          "@schema",
		"# -- A.\n# @schema {like: b}\na: {}\n": "there is no value b",
		"- 1\n":                                 "not one mapping",
	} {
		require.ErrorContains(t, run([]string{copyChart(t, values)}, t.Output()), want, values)
	}
	require.Error(t, run(nil, t.Output()))
}
