// Package server wires the roles: the only place that knows every other package, and no rule of its own.
package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/detection-api/detection-api/app/internal/backup"
	"github.com/detection-api/detection-api/app/internal/cot"
	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/httpapi"
	"github.com/detection-api/detection-api/app/internal/relay"
	"github.com/detection-api/detection-api/app/internal/sqlite"
	"github.com/detection-api/detection-api/app/internal/storeapi"
)

// errDraining is why a role that stops is not ready.
var errDraining = &detection.Error{Code: detection.CodeUnavailable, Message: "stopping; it takes what still arrives"}

// Server is one running role.
type Server struct {
	common   Common
	endpoint *endpoint
	closers  closers
}

// Addr is the address it listens on.
func (s *Server) Addr() string { return s.endpoint.listener.Addr().String() }

// Run serves until ctx ends, then answers what is under way, hands over and closes. A second call is not possible.
func (s *Server) Run(ctx context.Context) error {
	served := s.endpoint.serve(ctx, s.common.Logger, s.common.DrainDelay)
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.common.ShutdownTimeout)
	defer cancel()
	// Half of the time is kept for the hand-over: one slow client must not cost what only this pod has.
	answering, cancelAnswering := context.WithTimeout(stopping, s.common.ShutdownTimeout/2)
	defer cancelAnswering()
	if s.common.DrainDelay > 0 {
		s.endpoint.settle(answering, s.common.Logger)
	}
	return errors.Join(served, s.endpoint.shutdown(answering), s.closers.closeAll(stopping))
}

// bind takes the address first: whoever else has it is found out before a database is opened.
func (s *Server) bind() error {
	var err error
	if s.endpoint, err = listen(s.common.ListenAddr); err != nil {
		return err
	}
	s.closers.push("the listener", ignoreContext(s.endpoint.close))
	return nil
}

// giveUp closes what a failed start has opened.
func (s *Server) giveUp() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.common.ShutdownTimeout)
	defer cancel()
	return s.closers.closeAll(ctx)
}

// NewServe wires the serve role and binds its address. It accepts requests when Run is called.
func NewServe(ctx context.Context, cfg ServeConfig) (*Server, error) {
	s := &Server{common: cfg.Common}
	if err := s.wireServe(ctx, cfg); err != nil {
		return nil, errors.Join(err, s.giveUp())
	}
	return s, nil
}

func (s *Server) wireServe(ctx context.Context, cfg ServeConfig) error {
	if err := s.bind(); err != nil {
		return err
	}
	registry := newRegistry()
	store, queue, err := s.openRecord(ctx, cfg, registry)
	if err != nil {
		return err
	}
	dialer, err := takDialer(cfg, registry)
	if err != nil {
		return err
	}
	encoder := cot.Encoder{Stale: cfg.CoTStale, Profile: cfg.CoTProfile}
	relaying := relay.Options{
		Queue: queue, Store: store, Dial: dial(dialer), Encode: encoder.Encode, Owner: cfg.PodName,
		Lease: cfg.Lease, StoreTimeout: cfg.StoreTimeout, BacklogRate: cfg.BacklogRate, ExpireAfter: cfg.TAKExpireAfter,
		Logger: cfg.Logger, Registerer: registry, Now: cfg.Now,
	}
	if cfg.Tracks != nil {
		relaying.Series, relaying.SeriesEvery = seriesOf, cfg.TrackEvery
	}
	if cfg.CoTCameras > 0 {
		relaying.Camera, relaying.CameraEvery = encoder.Camera, cfg.CoTCameras
	}
	journal := relay.New(relaying)
	s.closers.push("the relay", journal.Stop)
	pipeline := &detection.Pipeline{
		Encode: encoder.Encode, Journal: journal, Now: cfg.Now,
		Get: finder{store: store, queue: queue}.Get,
	}
	if pipeline.Locator, err = locator(cfg, registry); err != nil {
		return err
	}
	if pipeline.Track, err = s.tracking(cfg, store, registry); err != nil {
		return err
	}
	api := s.apiOptions(cfg, registry)
	if api.Pictures, err = s.pictureKeeper(cfg, registry); err != nil {
		return err
	}
	api.Ingestor, api.Batch, api.Retractor = pipeline, pipeline, pipeline
	api.Finder, api.Catalogue = finder{store: store, queue: queue}, store
	api.Encode = func(d detection.Detection) ([]byte, error) { return encoder.Encode(d, cfg.Now()) }
	api.Ready = func() httpapi.Readiness { return s.readiness(cfg.Slot, queue, journal) }
	api.TAKStatus = statusOfTAK(dialer, journal)
	s.endpoint.use(httpapi.NewServer(httpapi.New(api), cfg.Logger))
	return nil
}

// apiOptions is what the API is told by the configuration alone.
func (s *Server) apiOptions(cfg ServeConfig, registry *prometheus.Registry) httpapi.Options {
	return httpapi.Options{
		Logger: cfg.Logger, Registerer: registry, Gatherer: registry, Now: cfg.Now,
		MaxBodyBytes: cfg.MaxBodyBytes, TargetWait: cfg.TargetWait, SubjectRate: cfg.SubjectRate,
		ReadRate: cfg.ReadRate, TokenRate: cfg.TokenRate, MaxStreams: cfg.MaxStreams, MaxBatchItems: cfg.MaxBatchItems,
		Authenticate: func(bearer string) (httpapi.Identity, error) {
			identity, err := cfg.Keys.Verify(bearer, cfg.Now())
			return identityOf(identity), err
		},
		Issue:    issuer(cfg),
		Stopping: s.endpoint.stopping,
	}
}

