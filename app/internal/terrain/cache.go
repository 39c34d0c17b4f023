package terrain

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// retryAfter is how long a tile that cannot be read is left alone.
const retryAfter = time.Minute

// trouble is why a tile cannot be read.
type trouble struct {
	text  string
	until time.Time
}

// cache holds the posts of the tiles that were used last. Who finds them there takes no lock. Tiles are read one after the
// other, so that the bound holds while they are.
type cache struct {
	limit int64
	log   *slog.Logger
	now   func() time.Time

	loads   atomic.Int64
	mu      sync.Mutex
	resting []*tile // loaded, in no order
	bytes   int64

	read, failed, dropped prometheus.Counter
	size                  prometheus.Gauge
}

func newCache(opts Options) *cache {
	f := promauto.With(opts.Registerer)
	return &cache{
		limit: opts.CacheBytes, log: opts.Logger, now: opts.Now,
		read: f.NewCounter(prometheus.CounterOpts{
			Name: "terrain_tile_loads_total", Help: "Tiles of the height model that were read from their files.",
		}),
		failed: f.NewCounter(prometheus.CounterOpts{
			Name: "terrain_tile_failures_total", Help: "Attempts to read a tile of the height model that failed.",
		}),
		dropped: f.NewCounter(prometheus.CounterOpts{
			Name: "terrain_tile_evictions_total", Help: "Tiles of the height model that left the memory for others.",
		}),
		size: f.NewGauge(prometheus.GaugeOpts{
			Name: "terrain_cache_bytes", Help: "Memory that the posts of the height model take.",
		}),
	}
}

// grid returns the posts of a tile, nil if they cannot be read.
func (c *cache) grid(t *tile) *grid {
	if g := t.loaded.Load(); g != nil {
		if loads := c.loads.Load(); t.used.Load() != loads {
			t.used.Store(loads)
		}
		return g
	}
	if c.avoids(t) {
		return nil
	}
	return c.load(t)
}

// avoids reports whether a tile failed so lately that it is not read again.
func (c *cache) avoids(t *tile) bool {
	failed := t.trouble.Load()
	return failed != nil && c.now().Before(failed.until)
}

// load reads a tile, unless somebody else did while this one waited.
func (c *cache) load(t *tile) *grid {
	c.mu.Lock()
	defer c.mu.Unlock()
	if g := t.loaded.Load(); g != nil {
		return g
	}
	if c.avoids(t) {
		return nil
	}
	c.makeRoom(t.bytes())
	g, err := t.load()
	if err != nil {
		c.fail(t, err)
		return nil
	}
	t.trouble.Store(nil)
	c.read.Inc()
	t.used.Store(c.loads.Add(1))
	t.loaded.Store(g)
	c.resting = append(c.resting, t)
	c.grow(t.bytes())
	return g
}

// makeRoom drops the tiles that were not used for longest.
func (c *cache) makeRoom(bytes int64) {
	for len(c.resting) > 0 && c.bytes+bytes > c.limit {
		oldest := 0
		for i, t := range c.resting {
			if t.used.Load() < c.resting[oldest].used.Load() {
				oldest = i
			}
		}
		t := c.resting[oldest]
		c.resting[oldest] = c.resting[len(c.resting)-1]
		c.resting[len(c.resting)-1] = nil
		c.resting = c.resting[:len(c.resting)-1]
		t.loaded.Store(nil)
		c.grow(-t.bytes())
		c.dropped.Inc()
	}
}

func (c *cache) grow(bytes int64) {
	c.bytes += bytes
	c.size.Set(float64(c.bytes))
}

// fail remembers why a tile cannot be read, and says so once for each reason.
func (c *cache) fail(t *tile, err error) {
	c.failed.Inc()
	before := t.trouble.Load()
	now := &trouble{text: err.Error(), until: c.now().Add(retryAfter)}
	t.trouble.Store(now)
	if before == nil || before.text != now.text {
		c.log.Error("a tile of the height model cannot be read; the ground there is unknown", "file", t.path, "error", err)
	}
}
