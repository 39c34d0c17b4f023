package render

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/detection-api/detection-api/tests/chart"
)

// loadChart loads the chart under test.
func loadChart(t *testing.T) *chart.Chart {
	t.Helper()
	loaded, err := chart.Load("../../charts/detection-api")
	require.NoError(t, err)
	return loaded
}

// rendered renders the chart in this process and decodes it strictly.
func rendered(t *testing.T, o chart.Options) chart.Objects {
	t.Helper()
	o.Namespace = namespace
	release, err := loadChart(t).Render(chart.Helm4, o)
	require.NoError(t, err)
	decoded, err := release.Objects()
	require.NoError(t, err)
	return decoded
}
