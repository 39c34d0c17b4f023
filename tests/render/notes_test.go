package render

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/detection-api/detection-api/tests/chart"
)

// notes renders NOTES.txt, which `helm template` leaves out.
func notes(t *testing.T, set map[string]any) string {
	t.Helper()
	release, err := loadChart(t).Render(chart.Helm4, chart.Options{Namespace: namespace, Set: set})
	require.NoError(t, err)
	return release.Notes
}

// NOTES.txt names the active slot and the next command, for either slot.
func TestNotes(t *testing.T) {
	for active, idle := range map[string]string{"blue": "green", "green": "blue"} {
		text := notes(t, map[string]any{"activeSlot": active})
		require.Contains(t, text, "Active slot: "+active+" (3 to 10 pods of registry.internal/detection-api:0.3.0), idle slot: "+idle)
		for _, command := range []string{"--set slots." + idle + ".image.tag=NEW_TAG --wait", "--set activeSlot=" + idle, "--set activeSlot=" + active} {
			require.Contains(t, text, "helm upgrade detection-api charts/detection-api -n detection-system --reset-then-reuse-values "+command)
		}
		require.NotContains(t, text, "WARNING")
	}
	text := notes(t, map[string]any{
		"environment": "development",
		"secrets":     map[string]any{"development": map[string]any{"create": true}},
		"service":     map[string]any{"type": "NodePort"},
	})
	for _, part := range []string{"secrets.development.create is true", "takEndpoint is empty", "on any node at port"} {
		require.Contains(t, text, part)
	}
}

// `helm lint --strict` finds nothing with any values file.
func TestLint(t *testing.T) {
	t.Parallel()
	for _, file := range valuesFiles {
		output, err := exec.CommandContext(t.Context(), "helm", "lint", "--strict", chartDir, "-f", chartDir+"/"+file).CombinedOutput()
		require.NoError(t, err, "%s: %s", file, output)
	}
}
