package geo

import "gonum.org/v1/gonum/spatial/r3"

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
	view := newView(camera, u, v)
	if !isFinite(r3.Norm2(view.ray)) || !isFinite(surfaceHAEMetres) {
		return Fix{}, ErrInvalidInput
	}
	hit, up, err := intersect(view.frame, camera.Position.HAEMetres, view.ray, surfaceHAEMetres)
	if err != nil {
		return Fix{}, err
	}
	fix := Fix{Hit: hit, LE90Metres: le90Factor * sigmas.GroundHeightMetres}
	if hit.GrazingDeg >= LinearGrazingDeg {
		fix.Method = Linear
		fix.Ellipse = view.linearEllipse(hit, up, sigmas.byInput())
		fix.CE90Metres = fix.Ellipse.CE90Metres()
	} else {
		fix.Method = Sampled
		if fix.CE90Metres, fix.Ellipse, err = view.sampledEllipse(hit, sigmas.byInput()); err != nil {
			return Fix{}, err
		}
	}
	if !isFinite(fix.CE90Metres) || !isFinite(fix.LE90Metres) {
		return Fix{}, ErrUnbounded
	}
	return fix, nil
}

// view is a camera looking through one pixel, with what the error estimate needs again.
type view struct {
	camera Camera
	u, v   float64
	frame  Frame // at the camera
	axes   axes
	q      r3.Vec  // direction of the pixel, of length norm
	norm   float64 // in focal lengths
	ray    r3.Vec  // q of length 1
	x, y   float64 // pixel in focal lengths from the principal point
}

func newView(camera Camera, u, v float64) view {
	a := camera.axes()
	q, x, y := camera.ray(a, u, v)
	norm := r3.Norm(q)
	return view{
		camera: camera, u: u, v: v, frame: FrameAt(camera.Position), axes: a,
		q: q, norm: norm, ray: r3.Scale(1/norm, q), x: x, y: y,
	}
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
	offAxis := r3.Sub(w.q, a.forward)
	lift := w.x*a.sinRoll + w.y*a.cosRoll
	return [inputGround]r3.Vec{
		inputEast:    {X: 1},
		inputNorth:   {Y: 1},
		inputUp:      {Z: 1},
		inputHeading: {X: reach * w.q.Y, Y: -reach * w.q.X}, // clockwise about up
		inputPitch:   r3.Scale(reach, r3.Sub(r3.Scale(lift, a.forward), a.down0)),
		inputRoll:    r3.Scale(reach, r3.Sub(r3.Scale(w.x, a.down), r3.Scale(w.y, a.right))),
		inputU:       r3.Scale(reach/w.camera.FxPx, a.right),
		inputV:       r3.Scale(reach/w.camera.FyPx, a.down),
		inputFocal:   r3.Scale(-reach, offAxis),
	}
}
