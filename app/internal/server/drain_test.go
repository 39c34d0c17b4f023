package server_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/server"
)

// TestDraining holds that a role that stops says so at /ready, and tells clients to close their connections: it closes none
// that is open, and goes on to answer.
func TestDraining(t *testing.T) {
	const delay = 5 * time.Second // what is asked below must fit into it
	cfg := serveConfig(t, t.TempDir())
	cfg.DrainDelay = delay
	a, err := server.NewServe(t.Context(), cfg)
	api := start(t, a, err)
	storeConfig := server.StoreConfig{Common: common(t, t.TempDir()), Token: storeToken}
	storeConfig.DrainDelay = delay
	s, err := server.NewStore(t.Context(), storeConfig)
	for role, r := range map[string]*running{"serve": api, "store": start(t, s, err)} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			kept := &http.Client{Transport: &http.Transport{}}
			if response, _ := readiness(t, kept, r.url); response.StatusCode != http.StatusOK || response.Close {
				t.Fatalf("before it stops %d, close %v", response.StatusCode, response.Close)
			}
			stopped := make(chan error, 1)
			go func() { stopped <- r.stop() }()
			eventually(t, "it is not ready", func() bool { return !ready(r.url) })
			response, body := readiness(t, kept, r.url)
			if response.StatusCode != http.StatusServiceUnavailable || !response.Close || !strings.Contains(body, "draining") && role == "serve" {
				t.Errorf("while it drains %d, close %v, %s", response.StatusCode, response.Close, body)
			}
			if role == "serve" {
				if response := newClient(t, cfg, r.url).post(sample); response.StatusCode != http.StatusCreated || !response.Close {
					t.Errorf("a detection meanwhile: %d, close %v", response.StatusCode, response.Close)
				}
			}
			if err := <-stopped; err != nil {
				t.Error(err)
			}
		})
	}
}

func readiness(t *testing.T, client *http.Client, url string) (*http.Response, string) {
	t.Helper()
	response, err := client.Get(url + "/ready")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}
