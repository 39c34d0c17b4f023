package geo

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/spatial/r3"
)

// Why there is no position. None of the functions returns a position beside an error.
var (
	// ErrNoGroundIntersection: the ray goes to the sky, along the horizon or past it.
	ErrNoGroundIntersection = errors.New("the ray does not meet the ground")
	// ErrCameraBelowSurface: the camera is at or below the height of the ground.
	ErrCameraBelowSurface = errors.New("the camera is at or below the ground")
	// ErrTooShallow: the ray meets the ground, but under MinGrazingDeg or beyond MaxSlantRangeMetres.
	ErrTooShallow = errors.New("the ray meets the ground too shallowly or too far away")
	// ErrUnbounded: with the stated sensor errors one draw in ten or more misses the ground, so no CE90 exists.
	ErrUnbounded = errors.New("the sensor errors do not bound the position")
	// ErrInvalidInput: a number is not finite or out of its range.
	ErrInvalidInput = errors.New("invalid input")
	// ErrBehindCamera: the point to project is not in front of the camera.
	ErrBehindCamera = errors.New("the point is behind the camera")
	// ErrOutsideLens: the pixel or the point lies where the model of the lens folds back, so it has no one direction.
	ErrOutsideLens = errors.New("outside the reach of the lens model")
)

// Limits past which a geometric hit is no position any more.
const (
	// MinGrazingDeg is the smallest angle between ray and ground. At 0.5 degrees one metre in height is 115 m along the
	// ground (cot 0.5), and an error of 0.5 degrees in pitch, half of what consumer gimbals hold, turns the hit into a miss.
	MinGrazingDeg = 0.5
	// MaxSlantRangeMetres bounds what straight rays can be trusted for: refraction, which is not modelled, lifts a line of
	// sight by k s^2 / 2R, with k = 0.13 (Gauss) 1 m at 10 km and 102 m at 100 km.
	MaxSlantRangeMetres = 100e3
)

// Hit is where a ray meets the ground.
type Hit struct {
	Point            LatLonHAE // its height is that of the surface
	SlantRangeMetres float64   // from the camera along the ray
	DepressionDeg    float64   // of the ray below the horizontal plane at the camera, > 0
	GrazingDeg       float64   // between the ray and the horizontal plane at the hit; less than the depression by the earth's curvature
}

// IntersectEllipsoid finds where a ray from a camera first meets the surface that lies surfaceHAEMetres above the WGS-84
// ellipsoid. The ray is a unit vector in the ENU frame at the camera, as Camera.Ray returns it.
//
// The start is the closed form on the ellipsoid with both axes longer by the surface height (as in MATLAB's and pymap3d's
// lookAtSpheroid), which is exact at height 0. Newton steps on the geodetic height make it exact at others. The result is
// good to 1e-9 degrees and 1e-6 m of slant range.
func IntersectEllipsoid(position LatLonHAE, ray r3.Vec, surfaceHAEMetres float64) (Hit, error) {
	if !position.Valid() || !isFinite(surfaceHAEMetres) || !(math.Abs(r3.Norm2(ray)-1) < 1e-9) {
		return Hit{}, fmt.Errorf("%w: position %+v, ray %v, surface %g m", ErrInvalidInput, position, ray, surfaceHAEMetres)
	}
	hit, _, err := intersect(FrameAt(position), position.HAEMetres, ray, surfaceHAEMetres)
	return hit, err
}

// GroundHit is Ray and IntersectEllipsoid in one: where the pixel (u, v) looks at the ground.
func (c Camera) GroundHit(u, v, surfaceHAEMetres float64) (Hit, error) {
	if err := c.Validate(); err != nil {
		return Hit{}, err
	}
	ray, err := c.Ray(u, v)
	if err != nil {
		return Hit{}, err
	}
	return IntersectEllipsoid(c.Position, ray, surfaceHAEMetres)
}

// intersect returns the hit and the normal of the ground there, in ECEF.
func intersect(frame Frame, haeMetres float64, ray r3.Vec, surfaceHAEMetres float64) (Hit, r3.Vec, error) {
	if haeMetres <= surfaceHAEMetres {
		return Hit{}, r3.Vec{}, ErrCameraBelowSurface
	}
	direction := frame.rotateToECEF(ray)
	slant, up, ok := slantToSurface(frame.origin, direction, surfaceHAEMetres)
	if !ok {
		return Hit{}, r3.Vec{}, ErrNoGroundIntersection
	}
	grazingDeg := degrees(math.Asin(min(1, -r3.Dot(direction, up))))
	if grazingDeg < MinGrazingDeg || slant > MaxSlantRangeMetres {
		return Hit{}, r3.Vec{}, ErrTooShallow
	}
	point := LatLonHAEFromECEF(r3.Add(frame.origin, r3.Scale(slant, direction)))
	point.HAEMetres = surfaceHAEMetres
	return Hit{
		Point:            point,
		SlantRangeMetres: slant,
		DepressionDeg:    degrees(math.Asin(max(-1, min(1, -ray.Z)))),
		GrazingDeg:       grazingDeg,
	}, up, nil
}

// slantToSurface returns the length of a ray down to a surface of constant height and the normal there; ok is false if the
// ray misses it. The origin must be above the surface.
func slantToSurface(origin, direction r3.Vec, surfaceHAEMetres float64) (slant float64, up r3.Vec, ok bool) {
	slant, ok = slantToInflated(origin, direction, surfaceHAEMetres)
	if !ok {
		return 0, r3.Vec{}, false
	}
	// Newton converges quadratically from a start that is at most millimetres off, so a step below 0.1 mm leaves an error
	// far below a nanometre. Where the ray grazes the surface it does not converge: that is a miss too.
	const maxSteps, goodStepMetres, minRate = 8, 1e-4, 1e-4
	for range maxSteps {
		height, normal := heightAndUp(r3.Add(origin, r3.Scale(slant, direction)))
		rate := r3.Dot(normal, direction) // metres of height per metre of slant
		if rate > -minRate {
			return 0, r3.Vec{}, false
		}
		step := (height - surfaceHAEMetres) / rate
		slant -= step
		if math.Abs(step) < goodStepMetres {
			return slant, normal, slant > 0
		}
	}
	return 0, r3.Vec{}, false
}

// slantToInflated is the closed form: scaled by its axes, the ellipsoid is a sphere of radius 1.
func slantToInflated(origin, direction r3.Vec, surfaceHAEMetres float64) (slant float64, ok bool) {
	a, b := semiMajorMetres+surfaceHAEMetres, semiMinorMetres+surfaceHAEMetres
	if !(b > 0) {
		return 0, false
	}
	o := r3.Vec{X: origin.X / a, Y: origin.Y / a, Z: origin.Z / b}
	d := r3.Vec{X: direction.X / a, Y: direction.Y / a, Z: direction.Z / b}
	dd, od, above := r3.Dot(d, d), r3.Dot(o, d), r3.Dot(o, o)-1
	discriminant := od*od - dd*above
	if od >= 0 || discriminant < 0 {
		return 0, false
	}
	// The nearer root in the form that does not subtract nearly equal numbers when the camera is close to the surface.
	return above / (-od + math.Sqrt(discriminant)), true
}
