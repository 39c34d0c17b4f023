package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// BenchmarkStore prints durable rows per second of callers who commit one record each, beside the rate of a bare 4 KiB append
// with fdatasync in the same directory. The two alternate in short windows, because a shared disk changes from second to
// second; "x-fdatasync" is the ratio of the rates. The control is a single caller: with nobody to share a sync, the ratio must be
// small (not 1: the log is written in place, which costs the file system less than an append).
func BenchmarkStore(b *testing.B) {
	for _, c := range []struct {
		synchronous string
		callers     int
	}{{syncFull, 64}, {"NORMAL", 64}, {syncFull, 1}} {
		b.Run(fmt.Sprintf("%s/%d", c.synchronous, c.callers), func(b *testing.B) { benchmarkStore(b, c.synchronous, c.callers) })
	}
}

func benchmarkStore(b *testing.B, synchronous string, callers int) {
	const window = 500 * time.Millisecond
	dir := b.TempDir()
	s, err := OpenStore(b.Context(), StoreOptions{Options: Options{Dir: dir, synchronous: synchronous}})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	pool := openWriters(s.file.path, synchronous)
	defer pool.Close()
	aside, err := pin(b.Context(), pool, synchronous)
	if err != nil {
		b.Fatal(err)
	}
	defer aside.Close()
	var next, rows, syncs atomic.Int64
	var storing time.Duration
	b.ResetTimer()
	for b.Loop() {
		start := time.Now()
		done := make(chan error, callers)
		for range callers {
			go func() {
				for time.Since(start) < window {
					if err := s.Commit(context.Background(), []detection.Record{record(int(next.Add(1)))}); err != nil {
						done <- err
						return
					}
					rows.Add(1)
				}
				done <- nil
			}()
		}
		for range callers {
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		}
		// What is left to carry over is the store's own cost, and must not slow the raw disk's window down.
		if _, _, err := checkpoint(b.Context(), aside, "PASSIVE"); err != nil {
			b.Fatal(err)
		}
		storing += time.Since(start)
		syncs.Add(appendAndSync(b, dir, window))
	}
	rowRate := float64(rows.Load()) / storing.Seconds()
	syncRate := float64(syncs.Load()) / (time.Duration(b.N) * window).Seconds()
	b.ReportMetric(rowRate, "rows/s")
	b.ReportMetric(syncRate, "fdatasync/s")
	b.ReportMetric(rowRate/syncRate, "x-fdatasync")
	b.ReportMetric(0, "ns/op")
}

// appendAndSync is the raw disk: how often in a window 4 KiB can be appended and synced, one after the other.
func appendAndSync(b *testing.B, dir string, window time.Duration) (count int64) {
	f, err := os.OpenFile(filepath.Join(dir, "raw"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 4096)
	for deadline := time.Now().Add(window); time.Now().Before(deadline); count++ {
		if _, err := f.Write(page); err != nil {
			b.Fatal(err)
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
	}
	return count
}

// record is a detection of realistic size with an id that sorts by n.
func record(n int) detection.Record {
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Millisecond)
	return detection.Record{Deliver: true, Owner: "pod-a", Detection: detection.Detection{
		ID: fmt.Sprintf("01900000-0000-7000-8000-%012d", n), ReceivedAt: at, SeenAt: at.Add(-time.Second),
		ObjectClass: "vehicle", AIConfidence: 0.91, Source: "uav-7", CameraID: "cam-1", PixelX: 960.5, PixelY: 540.25,
		ReportedBy: "tester",
	}}
}

func TestRecordIsOfRealisticSize(t *testing.T) {
	body, err := json.Marshal(record(1).Detection)
	if err != nil || len(body) < 500 || len(body) > 2000 {
		t.Errorf("a test record is %d bytes of JSON (%v), want 500 to 2000", len(body), err)
	}
}
