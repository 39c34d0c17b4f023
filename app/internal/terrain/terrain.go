// Package terrain reads height models from a directory of SRTM HGT, DTED and GeoTIFF files and answers geo's questions about
// them.
//
// The files are indexed by their headers when the model is opened. Posts are read when somebody asks for the ground there,
// and kept within a bound of bytes, least recently used out first. Plain reads, not a memory map: a file that shrinks while it
// is mapped ends the process, one that shrinks while it is read is an error.
//
// Between posts the ground is bilinear, also from one tile to the next. Where tiles overlap, the finest that knows the ground
// counts. Heights above mean sea level become heights above the ellipsoid by EGM96.
package terrain

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/detection-api/detection-api/app/internal/geo"
)

// DefaultCacheBytes bounds the posts in memory: ten tiles of SRTM with posts each second of arc.
const DefaultCacheBytes = 256 << 20

// DefaultSigmaMetres is the error of heights of a model that states none. SRTM was specified to 16 m at 90 %; against
// kinematic GPS it is within 9 m at 90 % on every continent (Rodriguez, Morris, Belz, PE&RS 72, 2006), which is 5.5 m of one
// sigma at worst. GLO-30 states 4 m at 90 %.
const DefaultSigmaMetres = 5

// ErrNoTiles means that there is no height model in the directory.
var ErrNoTiles = errors.New("no tile of a height model that can be used")

// Datum says what heights are counted from.
type Datum string

// The datums.
const (
	MSL Datum = "msl" // mean sea level, EGM96
	HAE Datum = "hae" // the WGS-84 ellipsoid
)

// Options are what a Model is made from.
type Options struct {
	Dir         string  // with its subdirectories; names that start with a dot are left out
	CacheBytes  int64   // bound of the posts in memory; 0 = DefaultCacheBytes
	Datum       Datum   // of GeoTIFF files that do not state one; "" = MSL
	SigmaMetres float64 // of files that state no accuracy; 0 = DefaultSigmaMetres

	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil: the metrics are not registered
	Now        func() time.Time      // nil: the clock

	pagePosts int // tests set it; 0 = pagePosts
}

func (o *Options) complete() error {
	if o.CacheBytes == 0 {
		o.CacheBytes = DefaultCacheBytes
	}
	if o.SigmaMetres == 0 {
		o.SigmaMetres = DefaultSigmaMetres
	}
	if o.Datum == "" {
		o.Datum = MSL
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.pagePosts == 0 {
		o.pagePosts = pagePosts
	}
	switch {
	case o.Datum != MSL && o.Datum != HAE:
		return fmt.Errorf("terrain datum %q is neither %q nor %q", o.Datum, MSL, HAE)
	case o.CacheBytes < 0:
		return fmt.Errorf("terrain cache of %d bytes", o.CacheBytes)
	case !(o.SigmaMetres > 0) || math.IsInf(o.SigmaMetres, 0):
		return fmt.Errorf("terrain sigma of %g m", o.SigmaMetres)
	}
	return nil
}

// Model is the height models of a directory. Its methods may be called from several goroutines.
type Model struct {
	index   index
	cache   *cache
	summary Summary
	last    atomic.Pointer[tile] // that answered, if no other one lies over it
}

var _ geo.Terrain = (*Model)(nil)

// Open reads the headers of all files below a directory. A file that is no height model or a broken one is left out, and the
// Summary says why. Without any tile the error is ErrNoTiles.
func Open(opts Options) (*Model, error) {
	if err := opts.complete(); err != nil {
		return nil, err
	}
	tiles, ignored, err := scan(opts)
	if err != nil {
		return nil, fmt.Errorf("read directory of height models: %w", err)
	}
	if len(tiles) == 0 {
		return nil, fmt.Errorf("%w in %s (%d files ignored%s)", ErrNoTiles, opts.Dir, len(ignored), firstReason(ignored))
	}
	m := &Model{index: newIndex(tiles), cache: newCache(opts), summary: summarize(tiles, ignored)}
	return m, nil
}

// Summary tells what Open found.
func (m *Model) Summary() Summary { return m.summary }

// Patch implements geo.Terrain. It blocks while a tile is read.
//
// Ground is unknown where no tile is, where the tiles there have a void in one of the four posts around, or where their files
// cannot be read. Over a void it may be as high as the highest post of the tile (in a GeoTIFF: of the page of about a
// million posts), elsewhere as high as any mountain.
func (m *Model) Patch(latDeg, lonDeg, haeMetres float64) geo.Patch {
	// A ray asks the same tile many times. Inside it, nothing better is to be found.
	if t := m.last.Load(); t != nil && t.footprint.holds(latDeg, lonDeg) {
		var p geo.Patch
		if m.patchOf(t, latDeg, lonDeg, haeMetres, &p); p.Kind != geo.Unknown {
			return p
		}
	}
	return m.search(latDeg, lonDeg, haeMetres)
}

// search asks the tiles at a point, from the best one on, until one knows the ground.
func (m *Model) search(latDeg, lonDeg, haeMetres float64) geo.Patch {
	known := box{south: math.Inf(-1), north: math.Inf(1), west: math.Inf(-1), east: math.Inf(1)}
	ceiling := math.Inf(-1)
	t, turn := m.index.next(latDeg, lonDeg, -1)
	for t != nil {
		var p geo.Patch
		m.patchOf(t, latDeg, lonDeg+turn, haeMetres, &p)
		b := boxOf(&p).turned(-turn).within(known)
		b.setTo(&p)
		p.Bilinear.LonDeg -= turn
		if p.Kind != geo.Unknown {
			if len(t.finer) == 0 && m.last.Load() != t {
				m.last.Store(t)
			}
			return p
		}
		known, ceiling = b, max(ceiling, p.CeilingHAEMetres)
		t, turn = m.index.next(latDeg, lonDeg, t.rank)
	}
	if math.IsInf(ceiling, -1) { // no tile: no edge is known either, but the ceiling holds everywhere
		known = box{south: latDeg - 1, north: latDeg + 1, west: lonDeg - 1, east: lonDeg + 1}
		ceiling = geo.HighestGroundHAEMetres
	}
	p := geo.Patch{Kind: geo.Unknown, CeilingHAEMetres: ceiling}
	known.setTo(&p)
	return p
}

// patchOf asks one tile. The longitude is in the turn of the tile.
func (m *Model) patchOf(t *tile, lat, lon, hae float64, p *geo.Patch) {
	g := m.cache.grid(t)
	if g == nil {
		p.Kind, p.CeilingHAEMetres = geo.Unknown, geo.HighestGroundHAEMetres
		t.footprint.setTo(p)
		return
	}
	m.cell(t, g, lat, lon, hae, p)
	if len(t.finer) > 0 {
		b := boxOf(p)
		for _, finer := range t.finer {
			b = b.besides(finer, lat, lon)
		}
		b.setTo(p)
	}
}
