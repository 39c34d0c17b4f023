package rules

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// documented are the metrics in docs/metrics.md: those of the service, which a test of the service holds against its
// /metrics, and those of others.
func documented(t *testing.T) (ours, others map[string]bool) {
	t.Helper()
	page, err := os.ReadFile("../../docs/metrics.md")
	require.NoError(t, err)
	first, second, found := strings.Cut(string(page), "\n## Of others\n")
	require.True(t, found)
	row := regexp.MustCompile("(?m)^\\| `(\\w+)`")
	read := func(text string) map[string]bool {
		names := map[string]bool{}
		for _, match := range row.FindAllStringSubmatch(text, -1) {
			names[match[1]] = true
		}
		return names
	}
	return read(first), read(second)
}

// What is no name of a metric in an expression: strings, matchers, durations, lists of labels, functions, words, numbers.
var noMetric = []*regexp.Regexp{
	regexp.MustCompile(`"[^"]*"`),
	regexp.MustCompile(`\{[^}]*\}`),
	regexp.MustCompile(`\[[^\]]*\]`),
	regexp.MustCompile(`\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)`),
	regexp.MustCompile(`\b\w+\s*\(`),
	regexp.MustCompile(`\b(and|or|unless|bool|offset)\b`),
	regexp.MustCompile(`\b[0-9.]+\b`),
}

// metricNames are the metrics that a PromQL expression reads, without the suffixes of a histogram.
func metricNames(expr string) []string {
	for _, pattern := range noMetric {
		expr = pattern.ReplaceAllString(expr, " ")
	}
	names := map[string]bool{}
	for _, name := range regexp.MustCompile(`[a-zA-Z_:][\w:]*`).FindAllString(expr, -1) {
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if base, cut := strings.CutSuffix(name, suffix); cut && strings.HasPrefix(base, "detection_") {
				name = base
			}
		}
		names[name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

func TestMetricNames(t *testing.T) {
	for expr, want := range map[string][]string{
		`sum by (a, b) (rate(x_total{le="y"}[5m])) / on () group_left () max(z) > 2.5`: {"x_total", "z"},
		`label_replace(absent(a{b="c"} or d), "e", "f", "", "")`:                       {"a", "d"},
		`histogram_quantile(0.99, sum by (le) (rate(detection_x_seconds_bucket[3m])))`: {"detection_x_seconds"},
		`time() - max(up != 0)`: {"up"},
	} {
		require.Equal(t, want, metricNames(expr), expr)
	}
}

// Every metric that an alert or a dashboard reads exists, and every metric of the service is on a dashboard.
func TestMetricsExist(t *testing.T) {
	ours, others := documented(t)
	known := maps.Clone(ours)
	maps.Copy(known, others)
	read := map[string]bool{}
	check := func(where, expr string) {
		for _, name := range metricNames(expr) {
			require.True(t, known[name], "%s: %s is not in docs/metrics.md", where, name)
			read[name] = true
		}
	}
	for _, dashboard := range dashboards(t) {
		for where, expr := range dashboard.promQL() {
			check(dashboard.UID+": "+where, expr)
		}
	}
	for name := range ours {
		require.True(t, read[name], "%s is on no dashboard", name)
	}
	for _, a := range prometheusRules(t).alerts() {
		check(a.Alert, a.Expr)
	}
	for name := range others {
		require.True(t, read[name], "%s: nothing reads it any more, take it out of docs/metrics.md", name)
	}
}
