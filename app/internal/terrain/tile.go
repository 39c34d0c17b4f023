package terrain

import (
	"math"
	"sync/atomic"

	"github.com/detection-api/detection-api/app/internal/geo"
)

// Heights out of these limits, in metres, are no ground but mistakes, and read as voids. The deepest trench is at -10.9 km.
const (
	lowestPostMetres  = -12000
	highestPostMetres = 8900
)

// placement says where the posts of a tile lie. The first post is the north-western one; rows go south, columns east.
type placement struct {
	northDeg, westDeg float64 // of the first post; west in [-180, 180) but for half a post
	latStepDeg        float64 // between rows, > 0
	lonStepDeg        float64 // between columns, > 0
	rows, columns     int     // at least 1; at least 2 without a rim
	rim               bool    // posts are the centres of areas: the tile reaches half a post beyond them
}

// tile is a rectangle of posts that is read at once: a file, or a page of a GeoTIFF.
type tile struct {
	placement
	path        string
	datum       Datum
	sigmaMetres float64
	wide        bool // posts need 4 bytes, not 2
	load        func() (*grid, error)

	footprint box
	rank      int     // in the order of preference
	fineness  int     // how far posts lie apart: hundredths of the logarithm of the distance
	sizeDeg   float64 // of its squares in the index
	finer     []box   // footprints of tiles of a better rank over this one, in its turn

	loaded  atomic.Pointer[grid]
	used    atomic.Int64 // number of loads so far when it was last asked for
	trouble atomic.Pointer[trouble]
}

// settle computes what follows from the placement.
func (t *tile) settle() {
	reach := 0.0
	if t.rim {
		reach = 0.5
	}
	place := func() box {
		return box{
			north: min(90, t.northDeg+reach*t.latStepDeg), south: max(-90, t.lat(t.rows-1)-reach*t.latStepDeg),
			west: t.westDeg - reach*t.lonStepDeg, east: t.lon(t.columns-1) + reach*t.lonStepDeg,
		}
	}
	t.footprint = place()
	if turns := math.Floor((t.footprint.west + 180 + slackDeg) / 360); turns != 0 {
		t.westDeg -= 360 * turns
		t.footprint = place()
	}
}

func (p *placement) lat(row int) float64 { return p.northDeg - float64(row)*p.latStepDeg }

func (p *placement) lon(column int) float64 { return p.westDeg + float64(column)*p.lonStepDeg }

// bytes is the memory that the posts and their ceilings take.
func (t *tile) bytes() int64 {
	size := int64(2)
	if t.wide {
		size = 4
	}
	posts := int64(t.rows) * int64(t.columns)
	return size*posts + posts/4 + posts/32 + 8<<10
}

// postMetres is how far the posts lie apart, as the mean of both directions.
func (t *tile) postMetres() float64 {
	const metresPerDeg = 111195 // of a sphere with the earth's mean radius
	middle := (t.footprint.south + t.footprint.north) / 2 * math.Pi / 180
	return metresPerDeg * math.Sqrt(t.latStepDeg*t.lonStepDeg*math.Cos(middle))
}

// hae returns the height of a post; ok is false for a void.
func (t *tile) hae(g *grid, row, column int) (haeMetres float64, ok bool) {
	post := g.post(row, column)
	if math.IsNaN(post) {
		return 0, false
	}
	if t.datum == MSL {
		post += g.geoid.at(t.lat(row), t.lon(column))
	}
	return post, true
}

// cell answers for the cell of the grid around a point of the footprint.
func (m *Model) cell(t *tile, g *grid, lat, lon, hae float64, p *geo.Patch) {
	row, column := t.cellAt(lat, lon)
	inner := row >= 0 && row < t.rows-1 && column >= 0 && column < t.columns-1
	if inner && g.bounded(t, row, column, hae, p) {
		return
	}
	p.Kind, p.SigmaMetres = geo.Surface, t.sigmaMetres
	box{
		north: t.lat(row), south: t.lat(row + 1), west: t.lon(column), east: t.lon(column + 1),
	}.within(t.footprint).setTo(p)
	var corners [2][2]float64
	for i := range 2 {
		for j := range 2 {
			ok := false
			if inner {
				corners[i][j], ok = t.hae(g, row+i, column+j)
			} else {
				corners[i][j], ok = m.corner(t, g, row+i, column+j)
			}
			if !ok {
				p.Kind, p.CeilingHAEMetres = geo.Unknown, g.highestHAE
				return
			}
		}
	}
	p.Bilinear = t.bilinear(row, column, &corners)
}

