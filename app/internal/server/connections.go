package server

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// connections knows which connections of an HTTP server are open and what they are at.
type connections struct {
	mu   sync.Mutex
	open map[net.Conn]http.ConnState
	came uint64 // connections and requests so far
}

// changed is the server's ConnState hook.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateClosed, http.StateHijacked:
		delete(c.open, conn)
		return
	case http.StateNew, http.StateActive:
		c.came++
	}
	if c.open == nil {
		c.open = map[net.Conn]http.ConnState{}
	}
	c.open[conn] = state
}

// waitForQuiet returns when nothing has come in for that many looks in a row, or ctx ends. It counts looks and not time,
// because a machine that stood still for a while has not looked.
func (c *connections) waitForQuiet(ctx context.Context, looks int, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for seen, quiet := c.comings(), 0; quiet < looks; quiet++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if now := c.comings(); now != seen {
			seen, quiet = now, -1
		}
	}
}

func (c *connections) comings() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.came
}

// closeUnused closes the connections on which no request is under way.
func (c *connections) closeUnused() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn, state := range c.open {
		if state != http.StateActive {
			_ = conn.Close() // the server sees it and forgets the connection
		}
	}
}
