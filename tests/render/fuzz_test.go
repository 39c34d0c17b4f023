package render

import (
	"flag"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/detection-api/detection-api/tests/chart"
	"github.com/detection-api/detection-api/tests/fuzz"
)

// fuzzCases is the number of documents that TestFuzz tries; a night's run takes some ten thousand.
var fuzzCases = flag.Int("fuzz.cases", 100, "number of values documents that TestFuzz draws")

// fuzzed is the chart for package fuzz. What the chart hands on to Kubernetes unseen is drawn as Kubernetes takes it.
func fuzzed(t *testing.T) *fuzz.Chart {
	t.Helper()
	loaded, err := chart.Load(chartDir)
	require.NoError(t, err)
	result, err := fuzz.New(loaded, chart.Options{Release: releaseName, Namespace: namespace})
	require.NoError(t, err)
	for definition, values := range map[string]*rapid.Generator[any]{
		"affinity": fuzz.Affinities(), "envVar": fuzz.EnvVars(), "labelSelector": fuzz.LabelSelectors(),
		"object": fuzz.Objects(), "toleration": fuzz.Tolerations(), "volume": fuzz.Volumes(),
	} {
		result.Narrow("#/definitions/"+definition, values)
	}
	return result
}

// TestFuzz draws values that the schema admits. Helm 3 and Helm 4 render the same valid objects from each of them, or refuse
// it by the same line, which names the value to change. A failing document is kept in testdata/values/TestFuzz.
func TestFuzz(t *testing.T) {
	t.Parallel()
	fuzzed(t).Run(t, fuzz.Options{Cases: *fuzzCases, Seed: 1})
}

// TestMisspeltKeys misspells every key at every level of the schema. Only what is handed on to Kubernetes takes any key.
func TestMisspeltKeys(t *testing.T) {
	t.Parallel()
	tried := fuzzed(t).Misspell(t, "api.extraVolumes[]", "store.extraVolumes[]", "extraObjects[]")
	require.Greater(t, tried, 1000)
}
