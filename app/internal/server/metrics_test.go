package server_test

import (
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/server"
	"github.com/detection-api/detection-api/app/internal/tak"
	"github.com/detection-api/detection-api/app/internal/tak/taktest"
	"github.com/detection-api/detection-api/app/internal/track"
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

// sampled is the value of a metric at /metrics, with its labels where it has some.
func sampled(t *testing.T, url, name string) float64 {
	t.Helper()
	text := string(fetch(t, url+"/metrics"))
	match := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindStringSubmatch(text)
	if match == nil {
		t.Fatalf("%s is not shown", name)
	}
	value, err := strconv.ParseFloat(match[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// withEverything configures all that shows metrics of its own. The TAK server wants a client certificate.
func withEverything(t *testing.T) server.ServeConfig {
	t.Helper()
	cfg := serveConfig(t, t.TempDir())
	authority := taktest.NewAuthority(t, "test authority")
	certificate := authority.Issue(t, "detection-api")
	cfg.TAKTLS = tak.TLSOptions{
		CAFile:   writeFile(t, "ca.pem", taktest.CertificatePEM(authority.Certificate)),
		CertFile: writeFile(t, "client.pem", taktest.CertificatePEM(certificate.Leaf)),
		KeyFile:  writeFile(t, "client.key", taktest.KeyPEM(t, certificate.PrivateKey)),
	}
	cfg.TAKAddr = "tls://" + taktest.Taky().Listen(t, taktest.Whole, authority.Server(t)).Addr
	cfg.Tracks, cfg.PicturesDir, cfg.PicturesMaxBytes = &track.Options{}, t.TempDir(), 1<<20
	cfg.Terrain.Dir = filepath.Dir(writeFile(t, "N33W085.hgt", make([]byte, 2*1201*1201)))
	return cfg
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
	cfg := withEverything(t)
	cfg.StoreURL, cfg.StoreToken = store.url, storeConfig.Token
	a, err := server.NewServe(t.Context(), cfg)
	api := start(t, a, err)
	eventually(t, "a link to TAK", func() bool { return sampled(t, api.url, "tak_connected") == 1 })

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
