package subject

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/detection-api/detection-api/app/bench/peer"
	"github.com/detection-api/detection-api/app/internal/cot"
	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
	"github.com/detection-api/detection-api/app/internal/httpapi"
	"github.com/detection-api/detection-api/app/internal/relay"
	"github.com/detection-api/detection-api/app/internal/sqlite"
	"github.com/detection-api/detection-api/app/internal/tak"
	"github.com/detection-api/detection-api/app/internal/token"
)

// API is the serve role on a port of its own, with a store and a queue to choose. Its clients speak HTTP over loopback.
type API struct {
	Store *sqlite.Store // nil for the API that keeps nothing

	bearer string
	url    string
	client *http.Client
	close  []func() error
}

// defaultTargetWait is the default of the program.
const defaultTargetWait = 500 * time.Millisecond

// NewSlowAPI starts an API whose store keeps nothing and commits so many records a second, one after the other. targetWait
// is that of httpapi.Options.
func NewSlowAPI(_ context.Context, perSecond int, targetWait time.Duration) (*API, error) {
	a := &API{}
	handler, err := a.handler(&slowStore{every: time.Second / time.Duration(perSecond)}, peer.DiscardQueue{}, "", targetWait)
	if err == nil {
		err = a.listen(handler)
	}
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// slowStore gives each commit its turn.
type slowStore struct {
	peer.Discard
	every time.Duration

	mu   sync.Mutex
	free time.Time // when the last one that came will be done
}

func (s *slowStore) Commit(_ context.Context, records []detection.Record) error {
	s.mu.Lock()
	if now := time.Now(); s.free.Before(now) {
		s.free = now
	}
	s.free = s.free.Add(s.every * time.Duration(len(records)))
	turn := s.free
	s.mu.Unlock()
	time.Sleep(time.Until(turn)) // whoever waited so long is committed, also when the client has gone
	return nil
}

// NewAPI starts an API with store and queue in dir; with dir empty both keep nothing. With takAddr its events go to the
// TAK server there. Close it.
func NewAPI(ctx context.Context, dir, takAddr string) (*API, error) {
	a := &API{}
	if err := a.start(ctx, dir, takAddr); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *API) start(ctx context.Context, dir, takAddr string) error {
	var store detection.Store = peer.Discard{}
	var queue detection.Queue = peer.DiscardQueue{}
	if dir != "" {
		own, err := sqlite.OpenStore(ctx, sqlite.StoreOptions{Options: sqlite.Options{Dir: dir}})
		if err != nil {
			return err
		}
		a.Store, store, a.close = own, own, append(a.close, own.Close)
		items, err := sqlite.OpenQueue(ctx, sqlite.QueueOptions{Options: sqlite.Options{Dir: dir}})
		if err != nil {
			return err
		}
		queue, a.close = items, append(a.close, items.Close)
	}
	handler, err := a.handler(store, queue, takAddr, defaultTargetWait)
	if err != nil {
		return err
	}
	return a.listen(handler)
}

// handler wires what package server wires for the serve role.
func (a *API) handler(store detection.Store, queue detection.Queue, takAddr string, targetWait time.Duration) (http.Handler, error) {
	key, err := token.NewKey("made for one run of measurements: " + time.Now().String())
	if err != nil {
		return nil, err
	}
	if a.bearer, err = key.Mint("bench", time.Hour, time.Now()); err != nil {
		return nil, err
	}
	ring := token.Alone(key)
	registry, log, encoder := prometheus.NewRegistry(), slog.New(slog.DiscardHandler), cot.Encoder{}
	journal := relay.New(relay.Options{
		Queue: queue, Store: store, Dial: dial(takAddr), Encode: encoder.Encode, Owner: Owner,
		Lease: 30 * time.Second, StoreTimeout: 10 * time.Second, Logger: log, Registerer: registry, Now: time.Now,
	})
	a.close = append(a.close, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		return journal.Stop(ctx)
	})
	return httpapi.New(httpapi.Options{
		Logger: log, Registerer: registry, Gatherer: registry,
		TargetWait: targetWait,
		Authenticate: func(bearer string) (httpapi.Identity, error) {
			identity, err := ring.Verify(bearer, time.Now())
			return httpapi.Identity{Subject: identity.Subject, Roles: []httpapi.Role{httpapi.Ingest, httpapi.Read}}, err
		},
		Ingestor: &detection.Pipeline{
			Locator: detection.Locator{Sigmas: geo.DefaultSigmas(), Thresholds: geo.DefaultThresholds()},
			Encode:  encoder.Encode, Journal: journal, Now: time.Now,
		},
		Finder: store,
		Encode: func(d detection.Detection) ([]byte, error) { return encoder.Encode(d, time.Now()) },
	}), nil
}

func dial(addr string) func(context.Context) (relay.Link, error) {
	if addr == "" {
		return nil
	}
	return func(ctx context.Context) (relay.Link, error) {
		return tak.Dial(ctx, tak.Options{
			Addr: addr, Hello: func() []byte { return cot.Hello("bench", "bench", time.Now()) },
			Ping:   func() []byte { return cot.Ping("bench", time.Now()) },
			IsPong: cot.IsPong, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		})
	}
}

func (a *API) listen(handler http.Handler) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := httpapi.NewServer(handler, slog.New(slog.DiscardHandler))
	go func() { _ = s.Serve(listener) }()
	transport := &http.Transport{MaxIdleConns: 2048, MaxIdleConnsPerHost: 2048}
	a.url, a.client = "http://"+listener.Addr().String()+"/api/v1/detections", &http.Client{Transport: transport}
	a.close = append(a.close, func() error {
		transport.CloseIdleConnections()
		return s.Shutdown(context.Background())
	})
	return nil
}

// Close ends the API, what it delivers, and its databases.
func (a *API) Close() error {
	var errs []error
	for i := len(a.close) - 1; i >= 0; i-- {
		errs = append(errs, a.close[i]())
	}
	a.close = nil
	return errors.Join(errs...)
}

// Post reports one detection and returns nil when it is accepted into the store.
func (a *API) Post(ctx context.Context) error {
	// At another place in the pixel each time: the same one is a repetition. One coordinate has only 2^32 places in a thousandth
	// of a pixel: in 70,000 reports two would be the same.
	place := fmt.Sprintf(`"pixel_x":%v,"pixel_y":%v,`, 2000+rand.Float64()/1000, 1500+rand.Float64()/1000)
	body := strings.Replace(Body, `"pixel_x":2000,"pixel_y":1500,`, place, 1)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+a.bearer)
	response, err := a.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil { // so that the connection is used again
		return err
	}
	if response.StatusCode != http.StatusCreated {
		return &RefusedError{Status: response.StatusCode, RetryAfter: response.Header.Get("Retry-After")}
	}
	return nil
}

// RefusedError is another answer than 201.
type RefusedError struct {
	Status     int
	RetryAfter string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the API answers %d, Retry-After %q", e.Status, e.RetryAfter)
}
