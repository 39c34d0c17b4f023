package geo

import (
	"math"

	"gonum.org/v1/gonum/spatial/r3"
)

// LocateOnTerrain is Locate on a height model: where the pixel (u, v) of a camera looks at the ground, and how far off that
// may be.
//
// The error of the ground is that of the model, or sigmas.GroundHeightMetres where the model states none. The slope of the
// ground is in the error: on a hillside that faces the camera the fix is better than on level land, on one that falls away
// it is worse, and an error along the slope is one of height too.
func LocateOnTerrain(camera Camera, u, v float64, terrain Terrain, sigmas Sigmas) (Fix, error) {
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
	if !isFinite(r3.Norm2(view.ray)) {
		return Fix{}, ErrInvalidInput
	}
	hit, soil, err := intersectTerrain(view.frame, view.ray, terrain)
	if err != nil {
		return Fix{}, err
	}
	if soil.sigmaMetres > 0 {
		sigmas.GroundHeightMetres = soil.sigmaMetres
	}
	fix := Fix{Hit: hit}
	if !view.linearOnTerrain(&fix, soil.normal, terrain, sigmas.byInput()) {
		if err = view.sampledOnTerrain(&fix, terrain, sigmas.byInput()); err != nil {
			return Fix{}, err
		}
	}
	if !isFinite(fix.CE90Metres) || !isFinite(fix.LE90Metres) {
		return Fix{}, ErrUnbounded
	}
	return fix, nil
}

// linearOnTerrain fills in the error to first order; ok is false where that does not hold: at shallow angles, and where
// the errors reach past a crest or to another slope.
func (w *view) linearOnTerrain(fix *Fix, normalECEF r3.Vec, terrain Terrain, sigmas deviations) (ok bool) {
	if fix.GrazingDeg < LinearGrazingDeg {
		return false
	}
	moves := w.moves(fix.Hit, normalECEF, sigmas)
	var sum covariance2
	var climb float64
	for _, m := range moves {
		sum.add(m.X, m.Y)
		climb += m.Z * m.Z
	}
	fix.Method, fix.Ellipse = Linear, sum.ellipse()
	fix.CE90Metres, fix.LE90Metres = fix.Ellipse.CE90Metres(), le90Factor*math.Sqrt(climb)
	return w.staysLinear(fix, &moves, terrain, sigmas)
}

// moves returns by how much one sigma of each input moves the fix along the ground, east, north and up in metres.
//
// It is linearEllipse on a plane that need not be level: dP = (I - d n'/(n'd)) (dC + t dd) + d dh/(n'd), where the normal n
// is as long as makes its upward part 1.
func (w *view) moves(hit Hit, normalECEF r3.Vec, sigmas deviations) (moves [inputCount]r3.Vec) {
	at, normal := FrameAt(hit.Point), w.frame.rotateToENU(normalECEF)
	fall := r3.Scale(1/r3.Dot(normal, w.ray), w.ray)
	columns := w.jacobian(hit.SlantRangeMetres)
	for k, sigma := range sigmas {
		move := fall
		if k != inputGround {
			move = r3.Sub(columns[k], r3.Scale(r3.Dot(normal, columns[k]), fall))
		}
		moves[k] = at.rotateToENU(w.frame.rotateToECEF(r3.Scale(sigma, move)))
	}
	return moves
}

// staysLinear marches to the four ends of the axes of the 90 % ellipse: with the most likely deviations that to first order
// lead there, the rays must meet the ground within a quarter of the CE90 of them.
func (w *view) staysLinear(fix *Fix, moves *[inputCount]r3.Vec, terrain Terrain, sigmas deviations) bool {
	to, columns := w.target(fix, terrain), w.jacobian(fix.SlantRangeMetres)
	sin, cos := math.Sincos(radians(fix.Ellipse.MajorAzimuthDeg))
	reach := [...]float64{fix.Ellipse.SigmaMajorMetres, fix.Ellipse.SigmaMinorMetres}
	for i, axis := range [...]r3.Vec{{X: sin, Y: cos}, {X: cos, Y: -sin}} {
		if reach[i] < 1e-3 {
			continue // a segment, or exact
		}
		const rayleigh90 = 2.145966026289347 // as in Ellipse.SemiAxes90Metres
		var likeliest deviations
		for k, move := range moves {
			likeliest[k] = rayleigh90 * sigmas[k] * r3.Dot(move, axis) / reach[i]
		}
		for _, sign := range [...]float64{1, -1} {
			for k := range likeliest {
				likeliest[k] *= sign
			}
			want := r3.Scale(sign*rayleigh90*reach[i], axis)
			got := w.displaced(&columns, fix.Hit, &to, &likeliest)
			if !(math.Hypot(got.X-want.X, got.Y-want.Y) <= fix.CE90Metres/4) {
				return false
			}
		}
	}
	return true
}

