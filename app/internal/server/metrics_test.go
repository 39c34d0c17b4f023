package server_test

import (
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/server"
)

// metric is a row of the table in docs/metrics.md.
type metric struct{ kind, labels, role string }

// documentedMetrics reads the table of the service's metrics in docs/metrics.md.
func documentedMetrics(t *testing.T) map[string]metric {
	t.Helper()
	page, err := os.ReadFile("../../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	ours, _, _ := strings.Cut(string(page), "\n## Of others\n")
	found := map[string]metric{}
	row := regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (\\w+) \\| ([^|]*)\\| (\\w+) \\|")
	for _, match := range row.FindAllStringSubmatch(ours, -1) {
		found[match[1]] = metric{match[2], strings.Trim(match[3], " `"), match[4]}
	}
	return found
}

// shownMetrics are the service's own metrics at /metrics.
func shownMetrics(t *testing.T, url, role string) map[string]metric {
	t.Helper()
	text := string(fetch(t, url+"/metrics"))
	found := map[string]metric{}
	for _, match := range regexp.MustCompile(`(?m)^# TYPE (\w+) (\w+)$`).FindAllStringSubmatch(text, -1) {
		if strings.HasPrefix(match[1], "go_") || strings.HasPrefix(match[1], "process_") {
			continue
		}
		labels := map[string]bool{}
		for _, sample := range regexp.MustCompile(`(?m)^`+match[1]+`\w*\{(.*)\} `).FindAllStringSubmatch(text, -1) {
			for _, label := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(sample[1], -1) {
				labels[label[1]] = true
			}
		}
		delete(labels, "le") // of a histogram's buckets
		found[match[1]] = metric{match[2], strings.Join(slices.Sorted(maps.Keys(labels)), ", "), role}
	}
	return found
}

// fetch gets what a URL answers to anybody.
func fetch(t *testing.T, url string) []byte {
	t.Helper()
	status, body := (&client{t: t, url: url, http: http.DefaultClient}).get("")
	if status != http.StatusOK {
		t.Fatalf("%s: status %d", url, status)
	}
	return body
}

// The alerts and dashboards of the chart are held against docs/metrics.md, and here that is held against both roles.
func TestMetricsAreDocumented(t *testing.T) {
	storeConfig := server.StoreConfig{Common: common(t, t.TempDir()), Token: strings.Repeat("shared-", 8), RestartGrace: time.Second}
	s, err := server.NewStore(t.Context(), storeConfig)
	store := start(t, s, err)
	cfg := serveConfig(t, t.TempDir())
	cfg.StoreURL, cfg.StoreToken = store.url, storeConfig.Token
	a, err := server.NewServe(t.Context(), cfg)
	api := start(t, a, err)

	shown := shownMetrics(t, api.url, "API")
	maps.Copy(shown, shownMetrics(t, store.url, "store"))
	documented := documentedMetrics(t)
	for name, got := range shown {
		if documented[name] != got {
			t.Errorf("%s: shown as %+v, docs/metrics.md has %+v", name, got, documented[name])
		}
	}
	for name := range documented {
		if _, ok := shown[name]; !ok {
			t.Errorf("docs/metrics.md has %s, which neither role shows", name)
		}
	}
}
