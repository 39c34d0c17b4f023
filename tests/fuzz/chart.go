package fuzz

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
	if len(releases) == 0 {
		return nil
	}
	objects, err := c.same(dir, releases)
	if err != nil {
		return err
	}
	for _, check := range checks {
		if err := check(objects); err != nil {
			return err
		}
	}
	return nil
}

// same returns the objects that all releases have in common, or an error if one has others. Objects with random content, such
// as a generated password, differ in every render, so those that differ between two renders of one version do not count.
func (c *Chart) same(dir string, releases []*chart.Release) (chart.Objects, error) {
	first, err := releases[0].Objects()
	if err != nil {
		return nil, err
	}
	for _, release := range releases[1:] {
		objects, err := release.Objects()
		if err != nil {
			return nil, err
		}
		changed, err := chart.Changed(first, objects)
		if err != nil {
			return nil, err
		}
		if len(changed) == 0 {
			continue
		}
		random, err := c.random(dir, first)
		if err != nil {
			return nil, err
		}
		changed = slices.DeleteFunc(changed, func(key string) bool { return slices.Contains(random, key) })
		if len(changed) > 0 {
			return nil, fmt.Errorf("the Helm versions render different objects: %v", changed)
		}
	}
	return first, nil
}

// random returns the objects that the first version of Helm renders otherwise a second time.
func (c *Chart) random(dir string, first chart.Objects) ([]string, error) {
	again, err := c.render(chart.Engines()[0], filepath.Join(dir, "values.yaml"))
	if err != nil {
		return nil, err
	}
	objects, err := again.Objects()
	if err != nil {
		return nil, err
	}
	return chart.Changed(first, objects)
}

// renderAll renders a document with every version of Helm at the same time. A version gives a release or a refusal.
func (c *Chart) renderAll(dir string, values map[string]any) (releases []*chart.Release, refusals []string, err error) {
	file := filepath.Join(dir, "values.yaml")
	if err := os.WriteFile(file, []byte(text(values)), 0o644); err != nil {
		return nil, nil, err
	}
	engines := chart.Engines()
	found, failures := make([]*chart.Release, len(engines)), make([]error, len(engines))
	var all sync.WaitGroup
	for i, engine := range engines {
		all.Go(func() { found[i], failures[i] = c.render(engine, file) })
	}
	all.Wait()
	for i, engine := range engines {
		if failures[i] == nil {
			releases = append(releases, found[i])
			continue
		}
		refusal, err := c.Refusal(failures[i])
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", engine, err)
		}
		refusals = append(refusals, refusal)
	}
	return releases, refusals, nil
}

// render renders a document as Helm reads it from a file.
func (c *Chart) render(engine chart.Engine, file string) (*chart.Release, error) {
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
		// What the schema refuses, Helm refuses; that it asks the schema is seen by one key of each level.
		if i > 0 && documents[i-1].Path == document.Path {
			continue
		}
		if err := c.refuses(dir, document); err != nil {
			t.Errorf("%s: %v", document, err)
		}
	}
	return len(documents)
}

// refuses returns an error if a version of Helm takes the document, or does not name the misspelt key.
func (c *Chart) refuses(dir string, document Misspelling) error {
	file := filepath.Join(dir, "values.yaml")
	if err := os.WriteFile(file, []byte(text(document.Values)), 0o644); err != nil {
		return err
	}
	for _, engine := range chart.Engines() {
		if _, err := c.render(engine, file); err == nil || !strings.Contains(err.Error(), document.Wrong) {
			return errors.Join(fmt.Errorf("%s does not refuse it by name", engine), err)
		}
	}
	return nil
}
