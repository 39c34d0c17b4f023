package terrain

import (
	"math"

	"github.com/detection-api/detection-api/app/internal/geo"
)

// geoidNodesPerDeg makes cells of a minute of arc. Between their nodes the geoid is bilinear to some millimetres: its own
// grid, with cells of 15 minutes, is bilinear to 1.2 m (GeographicLib, GeoidEval), and that falls with the square.
const geoidNodesPerDeg = 60

// mostGeoidNodes bounds the memory of a part: a degree square, and a bit. A larger tile has its posts farther apart, and asks
// geo for each of them.
const mostGeoidNodes = 4096

// geoid is the height of mean sea level below a tile.
type geoid struct {
	south, west   int // of the first node, in nodes from 0, 0
	rows, columns int
	nodes         []float32 // metres; from the south, then from the west
}

// newGeoid computes what a tile needs, nothing if its heights are above the ellipsoid.
func newGeoid(t *tile) geoid {
	south, west := math.Floor(t.lat(t.rows-1)*geoidNodesPerDeg), math.Floor(t.westDeg*geoidNodesPerDeg)
	g := geoid{south: int(south), west: int(west)}
	g.rows = int(math.Floor(t.northDeg*geoidNodesPerDeg)-south) + 2
	g.columns = int(math.Floor(t.lon(t.columns-1)*geoidNodesPerDeg)-west) + 2
	if t.datum == HAE || g.rows > mostGeoidNodes || g.columns > mostGeoidNodes || g.rows*g.columns > mostGeoidNodes {
		return geoid{}
	}
	g.nodes = make([]float32, 0, g.rows*g.columns)
	for row := range g.rows {
		for column := range g.columns {
			lat, lon := float64(g.south+row)/geoidNodesPerDeg, float64(g.west+column)/geoidNodesPerDeg
			g.nodes = append(g.nodes, float32(geo.GeoidUndulationMetres(lat, lon)))
		}
	}
	return g
}

// at returns the height of mean sea level at a post of the tile.
func (g *geoid) at(lat, lon float64) float64 {
	if g.nodes == nil {
		return geo.GeoidUndulationMetres(lat, lon)
	}
	y, x := lat*geoidNodesPerDeg-float64(g.south), lon*geoidNodesPerDeg-float64(g.west)
	row, column := max(0, min(int(y), g.rows-2)), max(0, min(int(x), g.columns-2))
	y, x = y-float64(row), x-float64(column)
	south, north := g.nodes[row*g.columns+column:], g.nodes[(row+1)*g.columns+column:]
	return (1-y)*((1-x)*float64(south[0])+x*float64(south[1])) + y*((1-x)*float64(north[0])+x*float64(north[1]))
}

// highest is not less than the geoid anywhere in a rectangle of the tile: the highest of the nodes around it.
func (g *geoid) highest(south, north, west, east float64) float64 {
	highest := float32(math.Inf(-1))
	firstRow, lastRow := g.row(math.Floor(south*geoidNodesPerDeg)), g.row(math.Ceil(north*geoidNodesPerDeg))
	firstColumn, lastColumn := g.column(math.Floor(west*geoidNodesPerDeg)), g.column(math.Ceil(east*geoidNodesPerDeg))
	for row := firstRow; row <= lastRow; row++ {
		for column := firstColumn; column <= lastColumn; column++ {
			highest = max(highest, g.nodes[row*g.columns+column])
		}
	}
	return float64(highest)
}

func (g *geoid) row(node float64) int { return max(0, min(int(node)-g.south, g.rows-1)) }

func (g *geoid) column(node float64) int { return max(0, min(int(node)-g.west, g.columns-1)) }
