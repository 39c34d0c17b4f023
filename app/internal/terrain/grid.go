package terrain

import (
	"math"

	"github.com/detection-api/detection-api/app/internal/geo"
)

// voidPost stands for a void among posts of 2 bytes.
const voidPost = math.MinInt16

// grid holds the posts of a tile in metres, and how high the ground is at most around them.
type grid struct {
	columns    int
	narrow     []int16   // either
	wide       []float32 // or; NaN is a void
	levels     [2]ceilings
	highestHAE float64 // of the known posts; higher than any ground if there are none
}

// ceilings are the heights above the ellipsoid that the ground does not exceed, for squares of cells.
type ceilings struct {
	cells   int // along each side of a square
	columns int // of squares
	hae     []float32
}

// Sides of the squares, in cells: half a kilometre and four kilometres of posts each second of arc.
const (
	smallSquare = 16
	largeSquare = 128
)

// newGrid makes room for the posts of a tile. All of them are voids.
func newGrid(t *tile) *grid {
	g := &grid{columns: t.columns}
	if t.wide {
		g.wide = make([]float32, t.rows*t.columns)
		for i := range g.wide {
			g.wide[i] = float32(math.NaN())
		}
		return g
	}
	g.narrow = make([]int16, t.rows*t.columns)
	for i := range g.narrow {
		g.narrow[i] = voidPost
	}
	return g
}

// set stores the height of a post; one that cannot be ground stays a void.
func (g *grid) set(row, column int, metres float64) {
	if !(metres >= lowestPostMetres && metres <= highestPostMetres) {
		return
	}
	if g.wide != nil {
		g.wide[row*g.columns+column] = float32(metres)
		return
	}
	g.narrow[row*g.columns+column] = int16(metres)
}

// post returns the height of a post in the datum of the tile, NaN for a void.
func (g *grid) post(row, column int) float64 {
	if g.wide != nil {
		return float64(g.wide[row*g.columns+column])
	}
	if post := g.narrow[row*g.columns+column]; post != voidPost {
		return float64(post)
	}
	return math.NaN()
}

// finish computes the ceilings when all posts are set.
func (g *grid) finish(t *tile) {
	highest := math.Inf(-1)
	small := newCeilings(t, smallSquare)
	for i := range small.hae {
		square := g.ceiling(t, i/small.columns*smallSquare, i%small.columns*smallSquare, &highest)
		small.hae[i] = math.Nextafter32(float32(square), float32(math.Inf(1)))
	}
	large := newCeilings(t, largeSquare)
	for i := range large.hae {
		large.hae[i] = small.highest(i/large.columns*(largeSquare/smallSquare), i%large.columns*(largeSquare/smallSquare))
	}
	g.levels = [...]ceilings{large, small}
	g.highestHAE = highest
	if math.IsInf(highest, -1) {
		g.highestHAE = geo.HighestGroundHAEMetres
	}
}

// ceiling returns the highest of the posts around a square of cells, infinity if one is a void. It raises highest too.
func (g *grid) ceiling(t *tile, row, column int, highest *float64) float64 {
	lastRow, lastColumn := min(row+smallSquare, t.rows-1), min(column+smallSquare, t.columns-1)
	square, voids := math.Inf(-1), false
	for r := row; r <= lastRow; r++ {
		for c := column; c <= lastColumn; c++ {
			post := g.post(r, c)
			if math.IsNaN(post) {
				voids = true
			} else if post > square {
				square = post
			}
		}
	}
	if t.datum == MSL {
		square += highestGeoid(t.lat(lastRow), t.lat(row), t.lon(column), t.lon(lastColumn))
	}
	*highest = max(*highest, square)
	if voids {
		return math.Inf(1)
	}
	return square
}

// highestGeoid is not less than the undulation of the geoid anywhere in a rectangle. The grid of the geoid has nodes each
// quarter of a degree and is bilinear between them, so the nodes around the rectangle bound it.
func highestGeoid(south, north, west, east float64) float64 {
	const nodesPerDeg = 4
	highest := math.Inf(-1)
	for y := math.Floor(south * nodesPerDeg); y <= math.Ceil(north*nodesPerDeg); y++ {
		for x := math.Floor(west * nodesPerDeg); x <= math.Ceil(east*nodesPerDeg); x++ {
			highest = max(highest, geo.GeoidUndulationMetres(y/nodesPerDeg, x/nodesPerDeg))
		}
	}
	return highest
}

func newCeilings(t *tile, cells int) ceilings {
	rows, columns := (t.rows-2+cells)/cells, (t.columns-2+cells)/cells
	return ceilings{cells: cells, columns: columns, hae: make([]float32, max(0, rows*columns))}
}

// highest returns the highest of the small squares in a large one.
func (c *ceilings) highest(row, column int) float32 {
	const side = largeSquare / smallSquare
	highest := float32(math.Inf(-1))
	for r := row; r < min(row+side, len(c.hae)/c.columns); r++ {
		for i := column; i < min(column+side, c.columns); i++ {
			highest = max(highest, c.hae[r*c.columns+i])
		}
	}
	return highest
}

// bounded returns the largest square around a cell whose ceiling lies below a height.
func (g *grid) bounded(t *tile, row, column int, hae float64) (geo.Patch, bool) {
	for i := range g.levels {
		level := &g.levels[i]
		y, x := row/level.cells, column/level.cells
		ceiling := float64(level.hae[y*level.columns+x])
		if hae < ceiling+geo.ClearanceMetres {
			continue
		}
		p := geo.Patch{Kind: geo.Bounded, CeilingHAEMetres: ceiling}
		box{
			north: t.lat(y * level.cells), south: t.lat(min((y+1)*level.cells, t.rows-1)),
			west: t.lon(x * level.cells), east: t.lon(min((x+1)*level.cells, t.columns-1)),
		}.setTo(&p)
		return p, true
	}
	return geo.Patch{}, false
}
