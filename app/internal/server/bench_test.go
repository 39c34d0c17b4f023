package server_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/server"
)

// BenchmarkDurablePost measures POST /api/v1/detections over loopback HTTP with 64 clients, store and queue on one disk,
// beside what the same disk does in 4 KiB appends with fdatasync in the same run. Client and server share the cores.
func BenchmarkDurablePost(b *testing.B) {
	const clients = 64
	dir := b.TempDir()
	syncs := fdatasyncRate(b, dir)
	cfg := serveConfig(b, dir)
	s, err := server.NewServe(b.Context(), cfg)
	c := newClient(b, cfg, start(b, s, err).url)
	c.post(sample) // connections, page cache
	var left atomic.Int64
	left.Store(int64(b.N))
	var workers sync.WaitGroup
	b.ResetTimer()
	for range clients {
		workers.Go(func() {
			for left.Add(-1) >= 0 {
				response, err := c.send(sample)
				if err != nil {
					b.Error(err)
					return
				}
				io.Copy(io.Discard, response.Body) // so that the connection is used again
				response.Body.Close()
				if response.StatusCode != http.StatusCreated {
					b.Errorf("status %d", response.StatusCode)
					return
				}
			}
		})
	}
	workers.Wait()
	b.StopTimer()
	rate := float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "posts/s")
	b.ReportMetric(syncs, "fdatasyncs/s")
	b.ReportMetric(rate/syncs, "posts/fdatasync")
}

// fdatasyncRate is how often a second a file in dir can be appended to and synced, measured for half a second.
func fdatasyncRate(b *testing.B, dir string) float64 {
	b.Helper()
	f, err := os.Create(filepath.Join(dir, "fdatasync"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 4096)
	start, n := time.Now(), 0
	for ; time.Since(start) < 500*time.Millisecond; n++ {
		if _, err := f.Write(page); err != nil {
			b.Fatal(err)
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
	}
	return float64(n) / time.Since(start).Seconds()
}
