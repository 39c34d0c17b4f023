package storeapi_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/detection/storetest"
	"github.com/detection-api/detection-api/app/internal/storeapi"
)

func TestAWrongTokenIsRefused(t *testing.T) {
	server := serve(t, storeapi.ServerOptions{Store: fake{commit: func(context.Context, []detection.Record) error {
		t.Error("the store was reached")
		return nil
	}}})
	for _, header := range []string{"", "Bearer ", "Bearer wrong", "bearer " + token, "Basic " + token, token, "Bearer  " + token} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/commit", strings.NewReader(`{"records":[]}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header["Authorization"] = []string{header}
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("Authorization %q: status %d, want 401", header, resp.StatusCode)
		}
	}
	client := newClient(t, storeapi.ClientOptions{BaseURL: server.URL, Token: "wrong"})
	if err := client.Commit(t.Context(), storetest.Records(0, 1, "")); !errors.Is(err, detection.ErrUnavailable) {
		t.Errorf("Commit with a wrong token = %v, want ErrUnavailable: the detection must be kept elsewhere", err)
	}
}

func TestABusyServerRefusesAtOnce(t *testing.T) {
	entered, hold := make(chan struct{}), make(chan struct{})
	server := serve(t, storeapi.ServerOptions{MaxInFlight: 1, Store: fake{commit: func(context.Context, []detection.Record) error {
		close(entered)
		<-hold
		return nil
	}}})
	client := newClient(t, storeapi.ClientOptions{BaseURL: server.URL, Timeout: time.Minute})
	first := make(chan error, 1)
	go func() { first <- client.Commit(t.Context(), storetest.Records(0, 1, "")) }()
	<-entered
	if err := client.Commit(t.Context(), storetest.Records(1, 2, "")); !errors.Is(err, detection.ErrUnavailable) {
		t.Errorf("Commit to a busy store = %v, want ErrUnavailable", err)
	}
	close(hold)
	if err := <-first; err != nil {
		t.Errorf("Commit that was first = %v", err)
	}
}

func TestBadBodies(t *testing.T) {
	server := serve(t, storeapi.ServerOptions{Store: fake{commit: func(context.Context, []detection.Record) error { return nil }}})
	for _, c := range []struct {
		name, body string
		want       int
	}{
		{"not JSON", "{", 400},
		{"wrong type", `{"records":7}`, 400},
		{"too large", `{"records":[],"x":"` + strings.Repeat("x", 65<<20) + `"}`, 413},
		{"fields of a newer version", `{"records":[],"x":1}`, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/commit", strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+token)
			resp, err := server.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != c.want {
				t.Errorf("status %d, want %d", resp.StatusCode, c.want)
			}
		})
	}
}

func TestProbesNeedNoToken(t *testing.T) {
	var down atomic.Bool
	server := serve(t, storeapi.ServerOptions{Gatherer: prometheus.NewRegistry(), Ready: func(context.Context) error {
		if down.Load() {
			return detection.ErrFull
		}
		return nil
	}})
	get := func(path string) int {
		resp, err := server.Client().Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	for _, path := range []string{"/health", "/ready", "/metrics"} {
		if got := get(path); got != 200 {
			t.Errorf("%s = %d", path, got)
		}
	}
	down.Store(true)
	if got := get("/ready"); got != 507 {
		t.Errorf("/ready without room = %d, want 507", got)
	}
	if got := get("/health"); got != 200 {
		t.Errorf("/health without room = %d", got)
	}
}

func TestNewClientRefuses(t *testing.T) {
	for _, opts := range []storeapi.ClientOptions{
		{Token: token}, {BaseURL: "store:8081", Token: token}, {BaseURL: "http://", Token: token}, {BaseURL: "http://store:8081"},
	} {
		if _, err := storeapi.NewClient(opts); err == nil {
			t.Errorf("NewClient(%+v) is accepted", opts)
		}
	}
}
