package terrain

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/detection-api/detection-api/app/internal/geo"
)

// TestCacheBound has room for three of nine tiles.
func TestCacheBound(t *testing.T) {
	dir := t.TempDir()
	for lon := range 9 {
		write(t, dir, fmt.Sprintf("N46E%03d.hgt", lon), hgt(46, lon, 121, hills))
	}
	limit := 3*(&tile{placement: placement{rows: 121, columns: 121}}).bytes() + 100
	m := open(t, Options{Dir: dir, CacheBytes: limit})
	visit := func(lon int) {
		if got, ok := msl(m, 46.5, float64(lon)+0.5); !ok || math.Abs(got-math.Round(hills(46.5, float64(lon)+0.5))) > 1e-6 {
			t.Errorf("longitude %d: %v, %v", lon, got, ok)
		}
		if m.cache.bytes > limit {
			t.Errorf("%d bytes, %d are the most", m.cache.bytes, limit)
		}
	}
	for _, lon := range []int{0, 1, 2, 0, 3, 0, 4, 0, 5, 0} {
		visit(lon)
	}
	if loads := m.cache.loads.Load(); loads != 6 {
		t.Errorf("%d loads; the tile that is always in use was dropped", loads)
	}
	for lon := range 9 {
		visit(lon)
	}
	if loads := m.cache.loads.Load(); loads < 12 {
		t.Errorf("%d loads: nothing was dropped", loads)
	}
}

// TestCacheSizes: what a tile is said to take is what it takes.
func TestCacheSizes(t *testing.T) {
	for _, tt := range []struct {
		rows, columns int
		wide          bool
	}{{3601, 3601, false}, {1201, 601, true}, {2, 2, false}, {1, 1, true}, {1, 5000, false}, {17, 33, true}} {
		tl := &tile{datum: HAE, wide: tt.wide, placement: placement{rows: tt.rows, columns: tt.columns, latStepDeg: 1e-4, lonStepDeg: 1e-4}}
		g := newGrid(tl)
		g.finish(tl)
		took := int64(2*cap(g.narrow) + 4*cap(g.wide) + 8*cap(g.geoid.nodes))
		for _, level := range g.levels {
			took += int64(4 * cap(level.hae))
		}
		if took > tl.bytes() || tl.bytes()-took > 10000+took/20 {
			t.Errorf("%+v: takes %d bytes, said to be %d", tt, took, tl.bytes())
		}
	}
}

// TestConcurrent reads from many goroutines with room for two of four tiles; each load is done once, by one of them.
func TestConcurrent(t *testing.T) {
	dir := t.TempDir()
	for lon := range 4 {
		write(t, dir, fmt.Sprintf("N46E%03d.hgt", lon), hgt(46, lon, 61, hills))
	}
	m := open(t, Options{Dir: dir, CacheBytes: 2 * (&tile{placement: placement{rows: 61, columns: 61}}).bytes()})
	var busy, most atomic.Int32
	for i := range m.index.levels {
		for _, tiles := range m.index.levels[i].squares {
			for _, tl := range tiles {
				if load := tl.load; tl.used.CompareAndSwap(0, -1) { // each tile is in several squares
					tl.load = func() (*grid, error) {
						most.Store(max(most.Load(), busy.Add(1)))
						defer busy.Add(-1)
						return load()
					}
				}
			}
		}
	}
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			noise := rand.New(rand.NewPCG(uint64(worker), 5))
			for range 300 {
				lat, lon := 46.1+0.8*noise.Float64(), 4*noise.Float64()
				if got, ok := msl(m, lat, lon); !ok || math.Abs(got-hills(lat, lon)) > 900 {
					t.Errorf("%v, %v: %v, %v", lat, lon, got, ok)
				}
			}
		})
	}
	all.Wait()
	if most.Load() != 1 {
		t.Errorf("%d loads at once", most.Load())
	}
}

// TestOneLoadForMany: who comes while a tile is read waits for it.
func TestOneLoadForMany(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "N46E008.hgt", hgt(46, 8, 61, hills))
	m := open(t, Options{Dir: dir})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, ok := msl(m, 46.5, 8.5); !ok {
				t.Error("no ground")
			}
		})
	}
	all.Wait()
	if loads := m.cache.loads.Load(); loads != 1 {
		t.Errorf("%d loads", loads)
	}
}

// TestBrokenWhileRunning replaces a file by a shorter one, by another one and by nothing, and brings it back.
func TestBrokenWhileRunning(t *testing.T) {
	dir := t.TempDir()
	coarse := hgt(46, 8, 31, func(float64, float64) float64 { return 100 })
	good := hgt(46, 8, 61, hills)
	write(t, dir, "coarse/N46E008.hgt", coarse)
	path := write(t, dir, "fine/N46E008.hgt", good)
	clock := time.Unix(0, 0)
	var log bytes.Buffer
	m := open(t, Options{Dir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil)), Now: func() time.Time { return clock }})
	expect := func(want float64, reports int) {
		t.Helper()
		m.cache.mu.Lock()
		m.cache.makeRoom(m.cache.limit) // so that files are read again
		m.cache.mu.Unlock()
		if got, ok := msl(m, 46.5, 8.5); !ok || math.Abs(got-want) > 1e-6 {
			t.Errorf("%v, %v; want %v", got, ok, want)
		}
		if lines := strings.Count(log.String(), "\n"); lines != reports || reports > 0 && !strings.Contains(log.String(), path) {
			t.Errorf("%d reports, want %d: %s", lines, reports, &log)
		}
	}
	fine := math.Round(hills(46.5, 8.5))
	expect(fine, 0)
	write(t, dir, "fine/N46E008.hgt", good[:1000])
	expect(100, 1) // the coarser tile steps in
	expect(100, 1)
	clock = clock.Add(2 * retryAfter)
	expect(100, 1) // tried again in vain, but said before
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	clock = clock.Add(2 * retryAfter)
	expect(100, 2)
	write(t, dir, "fine/N46E008.hgt", good)
	expect(100, 2)
	clock = clock.Add(2 * retryAfter)
	expect(fine, 2)
}

// TestBrokenAlone: where only a broken tile is, ground is unknown, and rays above all mountains go on.
func TestBrokenAlone(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "N46E008.hgt", hgt(46, 8, 61, hills))
	m := open(t, Options{Dir: dir})
	if err := os.Truncate(path, 10); err != nil {
		t.Fatal(err)
	}
	p := m.Patch(46.5, 8.5, 3000)
	if p.Kind != geo.Unknown || p.CeilingHAEMetres != geo.HighestGroundHAEMetres || !boxOf(&p).contains(46.5, 8.5) {
		t.Errorf("%+v", p)
	}
}

// TestMetrics registers them twice, in two registries.
func TestMetrics(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "N46E008.hgt", hgt(46, 8, 61, hills))
	reg := prometheus.NewPedanticRegistry()
	m := open(t, Options{Dir: dir, Registerer: reg})
	open(t, Options{Dir: dir, Registerer: prometheus.NewRegistry()})
	msl(m, 46.5, 8.5)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		got[f.GetName()] = f.GetMetric()[0].GetCounter().GetValue() + f.GetMetric()[0].GetGauge().GetValue()
	}
	if got["terrain_tile_loads_total"] != 1 || got["terrain_cache_bytes"] < 2*61*61 || len(got) != 4 {
		t.Errorf("%v", got)
	}
}
