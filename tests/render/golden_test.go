package render

import (
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/detection-api/detection-api/tests/chart"
)

// The objects of every values file are held to a golden file, so that a change of a template shows in review as what it does
// to a cluster. `go test ./render -run TestGoldens -update` writes them anew.
func TestGoldens(t *testing.T) {
	for _, file := range allFiles() {
		golden := "testdata/" + strings.TrimSuffix(file, ".yaml") + ".golden.yaml"
		release, err := loadChart(t).Render(chart.Helm4, options(file, fixed(file)))
		require.NoError(t, err)
		decoded, err := release.Objects()
		require.NoError(t, err)
		got, err := abridged(decoded).Canonical()
		require.NoError(t, err)
		if *update {
			require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
		}
		want, err := os.ReadFile(golden)
		require.NoError(t, err)
		require.Equal(t, string(want), got, "%s: if this is what you meant, run: go test ./render -run TestGoldens -update", golden)
	}
}

// abridged shortens texts in ConfigMaps that are files of the chart and many pages long, such as dashboards, to their hash.
func abridged(decoded chart.Objects) chart.Objects {
	const most = 100
	for _, config := range chart.All[*corev1.ConfigMap](decoded) {
		for name, text := range config.Data {
			if lines := strings.Count(text, "\n"); lines > most {
				config.Data[name] = fmt.Sprintf("%d lines, sha256 %x", lines, sha256.Sum256([]byte(text)))
			}
		}
	}
	return decoded
}
