package storeapi_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/detection/storetest"
	"github.com/detection-api/detection-api/app/internal/sqlite"
	"github.com/detection-api/detection-api/app/internal/storeapi"
)

const token = "a-token-of-tests"

func newClient(t testing.TB, opts storeapi.ClientOptions) *storeapi.Client {
	t.Helper()
	if opts.Token == "" {
		opts.Token = token
	}
	c, err := storeapi.NewClient(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestClientConformance(t *testing.T) {
	storetest.RunStore(t, func(t *testing.T, now func() time.Time) *storetest.StoreUnderTest {
		opts := sqlite.StoreOptions{Options: sqlite.Options{Dir: t.TempDir(), Now: now}}
		var (
			current *sqlite.Store
			handler atomic.Pointer[http.Handler]
		)
		open := func() {
			var err error
			if current, err = sqlite.OpenStore(t.Context(), opts); err != nil {
				t.Fatal(err)
			}
			h := storeapi.NewServer(storeapi.ServerOptions{Store: current, Operations: current, Catalogue: current, Token: token})
			handler.Store(&h)
		}
		open()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*handler.Load()).ServeHTTP(w, r) }))
		t.Cleanup(func() {
			server.Close()
			_ = current.Close()
		})
		client := newClient(t, storeapi.ClientOptions{BaseURL: server.URL + "/", Timeout: 10 * time.Second})
		return &storetest.StoreUnderTest{
			Store: client, Operations: client, Catalogue: client,
			Restart: func() {
				if err := current.Close(); err != nil {
					t.Error(err)
				}
				open()
			},
		}
	})
}

// fake is a store whose Commit a test decides; nothing else is called.
type fake struct {
	detection.Store
	commit func(ctx context.Context, records []detection.Record) error
}

func (f fake) Commit(ctx context.Context, records []detection.Record) error {
	return f.commit(ctx, records)
}

func serve(t testing.TB, opts storeapi.ServerOptions) *httptest.Server {
	t.Helper()
	if opts.Token == "" {
		opts.Token = token
	}
	server := httptest.NewServer(storeapi.NewServer(opts))
	t.Cleanup(server.Close)
	return server
}

func TestErrorsCrossTheNetwork(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want error
		code detection.Code
	}{
		{"full", fmt.Errorf("commit: %w", detection.ErrFull), detection.ErrFull, detection.CodeStorageFull},
		{"unavailable", fmt.Errorf("commit: %w", detection.ErrUnavailable), detection.ErrUnavailable, detection.CodeUnavailable},
		{"not found", detection.ErrNotFound, detection.ErrNotFound, detection.CodeNotFound},
		{"invalid", detection.Invalid("records[0]", "is odd"), nil, detection.CodeInvalidField},
		{"anything else may heal", errors.New("secret detail"), detection.ErrUnavailable, detection.CodeUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := serve(t, storeapi.ServerOptions{Store: fake{commit: func(context.Context, []detection.Record) error { return c.err }}})
			got := newClient(t, storeapi.ClientOptions{BaseURL: server.URL}).Commit(t.Context(), storetest.Records(0, 1, ""))
			if detection.CodeOf(got) != c.code || c.want != nil && !errors.Is(got, c.want) {
				t.Errorf("Commit = %v, want code %s", got, c.code)
			}
			if strings.Contains(got.Error(), "secret") {
				t.Errorf("Commit = %v tells what should stay in the store's log", got)
			}
		})
	}
}

func TestAStoreThatIsAway(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() // it accepts and never answers
	closed := httptest.NewServer(nil)
	closed.Close()
	foreign := httptest.NewServer(http.NotFoundHandler())
	defer foreign.Close()
	for name, url := range map[string]string{
		"silent": "http://" + listener.Addr().String(), "closed": closed.URL, "something else": foreign.URL,
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, storeapi.ClientOptions{BaseURL: url, Timeout: 50 * time.Millisecond})
			_, getErr := client.Get(t.Context(), "x")
			for what, err := range map[string]error{
				"Commit": client.Commit(t.Context(), storetest.Records(0, 1, "")),
				"Renew":  client.Renew(t.Context(), "pod-a", time.Second),
				"Get":    getErr,
			} {
				if !errors.Is(err, detection.ErrUnavailable) {
					t.Errorf("%s = %v, want ErrUnavailable", what, err)
				}
			}
		})
	}
}

