package storeapi_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/detection/storetest"
	"github.com/detection-api/detection-api/app/internal/sqlite"
	"github.com/detection-api/detection-api/app/internal/storeapi"
)

func openStore(t *testing.T) *sqlite.Store {
	t.Helper()
	store, err := sqlite.OpenStore(t.Context(), sqlite.StoreOptions{Options: sqlite.Options{Dir: t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// TestAStoreOfAnOlderRelease has no catalogue and answers to a commit with nothing.
func TestAStoreOfAnOlderRelease(t *testing.T) {
	store := openStore(t)
	now := storeapi.NewServer(storeapi.ServerOptions{Store: store, Token: token})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/commit" {
			now.ServeHTTP(w, r)
			return
		}
		now.ServeHTTP(httptest.NewRecorder(), r)
		_, _ = w.Write([]byte("{}\n"))
	}))
	t.Cleanup(server.Close)
	client := newClient(t, storeapi.ClientOptions{BaseURL: server.URL})
	for range 2 {
		records := storetest.Records(0, 2, "")
		if err := client.Commit(t.Context(), records); err != nil || records[0].RepeatOf != "" {
			t.Errorf("Commit = %v, repeat of %q", err, records[0].RepeatOf)
		}
	}
	_, findErr := client.Find(t.Context(), detection.Query{}, 0, 1)
	_, followErr := client.Follow(t.Context(), 0, 1, time.Hour)
	_, lastErr := client.Last(t.Context())
	_, trailErr := client.Trail(t.Context(), storetest.ID(0))
	for name, err := range map[string]error{"Find": findErr, "Follow": followErr, "Last": lastErr, "Trail": trailErr} {
		var said *detection.Error
		if !errors.As(err, &said) || said.Code != detection.CodeUnavailable || !strings.Contains(said.Message, "older release") ||
			!errors.Is(err, detection.ErrUnavailable) {
			t.Errorf("%s = %v, want unavailable, because the store is of an older release", name, err)
		}
	}
}

// TestACountThatDoesNotFitIsNoAnswer: who was repeated must not be guessed.
func TestACountThatDoesNotFitIsNoAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"repeats":["x"]}`))
	}))
	t.Cleanup(server.Close)
	client := newClient(t, storeapi.ClientOptions{BaseURL: server.URL})
	if err := client.Commit(t.Context(), storetest.Records(0, 2, "")); !errors.Is(err, detection.ErrUnavailable) {
		t.Errorf("Commit = %v, want ErrUnavailable", err)
	}
	records := storetest.Records(0, 1, "") // positive control
	if err := client.Commit(t.Context(), records); err != nil || records[0].RepeatOf != "x" {
		t.Errorf("Commit = %v, repeat of %q", err, records[0].RepeatOf)
	}
}

// TestFollowersLeaveRoom lets followers wait at a store that works on one call at a time, behind a server with the short
// time-outs of small calls. A stop lets them go.
func TestFollowersLeaveRoom(t *testing.T) {
	store := openStore(t)
	server := httptest.NewUnstartedServer(storeapi.NewServer(storeapi.ServerOptions{
		Store: store, Catalogue: store, Token: token, MaxInFlight: 1, Timeout: time.Second,
	}))
	server.Config.WriteTimeout = 500 * time.Millisecond
	server.Start()
	t.Cleanup(server.Close)
	client := newClient(t, storeapi.ClientOptions{BaseURL: server.URL, Timeout: time.Second})
	began := time.Now()
	if got, err := client.Follow(t.Context(), 0, 10, 1500*time.Millisecond); err != nil || len(got) > 0 || time.Since(began) < 1490*time.Millisecond {
		t.Errorf("Follow = %d entries, %v after %v", len(got), err, time.Since(began))
	}
	const followers = 8
	results := make(chan error, followers)
	for range followers {
		go func() {
			got, err := client.Follow(context.Background(), 0, 10, time.Hour)
			if err == nil && len(got) > 0 {
				err = errors.New("something came")
			}
			results <- err
		}()
	}
	for range 3 { // calls go on
		if _, err := client.Last(t.Context()); err != nil {
			t.Errorf("Last beside followers = %v", err)
		}
	}
	store.StopFollowing()
	for range followers {
		if err := <-results; err != nil {
			t.Errorf("a follower of a store that stops: %v", err)
		}
	}
}

func TestAFollowersContextEndsTheWait(t *testing.T) {
	store := openStore(t)
	client := newClient(t, storeapi.ClientOptions{BaseURL: serve(t, storeapi.ServerOptions{Store: store, Catalogue: store}).URL})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := client.Follow(ctx, 0, 1, time.Hour); !errors.Is(err, detection.ErrUnavailable) || time.Since(began) > 10*time.Second {
		t.Errorf("Follow = %v after %v", err, time.Since(began))
	}
}
