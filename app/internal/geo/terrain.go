package geo

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/spatial/r3"
)

// ErrNoTerrain means that the ray comes to a place that no height model covers, or where the model has a void, at a height at
// which there may be ground.
var ErrNoTerrain = errors.New("there is no height model where the ray would meet the ground")

// HighestGroundHAEMetres is higher than any ground. Mount Everest is 8849 m above mean sea level (survey of 2020) and the
// geoid is 28 m below the ellipsoid there.
const HighestGroundHAEMetres = 9000

// Terrain is a height model: a surface that is bilinear between the posts of a grid. Its methods may be called from
// several goroutines.
type Terrain interface {
	// Patch returns what is known of the ground around a point; latitude in [-90, 90], longitude in [-180, 180).
	//
	// Someone at haeMetres, above the point, asks. Where the model knows that he is at least ClearanceMetres above all
	// ground around, it may answer with a Bounded patch, as large as it can, so that he gets ahead faster. At -Inf the
	// answer is the ground itself: a Surface, or Unknown.
	Patch(latDeg, lonDeg, haeMetres float64) Patch
}

// PatchKind says what a Patch tells about the ground.
type PatchKind uint8

// The kinds of patches.
const (
	// Unknown ground: no model, or a void in it. The ceiling says how high the ground may be.
	Unknown PatchKind = iota
	// Bounded ground is nowhere higher than the ceiling.
	Bounded
	// Surface is the ground itself, one cell of the grid or a part of it.
	Surface
)

// ClearanceMetres is how far above the ceiling of a Bounded patch he must be who asks.
const ClearanceMetres = 2

// Patch is what a height model knows within a rectangle of latitudes and longitudes.
type Patch struct {
	Kind             PatchKind
	SouthDeg         float64
	NorthDeg         float64
	WestDeg          float64 // in the turn of the longitude asked for, so it may be below -180
	EastDeg          float64 // likewise, and above 180
	CeilingHAEMetres float64 // of Bounded and Unknown patches

	// The rest is for a Surface only.
	Bilinear    Bilinear
	SigmaMetres float64 // standard deviation of the model's heights; 0 = not stated
	Model       string  // name of the kind of model, such as SRTM1 or DTED2; "" = none in use for it
}

// Bilinear is a height as a function of latitude and longitude.
type Bilinear struct {
	LatDeg, LonDeg float64 // of the origin
	HAEMetres      float64 // at the origin
	NorthPerDeg    float64 // metres for each degree of latitude
	EastPerDeg     float64 // metres for each degree of longitude
	TwistPerDeg2   float64 // metres for each degree of both
}

// HAEAt returns the height at a point.
func (b Bilinear) HAEAt(latDeg, lonDeg float64) float64 {
	north, east := latDeg-b.LatDeg, lonDeg-b.LonDeg
	return b.HAEMetres + b.NorthPerDeg*north + b.EastPerDeg*east + b.TwistPerDeg2*north*east
}

// slope returns by how many metres the height grows for each degree to the north and to the east.
func (b Bilinear) slope(latDeg, lonDeg float64) (northPerDeg, eastPerDeg float64) {
	return b.NorthPerDeg + b.TwistPerDeg2*(lonDeg-b.LonDeg), b.EastPerDeg + b.TwistPerDeg2*(latDeg-b.LatDeg)
}

// GroundHAEMetres returns the height of the ground at a point; ok is false where the model does not know it.
func GroundHAEMetres(terrain Terrain, latDeg, lonDeg float64) (haeMetres float64, ok bool) {
	if !(math.Abs(latDeg) <= 90 && math.Abs(lonDeg) <= 360) {
		return 0, false
	}
	lonDeg = wrapLonDeg(lonDeg)
	patch := terrain.Patch(latDeg, lonDeg, math.Inf(-1))
	if patch.Kind != Surface {
		return 0, false
	}
	return patch.Bilinear.HAEAt(latDeg, lonDeg), true
}

// IntersectTerrain finds where a ray from a camera first meets the ground of a height model. The ray is a unit vector in the
// ENU frame at the camera, as Camera.Ray returns it. It may point upwards: there are mountains.
//
// The ray is straight in space, so the curvature of the earth is in it. A camera under the ground is ErrCameraBelowSurface.
// A ray that comes to unknown ground, below the height that the ground may have there, is ErrNoTerrain: what lies behind
// could be hidden.
func IntersectTerrain(position LatLonHAE, ray r3.Vec, terrain Terrain) (Hit, error) {
	if !position.Valid() || !(math.Abs(r3.Norm2(ray)-1) < 1e-9) {
		return Hit{}, ErrInvalidInput
	}
	hit, _, err := intersectTerrain(FrameAt(position), ray, terrain)
	return hit, err
}

// ground is the surface around a hit.
type ground struct {
	normal      r3.Vec // ECEF, as long as makes it 1 m high: moving along the surface changes nothing along it
	sigmaMetres float64
	model       string
}

// intersectTerrain returns the hit and the ground there.
func intersectTerrain(frame Frame, ray r3.Vec, terrain Terrain) (Hit, ground, error) {
	direction := frame.rotateToECEF(ray)
	m := march{terrain: terrain, origin: frame.origin, direction: direction, near: anchorAt(frame.origin)}
	slant, patch, err := m.run()
	if err != nil {
		return Hit{}, ground{}, err
	}
	hit := Hit{
		Point:            LatLonHAEFromECEF(r3.Add(frame.origin, r3.Scale(slant, direction))),
		SlantRangeMetres: slant,
		DepressionDeg:    degrees(math.Asin(max(-1, min(1, -ray.Z)))),
	}
	soil := slopeAt(hit.Point, patch)
	hit.GrazingDeg = degrees(math.Asin(max(-1, min(1, -r3.Dot(direction, soil.normal)/r3.Norm(soil.normal)))))
	if hit.GrazingDeg < MinGrazingDeg || slant > MaxSlantRangeMetres {
		return Hit{}, ground{}, ErrTooShallow
	}
	return hit, soil, nil
}

// slopeAt returns the ground of a patch at a point.
func slopeAt(point LatLonHAE, patch Patch) ground {
	ecef := point.ECEF()
	here := anchorAt(ecef)
	at := here.path(ecef, r3.Vec{})
	northPerDeg, eastPerDeg := patch.Bilinear.slope(at.latDeg, at.lonDeg)
	frame := FrameAt(point)
	slope := r3.Add(r3.Scale(eastPerDeg*at.degPerMetreEast, frame.east), r3.Scale(northPerDeg*at.degPerMetreNorth, frame.north))
	return ground{normal: r3.Sub(frame.up, slope), sigmaMetres: patch.SigmaMetres, model: patch.Model}
}
