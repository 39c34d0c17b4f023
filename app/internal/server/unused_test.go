package server_test

import (
	"net"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/server"
)

// TestAnUnusedConnectionHoldsNothingUp opens a connection, sends nothing on it, and stops a service that does not drain: the
// last answers have less time than net/http waits for a connection to be used.
func TestAnUnusedConnectionHoldsNothingUp(t *testing.T) {
	cfg := serveConfig(t, t.TempDir())
	cfg.ShutdownTimeout = 6 * time.Second // the last answers have half of it
	s, err := server.NewServe(t.Context(), cfg)
	r := start(t, s, err)
	conn, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	eventually(t, "the service", func() bool { return ready(r.url) })
	if err := r.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}