// sampledOnTerrain is sampledEllipse with each ray marched over the terrain itself, because at shallow angles a ridge in
// front or the valley behind are within the errors. A ray that finds no ground counts as infinitely far.
func (w *view) sampledOnTerrain(fix *Fix, terrain Terrain, sigmas deviations) error {
	var offsets [2 * latticePoints]r3.Vec
	var squares, climbs [2 * latticePoints]float64
	s := w.spread(fix.Hit, &sigmas)
	to, lowered, left := w.target(fix, terrain), 0.0, 0.0
	// The points know by how much the camera is off over the ground, which is an error of both. Of a given sum the ground has
	// this share, and what is left is independent of it.
	if both := math.Hypot(sigmas[inputUp], sigmas[inputGround]); both > 0 {
		lowered, left = sigmas[inputGround]/both*sigmas[inputGround]/both, sigmas[inputUp]*sigmas[inputGround]/both
	}
	for i := range offsets {
		m, part := s.move(&standardNormals[i/2]), 1-2*float64(i%2)
		offsets[i] = w.landing(&s, &m, part, &to)
		squares[i] = offsets[i].X*offsets[i].X + offsets[i].Y*offsets[i].Y
		climbs[i] = math.Abs(offsets[i].Z - lowered*part*m.heightMetres)
	}
	square := nth(squares[:], len(squares)*9/10)
	if math.IsInf(square, 1) {
		return ErrUnbounded
	}
	fix.Method, fix.CE90Metres = Sampled, math.Sqrt(square)
	fix.LE90Metres = math.Hypot(nth(climbs[:], len(climbs)*9/10), le90Factor*left)
	var sum covariance2
	for _, offset := range offsets {
		if offset.X*offset.X+offset.Y*offset.Y <= square {
			sum.add(offset.X, offset.Y)
		}
	}
	fix.Ellipse = sum.ellipse()
	if raw := fix.Ellipse.CE90Metres(); raw > 0 {
		fix.Ellipse.SigmaMajorMetres *= fix.CE90Metres / raw
		fix.Ellipse.SigmaMinorMetres *= fix.CE90Metres / raw
	}
	return nil
}

// landing is spread.place on a height model: where the ray meets the ground after a part of a move, east, north and up of
// the fix.
func (w *view) landing(s *spread, m *move, part float64, to *target) r3.Vec {
	tilt := r3.Scale(part, m.tilt)
	ray := r3.Add(s.ray, r3.Scale(1+r3.Norm2(tilt)*(1./3), tilt))
	sin, cos := math.Sincos(part * m.headingRad)
	ray = r3.Vec{X: ray.X*cos + ray.Y*sin, Y: ray.Y*cos - ray.X*sin, Z: ray.Z}
	from := r3.Scale(part, r3.Vec{X: m.eastMetres, Y: m.northMetres, Z: m.heightMetres})
	return w.landed(from, ray, 0, to)
}

// target is what a camera that is a little off looks at.
type target struct {
	frame   Frame // at the fix
	terrain Terrain
	near    anchor
}

func (w *view) target(fix *Fix, terrain Terrain) target {
	return target{frame: FrameAt(fix.Point), terrain: terrain, near: anchorAt(w.frame.origin)}
}

// landed returns where a ray from beside the camera meets the ground, which is higher than the model says, east, north and up
// of the fix.
func (w *view) landed(from, ray r3.Vec, liftMetres float64, to *target) r3.Vec {
	m := march{
		terrain: to.terrain, liftMetres: liftMetres, near: to.near,
		origin: w.frame.ECEF(from), direction: r3.Unit(w.frame.rotateToECEF(ray)),
	}
	slant, _, err := m.run()
	if err != nil {
		return r3.Vec{X: math.Inf(1), Z: math.Inf(1)}
	}
	return to.frame.ENU(r3.Add(m.origin, r3.Scale(slant, m.direction)))
}

// displaced returns where the ray meets the ground when the inputs deviate.
func (w *view) displaced(columns *[inputGround]r3.Vec, hit Hit, to *target, d *deviations) r3.Vec {
	end := r3.Scale(hit.SlantRangeMetres, w.ray)
	for k := inputHeading; k < inputGround; k++ {
		end = r3.Add(end, r3.Scale(d[k], columns[k]))
	}
	return w.landed(r3.Vec{X: d[inputEast], Y: d[inputNorth], Z: d[inputUp]}, end, d[inputGround], to)
}
