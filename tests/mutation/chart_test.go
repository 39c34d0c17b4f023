package mutation_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	charts "github.com/detection-api/detection-api/tests/chart"
	"github.com/detection-api/detection-api/tests/mutation"
)

const notesBoard = "../testdata/charts/notes-board"

// text is what a chart gives with one values file.
func text(c *charts.Chart, file string) string {
	release, err := c.Render(charts.Helm4, charts.Options{ValuesFiles: []string{file}, SkipSchema: true})
	if err != nil {
		return err.Error()
	}
	return release.YAML() + release.Notes
}

// comparesWith is a check that compares what the chart gives with some values files with what it gave before.
func comparesWith(original *charts.Chart, files ...string) mutation.Check {
	return func(_ context.Context, dir string) (bool, string, error) {
		mutant, err := charts.Load(dir)
		if err != nil {
			return false, "", err
		}
		for _, file := range files {
			if text(mutant, file) != text(original, file) {
				return true, file, nil
			}
		}
		return false, "", nil
	}
}

// Twenty mistakes in a chart that is not small. A check that looks at both ways of using it finds more than one that looks at
// the defaults, and what neither finds is equivalent over the same values.
func TestRunOnAChart(t *testing.T) {
	original, err := charts.Load(notesBoard)
	require.NoError(t, err)
	all, err := mutation.Mutants(original.Templates())
	require.NoError(t, err)
	require.Greater(t, len(all), 100)
	files := []string{"values.yaml", "values-large.yaml"}
	score := func(checked ...string) mutation.Report {
		report, err := mutation.Run(t.Context(), mutation.Config{
			ChartDir: notesBoard,
			Check:    comparesWith(original, checked...),
			Renders: func(replaced map[string][]byte) ([]string, error) {
				mutant := original.WithTemplates(replaced)
				return []string{text(mutant, files[0]), text(mutant, files[1])}, nil
			},
		}, mutation.Sample(all, 20))
		require.NoError(t, err)
		require.Len(t, report, 20)
		return report
	}
	both, defaults := score(files...), score(files[0])
	require.Empty(t, both.Only(mutation.Survived), both.String())
	require.NotEmpty(t, defaults.Only(mutation.Survived), "positive control: the defaults alone do not show everything")
	require.Equal(t, len(both.Only(mutation.Equivalent)), len(defaults.Only(mutation.Equivalent)))
	t.Log(both.Summary(), defaults.Summary())
}
