package fuzz

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/detection-api/detection-api/tests/chart"
)

// Chart is a chart with its schema.
type Chart struct {
	*Schema
	chart    *chart.Chart
	options  chart.Options
	defaults map[string]any
}

// Check returns an error if the objects of a release are wrong.
type Check func(objects chart.Objects) error

// New prepares a chart. Options are those under which every document is rendered; the values in it belong to the defaults.
func New(c *chart.Chart, o chart.Options) (*Chart, error) {
	schema, err := ParseSchema(c.Schema())
	if err != nil {
		return nil, fmt.Errorf("fuzz %s: %w", c.Name(), err)
	}
	values, err := c.Values(o)
	if err != nil {
		return nil, fmt.Errorf("fuzz %s: %w", c.Name(), err)
	}
	defaults, err := c.Defaults()
	if err != nil {
		return nil, fmt.Errorf("fuzz %s: %w", c.Name(), err)
	}
	return &Chart{Schema: schema, chart: c, options: o, defaults: over(defaults, values)}, nil
}

// Run draws documents and checks that Helm 3 and Helm 4 render the same objects from each of them, and that these pass the
// checks, or that both refuse it by the same line, which names a value.
func (c *Chart) Run(t testing.TB, o Options, checks ...Check) {
	t.Helper()
	dir := t.TempDir()
	Run(t, c.Schema, c.defaults, o, func(values map[string]any) error {
		return c.try(dir, values, checks)
	})
}

func (c *Chart) try(dir string, values map[string]any, checks []Check) error {
	releases, refusals, err := c.renderAll(dir, values)
	if err != nil {
		return err
	}
	if len(refusals) > 0 && len(releases) > 0 || len(slices.Compact(refusals)) > 1 {
		return fmt.Errorf("the Helm versions disagree: %q", refusals)
	}
	var first string
	for i, release := range releases {
		objects, err := release.Objects()
		if err != nil {
			return err
		}
		text, err := objects.Canonical()
		if err != nil {
			return err
		}
		if i == 0 {
			first = text
		} else if text != first {
			return fmt.Errorf("the Helm versions render different objects")
		}
		if i > 0 {
			continue
		}
		for _, check := range checks {
			if err := check(objects); err != nil {
				return err
			}
		}
	}
	return nil
}

// renderAll renders a document with every version of Helm. A version gives a release or a refusal.
func (c *Chart) renderAll(dir string, values map[string]any) (releases []*chart.Release, refusals []string, err error) {
	for _, engine := range chart.Engines() {
		release, err := c.render(engine, dir, values)
		if err == nil {
			releases = append(releases, release)
			continue
		}
		refusal, err := c.Refusal(err)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", engine, err)
		}
		refusals = append(refusals, refusal)
	}
	return releases, refusals, nil
}

// render renders a document as Helm reads it from a file.
func (c *Chart) render(engine chart.Engine, dir string, values map[string]any) (*chart.Release, error) {
	file := filepath.Join(dir, "values.yaml")
	if err := os.WriteFile(file, []byte(document(values)), 0o644); err != nil {
		return nil, err
	}
	options := c.options
	options.ValuesFiles = append(slices.Clone(options.ValuesFiles), file)
	return c.chart.Render(engine, options)
}

// Misspell checks that every misspelt key, at every level of the schema, is refused by every version of Helm with a message
// that names it, and returns how many were tried. The levels in open may take any key; every other one must not.
func (c *Chart) Misspell(t testing.TB, open ...string) int {
	t.Helper()
	documents, found, err := c.Misspellings()
	if err != nil {
		t.Fatal(err)
	}
	if slices.Sort(found); !slices.Equal(found, slices.Sorted(slices.Values(open))) {
		t.Errorf("levels of the schema that take any key: %q, expected %q", found, open)
	}
	dir := t.TempDir()
	for i, document := range documents {
		if err := c.Validate(over(c.defaults, document.Values)); err == nil || !strings.Contains(err.Error(), "'"+document.Wrong+"'") {
			t.Errorf("%s: the schema does not refuse it by name: %v", document, err)
		}
		// What the schema refuses, Helm refuses; that it asks the schema is seen by one spelling of each key.
		if i > 0 && documents[i-1].Path == document.Path && documents[i-1].Key == document.Key {
			continue
		}
		for _, engine := range chart.Engines() {
			if _, err := c.render(engine, dir, document.Values); err == nil || !strings.Contains(err.Error(), document.Wrong) {
				t.Errorf("%s: %s does not refuse it by name: %v", document, engine, err)
			}
		}
	}
	return len(documents)
}
