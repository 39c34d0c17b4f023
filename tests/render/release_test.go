package render

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/detection-api/detection-api/tests/chart"
)

// loadChart returns the chart under test.
func loadChart(t *testing.T) *probedChart {
	t.Helper()
	loaded, err := loadedChart()
	require.NoError(t, err)
	return loaded
}

// rendered renders the chart with options of its own and decodes it strictly.
func rendered(t *testing.T, o chart.Options) chart.Objects {
	t.Helper()
	o.Namespace = namespace
	release, err := loadChart(t).Render(chart.Helm4, o)
	require.NoError(t, err)
	decoded, err := release.Objects()
	require.NoError(t, err)
	return decoded
}

// refused wants both versions of Helm to refuse the options in one line that says want.
func refused(t *testing.T, o chart.Options, want string) {
	t.Helper()
	o.Namespace = namespace
	for _, engine := range chart.Engines() {
		_, err := loadChart(t).Render(engine, o)
		require.ErrorContains(t, err, want)
		require.NotContains(t, strings.TrimSpace(err.Error()), "\n", "one line")
	}
}
