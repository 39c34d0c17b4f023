package geo

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/spatial/r3"
)

// Camera is a camera with a central projection: where it is, where it looks and how it maps directions to pixels.
//
// In its own frame x is right in the image, y is down and z is forward. The forward axis points to the heading, lifted by
// the pitch; roll turns the camera about it. At nadir (pitch -90) the top of the image points along the heading.
type Camera struct {
	Position   LatLonHAE
	HeadingDeg float64 // of the optical axis, clockwise from true north; any number of turns
	PitchDeg   float64 // of the optical axis, 0 = horizontal, positive up, -90 = straight down
	RollDeg    float64 // about the optical axis, positive = right side of the camera down
	FxPx, FyPx float64 // focal length in pixels, > 0; equal for square pixels
	CxPx, CyPx float64 // principal point; the image centre is (width/2, height/2)
	Lens       Lens    // its distortion; the zero value is none
}

// CameraForImage returns the camera of an image with square pixels whose principal point is the image centre.
// Its position and attitude are zero.
func CameraForImage(widthPx, heightPx int, focalPx float64) Camera {
	return Camera{FxPx: focalPx, FyPx: focalPx, CxPx: float64(widthPx) / 2, CyPx: float64(heightPx) / 2}
}

// Validate returns an error that wraps ErrInvalidInput and names the field if the camera cannot be used.
func (c Camera) Validate() error {
	switch {
	case !c.Position.Valid():
		return fmt.Errorf("%w: camera position %+v", ErrInvalidInput, c.Position)
	case !isFinite(c.HeadingDeg + c.PitchDeg + c.RollDeg):
		return fmt.Errorf("%w: camera attitude is not finite", ErrInvalidInput)
	case !(c.FxPx > 0 && c.FyPx > 0) || !isFinite(c.FxPx+c.FyPx):
		return fmt.Errorf("%w: focal length must be positive, got %g and %g px", ErrInvalidInput, c.FxPx, c.FyPx)
	case !isFinite(c.CxPx + c.CyPx):
		return fmt.Errorf("%w: principal point is not finite", ErrInvalidInput)
	}
	return c.Lens.Validate()
}

// axes are the camera's axes in ENU, of length 1: right and down in the image, forward along the optical axis.
// right0 and down0 are those before the roll.
type axes struct {
	right, down, forward r3.Vec
	sinRoll, cosRoll     float64
	down0                r3.Vec
}

func (c Camera) axes() axes {
	sinH, cosH := math.Sincos(radians(c.HeadingDeg))
	sinP, cosP := math.Sincos(radians(c.PitchDeg))
	sinR, cosR := math.Sincos(radians(c.RollDeg))
	forward := r3.Vec{X: sinH * cosP, Y: cosH * cosP, Z: sinP}
	right0 := r3.Vec{X: cosH, Y: -sinH}
	down0 := r3.Cross(forward, right0)
	return axes{
		right:   r3.Add(r3.Scale(cosR, right0), r3.Scale(sinR, down0)),
		down:    r3.Add(r3.Scale(-sinR, right0), r3.Scale(cosR, down0)),
		forward: forward,
		sinRoll: sinR,
		cosRoll: cosR,
		down0:   down0,
	}
}

// sight is the direction of one pixel, and how it moves with the pixel.
type sight struct {
	q      r3.Vec     // the direction, of length norm
	norm   float64    // in focal lengths
	x, y   float64    // where a pinhole camera would see it, in focal lengths from the principal point
	xd, yd float64    // where this camera sees it
	slope  symmetric2 // of (x, y) over (xd, yd)
}

// sight solves the lens for a pixel. The error is ErrOutsideLens or ErrInvalidInput.
func (c *Camera) sight(a *axes, u, v float64) (sight, error) {
	xd, yd := (u-c.CxPx)/c.FxPx, (v-c.CyPx)/c.FyPx
	x, y, slope, err := c.Lens.undistort(xd, yd)
	if err != nil {
		return sight{}, err
	}
	q := r3.Add(a.forward, r3.Add(r3.Scale(x, a.right), r3.Scale(y, a.down)))
	norm := r3.Norm(q)
	if !isFinite(norm) {
		return sight{}, fmt.Errorf("%w: pixel %g, %g has no direction", ErrInvalidInput, u, v)
	}
	return sight{q: q, norm: norm, x: x, y: y, xd: xd, yd: yd, slope: slope}, nil
}

// Ray returns the direction in which a pixel looks, as a unit vector in the ENU frame at the camera.
// The pixel may lie outside the image, but not where the lens model does not hold: that is ErrOutsideLens. The camera must
// be valid.
func (c Camera) Ray(u, v float64) (r3.Vec, error) {
	a := c.axes()
	s, err := c.sight(&a, u, v)
	if err != nil {
		return r3.Vec{}, err
	}
	return r3.Scale(1/s.norm, s.q), nil
}

// Project returns the pixel at which the camera sees a position. It does not know the size of the image, so the pixel may
// lie outside; behind the camera the error is ErrBehindCamera, and past the reach of the lens model ErrOutsideLens.
func (c Camera) Project(target LatLonHAE) (u, v float64, err error) {
	return c.ProjectENU(FrameAt(c.Position).ENU(target.ECEF()))
}

// ProjectENU is Project for a point given in metres in the ENU frame at the camera.
func (c Camera) ProjectENU(enu r3.Vec) (u, v float64, err error) {
	a := c.axes()
	depth := r3.Dot(a.forward, enu)
	if !(depth > 0) {
		return 0, 0, ErrBehindCamera
	}
	x, y := r3.Dot(a.right, enu)/depth, r3.Dot(a.down, enu)/depth
	if c.Lens != (Lens{}) {
		if !c.Lens.holds(x*x + y*y) {
			return 0, 0, ErrOutsideLens
		}
		x, y, _ = c.Lens.distort(x, y)
	}
	return c.CxPx + c.FxPx*x, c.CyPx + c.FyPx*y, nil
}
