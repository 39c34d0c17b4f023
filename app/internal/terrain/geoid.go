package terrain

import (
	"math"

	"github.com/detection-api/detection-api/app/internal/geo"
)

// geoidNodesPerDeg is that of geo's grid of EGM96, which is bilinear between its nodes. So is any part of it.
const geoidNodesPerDeg = 4

// mostGeoidNodes bounds the memory of a part. A tile so large that it needs more has its posts far apart, and asks geo.
const mostGeoidNodes = 512

// geoid is the part of the geoid's grid below a tile.
type geoid struct {
	south, west   int // of the first node, in nodes from 0, 0
	rows, columns int
	nodes         []float64 // metres; from the south, then from the west
}

// newGeoid copies what a tile needs, nothing if its heights are above the ellipsoid.
func newGeoid(t *tile) geoid {
	south, west := math.Floor(t.lat(t.rows-1)*geoidNodesPerDeg), math.Floor(t.westDeg*geoidNodesPerDeg)
	g := geoid{south: int(south), west: int(west)}
	g.rows = int(math.Floor(t.northDeg*geoidNodesPerDeg)-south) + 2
	g.columns = int(math.Floor(t.lon(t.columns-1)*geoidNodesPerDeg)-west) + 2
	if t.datum == HAE || g.rows*g.columns > mostGeoidNodes {
		return geoid{}
	}
	for row := range g.rows {
		for column := range g.columns {
			g.nodes = append(g.nodes, node(g.south+row, g.west+column))
		}
	}
	return g
}

func node(row, column int) float64 {
	return geo.GeoidUndulationMetres(float64(row)/geoidNodesPerDeg, float64(column)/geoidNodesPerDeg)
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
	return (1-y)*((1-x)*south[0]+x*south[1]) + y*((1-x)*north[0]+x*north[1])
}

// highest is not less than the geoid anywhere in a rectangle: the highest of the nodes around it.
func (g *geoid) highest(south, north, west, east float64) float64 {
	highest := math.Inf(-1)
	for row := int(math.Floor(south * geoidNodesPerDeg)); row <= int(math.Ceil(north*geoidNodesPerDeg)); row++ {
		for column := int(math.Floor(west * geoidNodesPerDeg)); column <= int(math.Ceil(east*geoidNodesPerDeg)); column++ {
			y, x := row-g.south, column-g.west
			if g.nodes != nil && y >= 0 && y < g.rows && x >= 0 && x < g.columns {
				highest = max(highest, g.nodes[y*g.columns+x])
			} else {
				highest = max(highest, node(row, column))
			}
		}
	}
	return highest
}
