package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// endpoint is an address and the HTTP server for it, which is set before serve.
type endpoint struct {
	listener net.Listener
	http     *http.Server
}

// listen binds at once, so that the address is known and taken when it returns.
func listen(addr string) (*endpoint, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", addr, err)
	}
	return &endpoint{listener: l}, nil
}

// close frees the address of an endpoint that never served; after serve it does nothing.
func (e *endpoint) close() error {
	if err := e.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// serve answers requests until ctx ends and for the drain delay after that, in which connections are closed after their
// next answer, so that clients move on without an error.
func (e *endpoint) serve(ctx context.Context, log *slog.Logger, drainDelay time.Duration) error {
	failed := make(chan error, 1)
	go func() { failed <- e.http.Serve(e.listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	log.Info("draining", "delay", drainDelay.String())
	e.http.SetKeepAlivesEnabled(false)
	select {
	case <-time.After(drainDelay):
		return nil
	case err := <-failed:
		return fmt.Errorf("serve HTTP: %w", err)
	}
}

// shutdown takes no request any more and waits for the answers that are under way until ctx ends.
func (e *endpoint) shutdown(ctx context.Context) error {
	if err := e.http.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("answer the last requests: %w", err), e.http.Close())
	}
	return nil
}
