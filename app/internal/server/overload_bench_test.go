package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/detection-api/detection-api/app/internal/cot"
	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
	"github.com/detection-api/detection-api/app/internal/httpapi"
	"github.com/detection-api/detection-api/app/internal/server"
	"github.com/detection-api/detection-api/app/internal/sqlite"
)

// wire posts the same detection over a connection of its own, with as little work as possible: the load and the service
// share the cores.
type wire struct {
	conn    net.Conn
	reader  *bufio.Reader
	request []byte
}

func dialWire(b *testing.B, addr, bearer string) *wire {
	b.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	request := fmt.Sprintf("POST /api/v1/detections HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", bearer, len(sample), sample)
	return &wire{conn: conn, reader: bufio.NewReader(conn), request: []byte(request)}
}

func (w *wire) post() (status int, retryAfter string, err error) {
	if _, err := w.conn.Write(w.request); err != nil {
		return 0, "", err
	}
	response, err := http.ReadResponse(w.reader, nil)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, response.Header.Get("Retry-After"), err
}

// volley is what came of the requests of one run.
type volley struct {
	good, late, refused, silent int
	latencies                   []time.Duration // of what was accepted, from the intended time on
	rssBytes                    int64
}

// fire sends over all connections at a fixed rate, each request at its own time whatever became of the others, and without
// a rate as fast as there are answers.
func fire(b *testing.B, wires []*wire, perSecond float64, duration time.Duration) (v volley) {
	b.Helper()
	var mu sync.Mutex
	var done sync.WaitGroup
	var next atomic.Int64
	start := time.Now()
	for _, w := range wires {
		done.Go(func() {
			for {
				intended := time.Now()
				if perSecond > 0 {
					intended = start.Add(time.Duration(float64(next.Add(1)) / perSecond * float64(time.Second)))
				}
				if intended.Sub(start) > duration {
					return
				}
				<-time.After(time.Until(intended))
				status, retryAfter, err := w.post()
				if err != nil {
					b.Error(err)
					return
				}
				mu.Lock()
				v.count(status, retryAfter, time.Since(intended))
				mu.Unlock()
			}
		})
	}
	<-time.After(duration * 9 / 10)
	rss := residentBytes(b)
	done.Wait()
	slices.Sort(v.latencies)
	v.rssBytes = rss
	return v
}

func (v *volley) count(status int, retryAfter string, took time.Duration) {
	const patience = 2 * time.Second
	switch {
	case status != http.StatusCreated:
		v.refused++
		if retryAfter == "" {
			v.silent++
		}
		return
	case took > patience:
		v.late++
	default:
		v.good++
	}
	v.latencies = append(v.latencies, took)
}

func (v *volley) p99() time.Duration {
	if len(v.latencies) == 0 {
		return 0
	}
	return v.latencies[len(v.latencies)*99/100]
}

func residentBytes(b *testing.B) int64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	kib, err := strconv.ParseInt(string(regexp.MustCompile(`VmRSS:\s+(\d+)`).FindSubmatch(text)[1]), 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib << 10
}

// seekTime makes any disk as slow as a hard disk.
const seekTime = 8 * time.Millisecond

// oneByOne commits each detection by itself to a slow disk, so that the disk is the limit and not the cores, which the load
// needs as well.
type oneByOne struct {
	mu    sync.Mutex
	store *sqlite.Store
}

func (j *oneByOne) Accept(ctx context.Context, d detection.Detection) (detection.Durability, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	<-time.After(seekTime)
	return detection.InStore, j.store.Commit(ctx, []detection.Record{{Detection: d}})
}

// overloadRig serves the API over the store with nothing between them, and returns its address.
func overloadRig(b *testing.B, cfg server.ServeConfig) string {
	b.Helper()
	store, err := sqlite.OpenStore(context.Background(), sqlite.StoreOptions{Options: sqlite.Options{Dir: cfg.DataDir, Now: time.Now}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { store.Close() })
	registry := prometheus.NewRegistry()
	s := httptest.NewServer(httpapi.New(httpapi.Options{
		Logger: cfg.Logger, Registerer: registry, Gatherer: registry, TargetWait: cfg.TargetWait, MinInProgress: 16,
		Authenticate: func(bearer string) (string, error) { return cfg.Key.Verify(bearer, time.Now()) },
		Ingestor: &detection.Pipeline{
			Locator: detection.Locator{Sigmas: geo.DefaultSigmas(), Thresholds: cfg.Thresholds},
			Encode:  cot.Encoder{Stale: time.Minute}.Encode, Journal: &oneByOne{store: store}, Now: time.Now,
		},
	}))
	b.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// BenchmarkOverload offers five times what a slow disk takes one by one, with the limit and without it.
func BenchmarkOverload(b *testing.B) {
	const clients, duration = 1000, 3 * time.Second
	for _, targetWait := range []time.Duration{500 * time.Millisecond, 0} {
		b.Run("target-wait="+targetWait.String(), func(b *testing.B) {
			cfg := serveConfig(b, b.TempDir())
			cfg.TargetWait = targetWait
			addr, bearer := overloadRig(b, cfg), newClient(b, cfg, "").bearer
			var wires []*wire
			for range clients {
				wires = append(wires, dialWire(b, addr, bearer))
			}
			b.ResetTimer()
			for range b.N {
				capacity := float64(fire(b, wires[:64], 0, duration).good) / duration.Seconds()
				normal := fire(b, wires, capacity, duration)
				over := fire(b, wires, 5*capacity, duration)
				b.ReportMetric(capacity, "capacity/s")
				b.ReportMetric(float64(over.good)/float64(max(1, normal.good)), "goodput-5x/1x")
				b.ReportMetric(float64(over.late), "late-at-5x")
				b.ReportMetric(float64(over.refused), "refused-at-5x")
				b.ReportMetric(float64(over.silent+normal.silent), "without-Retry-After")
				b.ReportMetric(normal.p99().Seconds()*1000, "p99-ms-at-1x")
				b.ReportMetric(over.p99().Seconds()*1000, "p99-ms-at-5x")
				b.ReportMetric(float64(over.rssBytes)/float64(normal.rssBytes), "rss-5x/1x")
			}
		})
	}
}
