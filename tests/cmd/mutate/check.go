package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/detection-api/detection-api/tests/chart"
	"github.com/detection-api/detection-api/tests/mutation"
)

// skipped are tests that say nothing about templates (the schema, the documents), that start programs which would judge the
// same text again, or that render the chart so many times that a run would take a day.
const skipped = "Schema|Lint|HelmCommands|ProofsExist|ProbesAreInvisible|Score|Dashboards|Promtool|Fuzz|ImagesOfEverySwitch"

// goldens are the tests that find most mistakes, and fast.
const goldens = "TestGoldens|TestExtrasGolden"

// check returns a check that runs the compiled tests: first those that find most mistakes fast, then all others.
func check(binary string) mutation.Check {
	return func(ctx context.Context, dir string) (bool, string, error) {
		absolute, err := filepath.Abs(dir)
		if err != nil {
			return false, "", err
		}
		for _, stage := range [][]string{{"-test.run", goldens}, {"-test.skip", goldens + "|" + skipped}} {
			arguments := append([]string{"-chart", absolute, "-test.short", "-test.failfast"}, stage...)
			tests := exec.CommandContext(ctx, binary, arguments...)
			tests.Dir = "render"
			output, err := tests.CombinedOutput()
			if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.Exited() {
				return true, failed(output), nil
			} else if err != nil {
				return false, "", fmt.Errorf("run the tests: %w", err)
			}
		}
		return false, "no test failed", nil
	}
}

// failed returns the name of the first test that failed.
func failed(output []byte) string {
	if match := regexp.MustCompile(`--- FAIL: (\S+)`).FindSubmatch(output); match != nil {
		return string(match[1])
	}
	return "the tests ended early"
}

// renders returns what tells equivalent mutants: the chart with each values file, with all that a site may add, and with each
// of its switches the other way round.
func renders(loaded *chart.Chart) (mutation.Renders, error) {
	defaults, err := loaded.Defaults()
	if err != nil {
		return nil, err
	}
	sets := []chart.Options{{}, {ValuesFiles: []string{"values-dev.yaml"}}, {ValuesFiles: []string{"values-prod.yaml"}}}
	platform := []string{"values-prod.yaml", "values-platform.yaml"}
	sets = append(sets, chart.Options{ValuesFiles: platform}, chart.Options{ValuesFiles: platform, Upgrade: true, Revision: 2})
	extras, err := filepath.Abs("render/testdata/values-extras.yaml")
	if err != nil {
		return nil, err
	}
	sets = append(sets, chart.Options{ValuesFiles: append(slices.Clone(platform), extras)})
	for _, key := range switches("", defaults) {
		for _, value := range []bool{true, false} {
			sets = append(sets, chart.Options{ValuesFiles: platform, Set: map[string]any{key: value}})
		}
	}
	return func(replaced map[string][]byte) ([]string, error) {
		mutant := loaded.WithTemplates(replaced)
		texts := make([]string, len(sets))
		for i, o := range sets {
			texts[i] = text(mutant, o)
		}
		return texts, nil
	}, nil
}

// switches returns the dotted paths of all values that are true or false.
func switches(prefix string, values map[string]any) []string {
	var found []string
	for key, value := range values {
		switch value := value.(type) {
		case bool:
			found = append(found, prefix+key)
		case map[string]any:
			found = append(found, switches(prefix+key+".", value)...)
		}
	}
	return found
}

func text(c *chart.Chart, o chart.Options) string {
	o.Namespace, o.SkipSchema = "detection-system", true
	o.Funcs = map[string]any{"randAlphaNum": func(int) string { return "fixed" }}
	release, err := c.Render(chart.Helm4, o)
	if err != nil {
		return err.Error()
	}
	objects, err := release.Objects()
	if err != nil {
		return err.Error()
	}
	canonical, err := objects.Canonical()
	if err != nil {
		return err.Error()
	}
	return string(canonical) + release.Notes
}