// cellAt returns the post to the north-west of a point. It may be one beyond the edge if the tile has a rim.
func (t *tile) cellAt(lat, lon float64) (row, column int) {
	row = int(math.Floor((t.northDeg - lat) / t.latStepDeg))
	column = int(math.Floor((lon - t.westDeg) / t.lonStepDeg))
	if !t.rim {
		return max(0, min(row, t.rows-2)), max(0, min(column, t.columns-2))
	}
	return max(-1, min(row, t.rows-1)), max(-1, min(column, t.columns-1))
}

// bilinear is the surface through four posts, from the north, then from the west.
func (t *tile) bilinear(row, column int, corners *[2][2]float64) geo.Bilinear {
	nw, ne, sw, se := corners[0][0], corners[0][1], corners[1][0], corners[1][1]
	return geo.Bilinear{
		LatDeg: t.lat(row + 1), LonDeg: t.lon(column), HAEMetres: sw,
		NorthPerDeg: (nw - sw) / t.latStepDeg, EastPerDeg: (se - sw) / t.lonStepDeg,
		TwistPerDeg2: (ne - nw - se + sw) / (t.latStepDeg * t.lonStepDeg),
	}
}

// corner returns the height of a post that may lie beyond the edge. There the tile next to this one knows it; without one
// the nearest post counts.
func (m *Model) corner(t *tile, g *grid, row, column int) (haeMetres float64, ok bool) {
	nearestRow, nearestColumn := max(0, min(row, t.rows-1)), max(0, min(column, t.columns-1))
	for _, post := range [...][2]int{{row, column}, {row, nearestColumn}, {nearestRow, column}} {
		if post == [...]int{nearestRow, nearestColumn} {
			break
		}
		if hae, ok := m.neighbour(t, t.lat(post[0]), t.lon(post[1])); ok {
			return hae, true
		}
	}
	return t.hae(g, nearestRow, nearestColumn)
}

// neighbour returns the height at a point that lies on or between the posts of another tile. One that is much coarser does
// not count: at the edge of a fine model it knows less than the nearest post of that.
func (m *Model) neighbour(of *tile, lat, lon float64) (haeMetres float64, ok bool) {
	lon -= 360 * math.Floor((lon+180)/360)
	t, turn := m.index.next(lat, lon, -1)
	for ; t != nil && t.fineness < of.fineness+coarser; t, turn = m.index.next(lat, lon, t.rank) {
		y, x := (t.northDeg-lat)/t.latStepDeg, (lon+turn-t.westDeg)/t.lonStepDeg
		const slack = 1e-5 // of a post
		if y < -slack || x < -slack || y > float64(t.rows-1)+slack || x > float64(t.columns-1)+slack {
			continue
		}
		if g := m.cache.grid(t); g != nil {
			if hae, ok := t.interpolated(g, y, x); ok {
				return hae, true
			}
		}
	}
	return 0, false
}

// interpolated returns the height between the posts of a tile. Posts without weight may be voids.
func (t *tile) interpolated(g *grid, y, x float64) (haeMetres float64, ok bool) {
	row, column := max(0, min(int(y), t.rows-1)), max(0, min(int(x), t.columns-1))
	y, x = max(0, y-float64(row)), max(0, x-float64(column))
	const nothing = 1e-5 // of a post
	for i, wy := range [...]float64{1 - y, y} {
		for j, wx := range [...]float64{1 - x, x} {
			if wy*wx < nothing {
				continue
			}
			post, known := t.hae(g, min(row+i, t.rows-1), min(column+j, t.columns-1))
			if !known {
				return 0, false
			}
			haeMetres += wy * wx * post
		}
	}
	return haeMetres, true
}
