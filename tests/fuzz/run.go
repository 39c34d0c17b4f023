package fuzz

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"
)

// Property returns an error if a chart did wrong with a document.
type Property func(values map[string]any) error

// Options says how many documents are tried, and where failing ones are kept.
type Options struct {
	// Cases is the number of documents; 0 takes rapid's own flag, -rapid.checks.
	Cases int
	// Seed is where the drawing starts, so that a gate draws the same documents each time. rapid's own flag, -rapid.seed, goes
	// before it; 0 leaves it to that flag, whose default is another seed each time.
	Seed uint64
	// Kept is the directory of failing documents; empty: testdata/values/<name of the test>.
	Kept string
}

// Run tries property with the documents that failed in earlier runs, then with newly drawn ones over defaults. When one
// fails, it is shrunk and kept as a file, and the test fails. A kept file that holds again stays as a regression test.
func Run(t rapid.TB, s *Schema, defaults map[string]any, o Options, property Property) {
	t.Helper()
	if o.Kept == "" {
		o.Kept = filepath.Join("testdata", "values", strings.ReplaceAll(t.Name(), "/", "_"))
	}
	replay(t, o.Kept, property)
	overlays, err := s.Overlays(defaults)
	if err != nil {
		t.Fatal(err)
	}
	defer setFlag("rapid.nofailfile", "true")()
	if o.Cases > 0 {
		defer setFlag("rapid.checks", strconv.Itoa(o.Cases))()
	}
	if o.Seed != 0 && flag.Lookup("rapid.seed").Value.String() == "0" {
		defer setFlag("rapid.seed", strconv.FormatUint(o.Seed, 10))()
	}
	var failed map[string]any
	defer func() {
		if failed == nil {
			return
		}
		smallest := reduce(failed, func(values map[string]any) bool {
			return s.Validate(over(defaults, values)) == nil && property(values) != nil
		})
		t.Logf("kept as %s:\n%s", keep(o.Kept, smallest, property(smallest)), text(smallest))
	}()
	rapid.Check(t, func(t *rapid.T) {
		values := overlays.Draw(t, "values")
		if err := property(values); err != nil {
			// The last one is the smallest: rapid ends with it.
			failed = values
			t.Fatal(err)
		}
	})
}

// setFlag gives a flag of rapid a value and returns what takes it back.
func setFlag(name, value string) func() {
	option := flag.Lookup(name).Value
	old := option.String()
	if err := option.Set(value); err != nil {
		panic(err)
	}
	return func() { _ = option.Set(old) }
}

// replay tries the kept documents.
func replay(t rapid.TB, dir string, property Property) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		values := map[string]any{}
		if err := yaml.Unmarshal(text, &values); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if err := property(values); err != nil {
			t.Fatalf("%s fails again: %v", file, err)
		}
	}
}

// keep writes a failing document to dir and returns the file's name, or why it could not.
func keep(dir string, values map[string]any, failure error) string {
	content := text(values)
	file := filepath.Join(dir, fmt.Sprintf("%.6x.yaml", sha256.Sum256([]byte(content))))
	comment := "# " + strings.ReplaceAll(strings.TrimSpace(fmt.Sprint(failure)), "\n", "\n# ") + "\n"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err.Error()
	}
	if err := os.WriteFile(file, []byte(comment+content), 0o644); err != nil {
		return err.Error()
	}
	return file
}

// text is a document as YAML.
func text(values map[string]any) string {
	written, err := yaml.Marshal(values)
	if err != nil {
		return err.Error()
	}
	return string(written)
}