// TestARestartedStoreIsFound restarts the server on the same address, as a Service shows a new pod: kept connections are
// dead, and the first call after that must succeed.
func TestARestartedStoreIsFound(t *testing.T) {
	handler := storeapi.NewServer(storeapi.ServerOptions{Token: token, Store: fake{commit: func(context.Context, []detection.Record) error { return nil }}})
	server := httptest.NewServer(handler)
	client := newClient(t, storeapi.ClientOptions{BaseURL: server.URL})
	for round := range 5 {
		if err := client.Commit(t.Context(), storetest.Records(0, 1, "")); err != nil {
			t.Fatalf("round %d: Commit = %v", round, err)
		}
		addr := server.Listener.Addr().String()
		server.CloseClientConnections()
		server.Close()
		if round == 2 { // in some rounds a call meets nobody
			if err := client.Commit(t.Context(), storetest.Records(0, 1, "")); !errors.Is(err, detection.ErrUnavailable) {
				t.Errorf("Commit to nobody = %v, want ErrUnavailable", err)
			}
		}
		listener, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		server = &httptest.Server{Listener: listener, Config: &http.Server{Handler: handler}}
		server.Start()
	}
	server.Close()
}

func TestConcurrentCommitsTravelTogether(t *testing.T) {
	const callers = 200
	var requests, inFlight, most, records atomic.Int64
	entered, hold := make(chan struct{}, callers), make(chan struct{})
	server := serve(t, storeapi.ServerOptions{Store: fake{commit: func(_ context.Context, group []detection.Record) error {
		requests.Add(1)
		records.Add(int64(len(group)))
		now := inFlight.Add(1)
		for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
		}
		entered <- struct{}{}
		<-hold
		inFlight.Add(-1)
		return nil
	}}})
	client := newClient(t, storeapi.ClientOptions{BaseURL: server.URL, Timeout: time.Minute})
	var all sync.WaitGroup
	for n := range callers {
		all.Go(func() {
			if err := client.Commit(t.Context(), storetest.Records(n, n+1, "")); err != nil {
				t.Errorf("Commit: %v", err)
			}
		})
	}
	for range 4 { // four requests are on their way, whoever else comes waits
		<-entered
	}
	close(hold)
	all.Wait()
	if got := requests.Load(); got > callers/2 || records.Load() != callers {
		t.Errorf("%d records in %d requests, want %d in far fewer", records.Load(), got, callers)
	}
	if most.Load() != 4 {
		t.Errorf("%d requests at once, want 4", most.Load())
	}
}

func TestTheServerKnowsTheClientsDeadline(t *testing.T) {
	left := make(chan time.Duration, 1)
	server := serve(t, storeapi.ServerOptions{Store: fake{commit: func(ctx context.Context, _ []detection.Record) error {
		deadline, _ := ctx.Deadline()
		left <- time.Until(deadline)
		return nil
	}}})
	client := newClient(t, storeapi.ClientOptions{BaseURL: server.URL, Timeout: 3 * time.Second})
	if err := client.Commit(t.Context(), storetest.Records(0, 1, "")); err != nil {
		t.Fatal(err)
	}
	if got := <-left; got > 3*time.Second || got < time.Second {
		t.Errorf("the store had %v, want the client's 3 s", got)
	}
}

// BenchmarkCommit is the store behind HTTP on loopback with 64 callers.
func BenchmarkCommit(b *testing.B) {
	store, err := sqlite.OpenStore(b.Context(), sqlite.StoreOptions{Options: sqlite.Options{Dir: b.TempDir()}})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	client := newClient(b, storeapi.ClientOptions{BaseURL: serve(b, storeapi.ServerOptions{Store: store}).URL})
	var next atomic.Int64
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n := int(next.Add(1))
			if err := client.Commit(context.Background(), storetest.Records(n, n+1, "pod-a")); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
