package promtool_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/detection-api/detection-api/tests/promtool"
)

// rules is a rule file with one alert.
func rules(expr string) map[string]any {
	alert := map[string]any{"alert": "Full", "expr": expr, "for": "1m"}
	return map[string]any{"groups": []any{map[string]any{"name": "g", "rules": []any{alert}}}}
}

const unitTest = `rule_files: [rules.yaml]
evaluation_interval: 30s
tests:
  - interval: 30s
    input_series: [{series: disk_used_percent, values: '95x10'}]
    promql_expr_test:
      - {expr: 'count(ALERTS{alertname="Full",alertstate="firing"})', eval_time: 1m, exp_samples: [{labels: '{}', value: 1}]}
`

func TestTool(t *testing.T) {
	tool, err := promtool.Find("../../build/bin")
	require.NoError(t, err, "run ci/fetch-promtool")
	file := filepath.Join(t.TempDir(), "full.yaml")
	require.NoError(t, os.WriteFile(file, []byte(unitTest), 0o600))

	require.NoError(t, tool.Check(t.Context(), rules("disk_used_percent > 90")))
	require.NoError(t, tool.Test(t.Context(), rules("disk_used_percent > 90"), file))
	require.ErrorContains(t, tool.Check(t.Context(), rules("disk_used_percent >")), "could not parse expression", "positive control")
	require.ErrorContains(t, tool.Test(t.Context(), rules("disk_used_percent > 99"), file), "FAILED", "positive control")
	require.ErrorContains(t, tool.Test(t.Context(), rules("a > 1"), "testdata/none.yaml"), "no such file")
}
