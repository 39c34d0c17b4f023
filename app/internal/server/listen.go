package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// quietLooks at this interval without a request end the wait for those that are on their way after the drain delay.
	quietLooks    = 5
	quietInterval = 50 * time.Millisecond
	// maxQuietWait bounds that wait: a client that sends on an old connection just then gets no answer, as ever in HTTP/1.1.
	maxQuietWait = 2 * time.Second
)

// endpoint is an address and the HTTP server for it, which is set before serve.
type endpoint struct {
	listener    net.Listener
	http        *http.Server
	connections connections
	draining    atomic.Bool
	stopping    chan struct{} // closed when draining begins
}

// listen binds at once, so that the address is known and taken when it returns.
func listen(addr string) (*endpoint, error) {
	var config net.ListenConfig
	config.SetMultipathTCP(false) // its sockets take no filter, see ignoreNewConnections
	l, err := config.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", addr, err)
	}
	return &endpoint{listener: l, stopping: make(chan struct{})}, nil
}

// use sets the HTTP server. While the endpoint drains, each answer tells the client to close the connection: the client
// knows of no request on its way when it does, the server never can.
func (e *endpoint) use(s *http.Server) {
	next := s.Handler
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if e.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
	s.ConnState = e.connections.changed
	e.http = s
}

// close frees the address of an endpoint that never served; after serve it does nothing.
func (e *endpoint) close() error {
	if err := e.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// serve answers requests until ctx ends and for the drain delay after that, in which it is not ready any more and clients
// are told to close their connections. No connection is closed that an idle client may be sending on.
func (e *endpoint) serve(ctx context.Context, log *slog.Logger, drainDelay time.Duration) error {
	failed := make(chan error, 1)
	go func() { failed <- e.http.Serve(e.listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	log.Info("draining", "delay", drainDelay.String())
	e.draining.Store(true)
	close(e.stopping)
	select {
	case <-time.After(drainDelay):
		return nil
	case err := <-failed:
		return fmt.Errorf("serve HTTP: %w", err)
	}
}

// settle lets requests arrive that are on their way, and takes no connection beyond those that are being made.
func (e *endpoint) settle(ctx context.Context, log *slog.Logger) {
	wait := maxQuietWait
	if end, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(end)/2)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if err := ignoreNewConnections(e.listener); err != nil {
		log.Debug("new connections may be reset", "error", err)
	}
	e.connections.waitForQuiet(ctx, quietLooks, quietInterval)
	e.connections.closeUnused()
}

// unusedFor is how long a connection may be open at the end without a byte of a request. net/http waits 5 s for one, which
// may be more than the last answers have.
const unusedFor = time.Second

// shutdown takes no request any more and waits for the answers that are under way until ctx ends.
func (e *endpoint) shutdown(ctx context.Context) error {
	unused := time.AfterFunc(unusedFor, e.connections.closeUnused)
	defer unused.Stop()
	if err := e.http.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("answer the last requests: %w", err), e.http.Close())
	}
	return nil
}
