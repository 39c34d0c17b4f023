package render

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"testing"
	"text/template"

	"github.com/stretchr/testify/require"

	"github.com/detection-api/detection-api/tests/chart"
	"github.com/detection-api/detection-api/tests/coverage"
)

// minCoveragePercent is the share of the templates' branches that this package must take.
const minCoveragePercent = 95

// probedChart is the chart under test. What its renders with Helm 4 take of the templates is counted.
type probedChart struct {
	*chart.Chart
	instrumented *chart.Chart
	profile      *coverage.Profile
}

func loadProbedChart() (*probedChart, error) {
	plain, err := chart.Load(chartDir)
	if err != nil {
		return nil, err
	}
	profile, err := coverage.Instrument(plain.Templates())
	if err != nil {
		return nil, err
	}
	return &probedChart{Chart: plain, instrumented: plain.WithTemplates(profile.Templates()), profile: profile}, nil
}

// Render renders the chart. The engine of Helm 3 takes no probes, so it renders the chart as it is.
func (c *probedChart) Render(engine chart.Engine, o chart.Options) (*chart.Release, error) {
	if engine != chart.Helm4 {
		return c.Chart.Render(engine, o)
	}
	return c.renderWith(nil, o)
}

// renderWith renders the chart with some of its templates replaced, or left out where they are nil.
func (c *probedChart) renderWith(templates map[string][]byte, o chart.Options) (*chart.Release, error) {
	funcs := c.profile.Funcs()
	maps.Copy(funcs, o.Funcs)
	o.Funcs = funcs
	return c.instrumented.WithTemplates(templates).Render(chart.Helm4, o)
}

// elsewhere is what `make check` skips: it is in another package.
const elsewhere = "^ExampleStart$"

// gate prints which branches of the templates a run of all tests took, and fails it when they are too few.
func gate(code int) int {
	skipped := flag.Lookup("test.skip").Value.String()
	all := flag.Lookup("test.run").Value.String() == "" && (skipped == "" || skipped == elsewhere)
	loaded, err := loadedChart()
	if err != nil || !all {
		return code
	}
	report := loaded.profile.Report()
	fmt.Print(report)
	if code == 0 && report.Percent() < minCoveragePercent {
		fmt.Fprintf(os.Stderr, "FAIL: at least %d %% of the template branches must be taken\n", minCoveragePercent)
		return 1
	}
	return code
}

// The probes change no byte of what the chart renders, and a probe that prints would be seen.
func TestProbesAreInvisible(t *testing.T) {
	loaded := loadChart(t)
	for _, file := range append([]string{platformFile}, valuesFiles...) {
		o := options(file, nil)
		o.Funcs = template.FuncMap{"randAlphaNum": func(int) string { return "not random" }}
		plain, err := loaded.Chart.Render(chart.Helm4, o)
		require.NoError(t, err)
		probed, err := loaded.Render(chart.Helm4, o)
		require.NoError(t, err)
		require.Equal(t, plain, probed, file)
		for name := range loaded.profile.Funcs() {
			o.Funcs[name] = func(int) string { return "\n# probe\n" }
		}
		if loud, err := loaded.Render(chart.Helm4, o); err == nil {
			require.NotEqual(t, plain, loud, "positive control")
		}
	}
}
