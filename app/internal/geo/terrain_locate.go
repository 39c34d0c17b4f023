package geo

import (
	"math"
	"slices"

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
	at, columns := FrameAt(fix.Point), w.jacobian(fix.SlantRangeMetres)
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
			got := w.displacedOnTerrain(at, &columns, fix.Hit, terrain, &likeliest)
			if !(math.Hypot(got.X-want.X, got.Y-want.Y) <= fix.CE90Metres/4) {
				return false
			}
		}
	}
	return true
}

// sampledOnTerrain is sampledEllipse with each draw marched over the terrain itself, because at shallow angles a ridge in front
// or the valley behind are within the errors. A draw that finds no ground counts as infinitely far.
func (w *view) sampledOnTerrain(fix *Fix, terrain Terrain, sigmas deviations) error {
	var distances, climbs [terrainDraws]float64
	var offsets [terrainDraws]r3.Vec
	fix.Method = Sampled
	w.drawTerrain(&offsets, fix.Hit, terrain, sigmas)
	for i, offset := range offsets {
		distances[i], climbs[i] = math.Hypot(offset.X, offset.Y), math.Abs(offset.Z)
	}
	slices.Sort(distances[:])
	slices.Sort(climbs[:])
	const inside = terrainDraws * 9 / 10
	if math.IsInf(distances[inside], 1) {
		return ErrUnbounded
	}
	fix.CE90Metres, fix.LE90Metres = distances[inside], climbs[inside]
	var sum covariance2
	for _, offset := range offsets {
		if math.Hypot(offset.X, offset.Y) < fix.CE90Metres {
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

// drawTerrain fills in how far the draws lie from the fix, east, north and up in metres. Draws come in pairs of opposite
// sign, so that their mean is exact.
func (w *view) drawTerrain(offsets *[terrainDraws]r3.Vec, hit Hit, terrain Terrain, sigmas deviations) {
	at, columns := FrameAt(hit.Point), w.jacobian(hit.SlantRangeMetres)
	noise := gaussian{state: 1}
	for i := 0; i < terrainDraws; i += 2 {
		var plus, minus deviations
		for k, sigma := range sigmas {
			d := sigma * noise.next()
			plus[k], minus[k] = d, -d
		}
		offsets[i] = w.displacedOnTerrain(at, &columns, hit, terrain, &plus)
		offsets[i+1] = w.displacedOnTerrain(at, &columns, hit, terrain, &minus)
	}
}

// displacedOnTerrain is displaced on a height model.
func (w *view) displacedOnTerrain(at Frame, columns *[inputGround]r3.Vec, hit Hit, terrain Terrain, d *deviations) r3.Vec {
	end := r3.Scale(hit.SlantRangeMetres, w.ray)
	for k := inputHeading; k < inputGround; k++ {
		end = r3.Add(end, r3.Scale(d[k], columns[k]))
	}
	m := march{
		terrain: terrain, liftMetres: d[inputGround],
		origin:    w.frame.ECEF(r3.Vec{X: d[inputEast], Y: d[inputNorth], Z: d[inputUp]}),
		direction: r3.Unit(w.frame.rotateToECEF(end)),
	}
	slant, _, err := m.run()
	if err != nil {
		return r3.Vec{X: math.Inf(1), Z: math.Inf(1)}
	}
	return at.ENU(r3.Add(m.origin, r3.Scale(slant, m.direction)))
}

// terrainDraws is the number of samples. With 500 the probability that the 90 % circle really holds has a sigma of 1.3 %.
const terrainDraws = 500

// gaussian is a fixed sequence of standard normal numbers: splitmix64 (Steele, Lea, Flood, OOPSLA 2014) through the inverse
// of the normal distribution. The same pose therefore always gets the same error estimate.
type gaussian struct{ state uint64 }

func (g *gaussian) next() float64 {
	g.state += 0x9e3779b97f4a7c15
	z := g.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	uniform := (float64(z>>11) + 0.5) / (1 << 53) // in the open interval (0, 1)
	return math.Sqrt2 * math.Erfinv(2*uniform-1)
}
