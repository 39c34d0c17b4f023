package server_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/server"
)

// lockedBuffer is a log that may be read while a handler that was cut off still writes to it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// TestASlowClientLeavesTimeForTheHandOver holds that an upload that never ends does not use up the time of the hand-over.
func TestASlowClientLeavesTimeForTheHandOver(t *testing.T) {
	var log lockedBuffer
	cfg := serveConfig(t, t.TempDir())
	cfg.ShutdownTimeout = 6 * time.Second // less than the time that a request may take to arrive
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	s, err := server.NewServe(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := newClient(t, cfg, "http://"+s.Addr())
	fmt.Fprintf(conn, "POST /api/v1/detections HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n", c.bearer)
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("the handler does not read: %q, %v", line, err)
	}
	cancel()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "answer the last requests") {
		t.Errorf("Run = %v, want that one request was not answered", err)
	}
	if strings.Contains(log.String(), "give up the lease") {
		t.Errorf("the hand-over had no time:\n%s", log.String())
	}
}
