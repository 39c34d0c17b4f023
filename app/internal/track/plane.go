package track

import (
	"math"

	"gonum.org/v1/gonum/spatial/r3"

	"github.com/detection-api/detection-api/app/internal/geo"
)

// between is how far a second point lies east and north of the first, in metres on the ellipsoid.
func between(latDeg, lonDeg, toLatDeg, toLonDeg float64) (east, north float64) {
	at := geo.FrameAt(geo.LatLonHAE{LatDeg: latDeg, LonDeg: lonDeg})
	enu := at.ENU(geo.LatLonHAE{LatDeg: toLatDeg, LonDeg: toLonDeg}.ECEF())
	return enu.X, enu.Y
}

// move moves the estimate. A metre east stays one: the turn of the axes on the way is left out, which over the distances
// between two sightings is far below their error, but near the poles.
func (e *estimate) move(east, north float64) {
	at := geo.FrameAt(geo.LatLonHAE{LatDeg: e.latDeg, LonDeg: e.lonDeg})
	to := geo.LatLonHAEFromECEF(at.ECEF(r3.Vec{X: east, Y: north}))
	e.latDeg, e.lonDeg = to.LatDeg, to.LonDeg
}

const (
	// metresPerDeg is of latitude, at the equator, where it is least (WGS-84: 110,574 m).
	metresPerDeg = 110_574
	// cellMetres is the height of a row of cells.
	cellMetres = 500
	// maxRing bounds how many cells away is looked for by cells.
	maxRing = 6
	rowDeg  = cellMetres / float64(metresPerDeg)
)

// cell is a place in a grid of about square cells.
type cell struct{ row, column int32 }

// columns is how many cells a row has around the globe.
func columns(row int32) int32 {
	edge := math.Max(math.Abs(float64(row)), math.Abs(float64(row+1))) * rowDeg
	return int32(max(1, math.Floor(360/rowDeg*math.Cos(min(90, edge)*math.Pi/180))))
}

func cellOf(latDeg, lonDeg float64) cell {
	row := int32(math.Floor(latDeg / rowDeg))
	return cell{row, columnOf(row, lonDeg)}
}

func columnOf(row int32, lonDeg float64) int32 {
	n := columns(row)
	c := int32(math.Floor((lonDeg + 180) / 360 * float64(n)))
	return (c%n + n) % n
}

// grid finds the objects near a place.
type grid map[cell][]*object

func (g grid) put(o *object) {
	o.cell = cellOf(o.latDeg, o.lonDeg)
	g[o.cell] = append(g[o.cell], o)
}

func (g grid) remove(o *object) {
	in := g[o.cell]
	for i := range in {
		if in[i] == o {
			in[i] = in[len(in)-1]
			in[len(in)-1] = nil
			in = in[:len(in)-1]
			break
		}
	}
	if len(in) == 0 {
		delete(g, o.cell)
		return
	}
	g[o.cell] = in
}

// near calls f with each object that may lie within so many metres, and with others. It says whether it could: not for a
// distance of many cells.
func (g grid) near(latDeg, lonDeg, metres float64, f func(*object)) bool {
	ring := int32(math.Ceil(metres / cellMetres))
	if ring > maxRing {
		return false
	}
	middle := int32(math.Floor(latDeg / rowDeg))
	for row := middle - ring; row <= middle+ring; row++ {
		n, column := columns(row), columnOf(row, lonDeg)
		if n <= 2*ring+1 {
			return false
		}
		for c := column - ring; c <= column+ring; c++ {
			for _, o := range g[cell{row, (c%n + n) % n}] {
				f(o)
			}
		}
	}
	return true
}
