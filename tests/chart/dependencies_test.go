package chart_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/detection-api/detection-api/tests/chart"
)

// A subchart renders with its part of the values when its condition holds, and a render leaves the chart as it was.
func TestDependencies(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"Chart.yaml":                  "{apiVersion: v2, name: parent, version: 0.1.0, dependencies: [{name: sub, version: 0.2.0, condition: sub.enabled, alias: side}]}",
		"values.yaml":                 "{sub: {enabled: true}, side: {word: from the parent}}",
		"charts/sub/Chart.yaml":       "{apiVersion: v2, name: sub, version: 0.2.0}",
		"charts/sub/values.yaml":      "{word: own}",
		"charts/sub/templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: sub}\ndata: {word: {{ .Values.word }}}\n",
		"templates/NOTES.txt":         "parent",
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	c, err := chart.Load(dir)
	require.NoError(t, err)
	for range 2 {
		require.Empty(t, objects(t, c, chart.Options{Set: map[string]any{"sub.enabled": false}}))
		on := objects(t, c, chart.Options{Set: map[string]any{"sub.enabled": true}})
		sub, err := chart.Get[*corev1.ConfigMap](on, "ConfigMap/sub")
		require.NoError(t, err)
		require.Equal(t, "from the parent", sub.Data["word"])
	}
	release, err := c.Render(chart.Helm4, chart.Options{})
	require.NoError(t, err)
	require.Equal(t, "charts/side/templates/a.yaml", release.Manifests[0].Template)
}