// record is where detections are kept and looked through.
type record interface {
	detection.Store
	detection.Catalogue
}

// openRecord opens the store, or the way to it, and this pod's queue.
func (s *Server) openRecord(ctx context.Context, cfg ServeConfig, registry *prometheus.Registry) (record, *sqlite.Queue, error) {
	store, err := s.openStore(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	queue, err := sqlite.OpenQueue(ctx, sqlite.QueueOptions{Options: cfg.sqliteOptions(), MaxBytes: cfg.QueueMaxBytes})
	if err != nil {
		return nil, nil, fmt.Errorf("open the queue: %w", err)
	}
	s.closers.push("the queue", ignoreContext(queue.Close))
	if cfg.StoreURL == "" {
		registerStats(registry, store, cfg.Logger)
		registerBackup(registry, &backup.Memory{Dir: cfg.DataDir, Now: cfg.Now})
	}
	registerSetAside(registry, queue)
	cfg.checkMemory(databasesOf(cfg))
	return store, queue, nil
}

// openStore connects to the store role, or opens a store of this process's own.
func (s *Server) openStore(ctx context.Context, cfg ServeConfig) (record, error) {
	if cfg.StoreURL == "" {
		store, err := sqlite.OpenStore(ctx, sqlite.StoreOptions{Options: cfg.sqliteOptions(), Retention: cfg.Retention})
		if err != nil {
			return nil, fmt.Errorf("open the store: %w", err)
		}
		s.closers.push("the store", ignoreContext(store.Close))
		return store, nil
	}
	client, err := storeapi.NewClient(storeapi.ClientOptions{
		BaseURL: cfg.StoreURL, Token: cfg.StoreToken,
		Timeout: cfg.StoreTimeout,
	})
	if err != nil {
		return nil, fmt.Errorf("connect to the store: %w", err)
	}
	s.closers.push("the store's client", ignoreContext(client.Close))
	return client, nil
}

// readiness says whether this pod can accept work. A store or TAK that is away is told, and is no reason to send clients
// elsewhere: elsewhere is no better.
func (s *Server) readiness(slot string, queue *sqlite.Queue, journal *relay.Relay) httpapi.Readiness {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state := journal.State()
	parts := map[string]httpapi.Part{
		"queue": {
			State:  "ok",
			Detail: fmt.Sprintf("%d owed to TAK, %d not in the store yet", state.Queue.Undelivered, state.Queue.Unstored),
		},
		"store": {State: state.Store},
		"tak":   {State: state.TAK},
	}
	err := queue.Ready(ctx)
	if err != nil {
		parts["queue"] = httpapi.Part{State: string(detection.CodeOf(err)), Detail: "the queue cannot take detections"}
	}
	draining := s.endpoint.draining.Load()
	if draining {
		parts["server"] = httpapi.Part{State: "draining"}
	}
	return httpapi.Readiness{Ready: err == nil && !draining, Slot: slot, Parts: parts}
}

func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

func (c Common) sqliteOptions() sqlite.Options {
	minFree := c.MinFreeBytes
	if minFree == 0 {
		minFree = -1 // 0 would mean the default there
	}
	return sqlite.Options{
		Dir: c.DataDir, MinFreeBytes: minFree, AllowNetworkFileSystem: c.AllowNetworkFileSystem,
		Now: c.Now, Logger: c.Logger, Fatal: c.Fatal,
	}
}

// NewStore wires the store role and binds its address. It accepts requests when Run is called.
func NewStore(ctx context.Context, cfg StoreConfig) (*Server, error) {
	s := &Server{common: cfg.Common}
	if err := s.wireStore(ctx, cfg); err != nil {
		return nil, errors.Join(err, s.giveUp())
	}
	return s, nil
}

func (s *Server) wireStore(ctx context.Context, cfg StoreConfig) error {
	if err := s.bind(); err != nil {
		return err
	}
	store, err := sqlite.OpenStore(ctx,
		sqlite.StoreOptions{Options: cfg.sqliteOptions(), RestartGrace: cfg.RestartGrace, Retention: cfg.Retention})
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	s.closers.push("the store", ignoreContext(store.Close))
	registry := newRegistry()
	registerStats(registry, store, cfg.Logger)
	cfg.checkMemory(1)
	memory := &backup.Memory{Dir: cfg.DataDir, Now: cfg.Now}
	registerBackup(registry, memory)
	handler := storeapi.NewServer(storeapi.ServerOptions{
		Store: store, Token: cfg.Token, Logger: cfg.Logger, Gatherer: registry,
		Ready: func(ctx context.Context) error {
			if s.endpoint.draining.Load() {
				return errDraining
			}
			return store.Ready(ctx)
		},
		Operations: store, Catalogue: store, Copy: copier(store, cfg.Version),
		Verified: func(_ context.Context, b storeapi.Backup) error { return memory.Remember(b) },
	})
	s.endpoint.use(httpapi.NewServer(handler, cfg.Logger))
	s.endpoint.http.RegisterOnShutdown(store.StopCopies)
	s.endpoint.http.RegisterOnShutdown(store.StopFollowing)
	return nil
}
