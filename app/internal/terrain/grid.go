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
	levels     [3]ceilings
	geoid      geoid
	highestHAE float64 // of the known posts; higher than any ground if there are none
}

// ceilings are the heights above the ellipsoid that the ground does not exceed, for squares of cells.
type ceilings struct {
	cells   int // along each side of a square
	columns int // of squares
	hae     []float32
}

// Sides of the squares, in cells; of posts each second of arc, 120 m to 2 km. Each is a multiple of the one before.
const (
	smallSquare  = 4
	middleSquare = 16
	largeSquare  = 64
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

// finish computes what follows from the posts when all are set.
func (g *grid) finish(t *tile) {
	g.geoid = newGeoid(t)
	highest := math.Inf(-1)
	small := newCeilings(t, smallSquare)
	for i := range small.hae {
		square := g.ceiling(t, i/small.columns*smallSquare, i%small.columns*smallSquare, &highest)
		small.hae[i] = math.Nextafter32(float32(square), float32(math.Inf(1)))
	}
	middle := small.gathered(t, middleSquare)
	g.levels = [...]ceilings{middle.gathered(t, largeSquare), middle, small}
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
		square += g.geoid.highest(t.lat(lastRow), t.lat(row), t.lon(column), t.lon(lastColumn))
	}
	*highest = max(*highest, square)
	if voids {
		return math.Inf(1)
	}
	return square
}

func newCeilings(t *tile, cells int) ceilings {
	rows, columns := (t.rows-2+cells)/cells, (t.columns-2+cells)/cells
	return ceilings{cells: cells, columns: columns, hae: make([]float32, max(0, rows*columns))}
}

// gathered returns the ceilings of squares that are several times as large.
func (c *ceilings) gathered(t *tile, cells int) ceilings {
	larger := newCeilings(t, cells)
	for i := range larger.hae {
		larger.hae[i] = float32(math.Inf(-1))
	}
	for i, hae := range c.hae {
		at := i/c.columns*c.cells/cells*larger.columns + i%c.columns*c.cells/cells
		larger.hae[at] = max(larger.hae[at], hae)
	}
	return larger
}

// bounded finds the largest square around a cell whose ceiling lies below a height.
func (g *grid) bounded(t *tile, row, column int, hae float64, p *geo.Patch) (found bool) {
	for i := range g.levels {
		level := &g.levels[i]
		y, x := row/level.cells, column/level.cells
		ceiling := float64(level.hae[y*level.columns+x])
		if hae < ceiling+geo.ClearanceMetres {
			continue
		}
		p.Kind, p.CeilingHAEMetres = geo.Bounded, ceiling
		box{
			north: t.lat(y * level.cells), south: t.lat(min((y+1)*level.cells, t.rows-1)),
			west: t.lon(x * level.cells), east: t.lon(min((x+1)*level.cells, t.columns-1)),
		}.setTo(p)
		return true
	}
	return false
}
