package server_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/httpapi"
	"github.com/detection-api/detection-api/app/internal/server"
	"github.com/detection-api/detection-api/app/internal/sqlite"
	"github.com/detection-api/detection-api/app/internal/storeapi"
)

// hangingStore holds commits up while it is shut.
type hangingStore struct {
	*sqlite.Store
	mu      sync.Mutex
	opened  chan struct{}
	waiting int
}

func (s *hangingStore) Commit(ctx context.Context, records []detection.Record) error {
	s.mu.Lock()
	s.waiting++
	opened := s.opened
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.waiting--
		s.mu.Unlock()
	}()
	select {
	case <-opened:
		return s.Store.Commit(ctx, records)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *hangingStore) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting
}

// TestBackPressureOfTheStore: while the store's commits hang, and while it refuses more calls than it has places for, each
// detection is answered soon after the time of one call to the store: 202 from this pod's queue, or 503 when many wait. No call
// waits at the store for longer than its client does, and the store has all that was answered 202 when it goes on.
func TestBackPressureOfTheStore(t *testing.T) {
	for name, places := range map[string]int{"hangs": 256, "busy": 1} {
		t.Run(name, func(t *testing.T) { pressOn(t, places) })
	}
}

func pressOn(t *testing.T, places int) {
	const clients, patience = 300, 15 * time.Second
	inner, err := sqlite.OpenStore(t.Context(), sqlite.StoreOptions{Options: sqlite.Options{Dir: t.TempDir(), MinFreeBytes: -1, Now: time.Now}})
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	store := &hangingStore{Store: inner, opened: make(chan struct{})}
	remote := httptest.NewServer(storeapi.NewServer(storeapi.ServerOptions{Store: store, Token: storeToken, MaxInFlight: places}))
	defer remote.Close()
	cfg := serveConfig(t, t.TempDir())
	cfg.StoreURL, cfg.StoreToken, cfg.StoreTimeout, cfg.TargetWait = remote.URL, storeToken, time.Second, 500*time.Millisecond
	a, err := server.NewServe(t.Context(), cfg)
	api := start(t, a, err)
	c := newClient(t, cfg, api.url)
	answers := make(chan *http.Response, clients)
	var done sync.WaitGroup
	began := time.Now()
	for range clients {
		done.Go(func() { answers <- c.post(sample) })
	}
	done.Wait()
	if took := time.Since(began); took > patience {
		t.Errorf("the last answer took %v", took)
	}
	close(answers)
	var ids []string
	for answer := range answers {
		switch retryAfter := answer.Header.Get("Retry-After"); {
		case answer.StatusCode == http.StatusAccepted && answer.Header.Get("X-Durability") == "pod":
			ids = append(ids, answer.Header.Get("X-Detection-ID"))
		case answer.StatusCode != http.StatusServiceUnavailable || retryAfter == "":
			t.Errorf("got %d, Retry-After %q; want 202 from the pod, or 503", answer.StatusCode, retryAfter)
		}
	}
	if len(ids) < httpapi.DefaultMinInProgress {
		t.Errorf("%d of %d were taken", len(ids), clients)
	}
	eventually(t, "no call that waits longer than its client", func() bool { return store.count() <= places })
	close(store.opened)
	eventually(t, "an empty queue", func() bool {
		_, body := c.get("/ready")
		return strings.Contains(string(body), ", 0 not in the store yet")
	})
	for _, id := range ids {
		if _, err := inner.Get(t.Context(), id); err != nil {
			t.Fatalf("%s was answered 202: %v", id, err)
		}
	}
}
