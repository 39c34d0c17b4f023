package geo

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/spatial/r3"
)

// Method says how the error of a fix was estimated.
type Method string

// The methods.
const (
	// Linear propagates the covariance through the Jacobian of the intersection.
	Linear Method = "linear"
	// Sampled propagates a fixed set of draws through the intersection itself, for rays that are too shallow for Linear.
	Sampled Method = "sampled"
)

// LinearGrazingDeg is the angle between ray and ground from which on the error is estimated by the Jacobian.
// Below it one degree of pitch changes the range by more than a tenth, and the distribution is visibly skewed.
const LinearGrazingDeg = 10

// Fix is a hit with its stated error.
type Fix struct {
	Hit
	CE90Metres float64 // 90 % of the true positions lie within this horizontal distance of the point
	LE90Metres float64 // the same for the height
	Ellipse    Ellipse // its CE90Metres method gives the same CE90
	Method     Method
	Model      string // kind of height model that the height is from, as Patch.Model; "" without one
}

// Locate finds where the pixel (u, v) of a camera looks at the ground, and how far off that may be.
//
// The height of the fix is the stated height of the ground, so its error is that of the ground alone. What else is wrong
// shows in the horizontal error. Without an error the result is finite; with one it is zero.
func Locate(camera Camera, u, v, surfaceHAEMetres float64, sigmas Sigmas) (Fix, error) {
	if err := camera.Validate(); err != nil {
		return Fix{}, err
	}
	if err := sigmas.Validate(); err != nil {
		return Fix{}, err
	}
	view, err := newView(camera, u, v)
	if err != nil {
		return Fix{}, err
	}
	if !isFinite(surfaceHAEMetres) {
		return Fix{}, fmt.Errorf("%w: surface at %g m", ErrInvalidInput, surfaceHAEMetres)
	}
	hit, up, err := intersect(view.frame, camera.Position.HAEMetres, view.ray, surfaceHAEMetres)
	if err != nil {
		return Fix{}, err
	}
	fix := Fix{Hit: hit, LE90Metres: le90Factor * sigmas.GroundHeightMetres}
	fix.CE90Metres, fix.Ellipse, fix.Method, err = view.horizontalError(hit, up, sigmas.byInput())
	if err != nil {
		return Fix{}, err
	}
	if !isFinite(fix.CE90Metres) || !isFinite(fix.LE90Metres) {
		return Fix{}, ErrUnbounded
	}
	return fix, nil
}

// horizontalError chooses the method and returns what it says.
func (w *view) horizontalError(hit Hit, upECEF r3.Vec, sigmas deviations) (ce90Metres float64, shape Ellipse, method Method, err error) {
	if w.isLinear(hit, &sigmas) {
		shape = w.linearEllipse(hit, upECEF, sigmas)
		return shape.CE90Metres(), shape, Linear, nil
	}
	ce90Metres, shape, err = w.sampledEllipse(hit, sigmas)
	return ce90Metres, shape, Sampled, err
}

// maxBend is how large an error may be against what it acts on for the error to be propagated to first order.
// At 0.15 the CE90 then still holds 89.6 % or more.
const maxBend = 0.15

// isLinear reports whether first order is enough. To second order, an error e of the ray's elevation g changes the range
// by the share e/tan(g) more or less than to first order, and an error e of the heading moves the point along a chord.
func (w *view) isLinear(hit Hit, sigmas *deviations) bool {
	if hit.GrazingDeg < LinearGrazingDeg || sigmas[inputHeading] > maxBend {
		return false
	}
	offAxis := w.x*w.x + w.y*w.y
	pixel := (w.slope.xx + w.slope.yy) * sigmas[inputU] / w.camera.FxPx
	square := sigmas[inputPitch]*sigmas[inputPitch] + pixel*pixel +
		offAxis*(sigmas[inputRoll]*sigmas[inputRoll]+sigmas[inputFocal]*sigmas[inputFocal])
	slope := math.Tan(radians(min(45, hit.GrazingDeg)))
	return square <= maxBend*maxBend*slope*slope
}

// view is a camera looking through one pixel, with what the error estimate needs again.
type view struct {
	camera Camera
	u, v   float64
	frame  Frame // at the camera
	axes   axes
	sight
	ray r3.Vec // the direction of the pixel, of length 1
}

// newView looks through a pixel. The error is ErrOutsideLens, or ErrInvalidInput for one that has no direction.
func newView(camera Camera, u, v float64) (view, error) {
	a := camera.axes()
	s, err := camera.sight(&a, u, v)
	if err != nil {
		return view{}, err
	}
	return view{
		camera: camera, u: u, v: v, frame: FrameAt(camera.Position), axes: a, sight: s, ray: r3.Scale(1/s.norm, s.q),
	}, nil
}

// linearEllipse propagates the sigmas to the ground, to first order.
//
// The point P = C + t d moves on a surface with normal n: n dP = dh. Solving for dt gives
// dP = (I - d n'/(n'd)) (dC + t dd) + d dh/(n'd), and t dd = (t/|q|) dq but for a part along d that the projection removes.
func (w *view) linearEllipse(hit Hit, upECEF r3.Vec, sigmas deviations) Ellipse {
	up := w.frame.rotateToENU(upECEF)
	at := FrameAt(hit.Point)
	east, north := w.frame.rotateToENU(at.east), w.frame.rotateToENU(at.north)
	// Seen from the hit, dP_east = east.dX - (east.d/n.d) n.dX, so each row of the projector is one vector.
	fall := r3.Dot(up, w.ray)
	slopeEast, slopeNorth := r3.Dot(east, w.ray)/fall, r3.Dot(north, w.ray)/fall
	rowEast := r3.Sub(east, r3.Scale(slopeEast, up))
	rowNorth := r3.Sub(north, r3.Scale(slopeNorth, up))

	var sum covariance2
	columns := w.jacobian(hit.SlantRangeMetres)
	for i, column := range columns {
		sum.add(sigmas[i]*r3.Dot(rowEast, column), sigmas[i]*r3.Dot(rowNorth, column))
	}
	sum.add(sigmas[inputGround]*slopeEast, sigmas[inputGround]*slopeNorth)
	return sum.ellipse()
}

// jacobian returns how the end of a ray of fixed length moves, in the ENU frame at the camera, for each input but the ground.
func (w *view) jacobian(slantMetres float64) [inputGround]r3.Vec {
	a, reach := w.axes, slantMetres/w.norm
	inImage := func(xd, yd float64) r3.Vec {
		x, y := w.slope.apply(xd, yd)
		return r3.Add(r3.Scale(x, a.right), r3.Scale(y, a.down))
	}
	lift := w.x*a.sinRoll + w.y*a.cosRoll
	return [inputGround]r3.Vec{
		inputEast:    {X: 1},
		inputNorth:   {Y: 1},
		inputUp:      {Z: 1},
		inputHeading: {X: reach * w.q.Y, Y: -reach * w.q.X}, // clockwise about up
		inputPitch:   r3.Scale(reach, r3.Sub(r3.Scale(lift, a.forward), a.down0)),
		inputRoll:    r3.Scale(reach, r3.Sub(r3.Scale(w.x, a.down), r3.Scale(w.y, a.right))),
		inputU:       inImage(reach/w.camera.FxPx, 0),
		inputV:       inImage(0, reach/w.camera.FyPx),
		inputFocal:   inImage(-reach*w.xd, -reach*w.yd),
	}
}
