package geo

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/spatial/r3"
)

// draws is the number of samples. With 500 the probability that the 90 % circle really holds has a sigma of 1.3 %.
const draws = 500

// displacement is where one draw meets the ground, in metres from the fix.
type displacement struct{ east, north, distance float64 }

// sampledEllipse draws the inputs from their distributions and looks where the rays meet the ground. The CE90 is the 90 %
// quantile of the distances from the fix, in which a draw that misses the ground counts as infinitely far. The ellipse
// takes its shape from the draws within that distance, because a few hits near the horizon would stretch it without
// bound, and its size from the CE90.
func (w *view) sampledEllipse(hit Hit, sigmas deviations) (ce90Metres float64, shape Ellipse, err error) {
	var samples [draws]displacement
	w.sample(&samples, hit, sigmas)
	slices.SortFunc(samples[:], func(a, b displacement) int {
		switch {
		case a.distance < b.distance:
			return -1
		case a.distance > b.distance:
			return 1
		default:
			return 0
		}
	})
	const inside = draws * 9 / 10
	ce90Metres = samples[inside].distance
	if math.IsInf(ce90Metres, 1) {
		return 0, Ellipse{}, ErrUnbounded
	}
	var sum covariance2
	for _, s := range samples[:inside] {
		sum.add(s.east, s.north)
	}
	shape = sum.ellipse()
	if raw := shape.CE90Metres(); raw > 0 {
		shape.SigmaMajorMetres *= ce90Metres / raw
		shape.SigmaMinorMetres *= ce90Metres / raw
	}
	return ce90Metres, shape, nil
}

// sample fills in the displacements. Draws come in pairs of opposite sign, so that their mean is exact.
func (w *view) sample(samples *[draws]displacement, hit Hit, sigmas deviations) {
	at, columns := FrameAt(hit.Point), w.jacobian(hit.SlantRangeMetres)
	normal := normals{state: 1}
	for i := 0; i < draws; i += 2 {
		var plus, minus deviations
		for k, sigma := range sigmas {
			d := sigma * normal.next()
			plus[k], minus[k] = d, -d
		}
		samples[i] = w.displaced(at, &columns, hit, &plus)
		samples[i+1] = w.displaced(at, &columns, hit, &minus)
	}
}

// displaced returns where the ray meets the ground when the inputs deviate, in metres from a frame at the hit.
//
// The direction follows its derivatives, which for a few degrees is as good as turning the camera. What is far from linear
// at shallow angles is the intersection, and that is the closed form: past height 0 it is off by up to 1e-5 of the height,
// far below the errors it serves to measure.
func (w *view) displaced(at Frame, columns *[inputGround]r3.Vec, hit Hit, d *deviations) displacement {
	miss := displacement{distance: math.Inf(1)}
	surface := hit.Point.HAEMetres + d[inputGround]
	if w.camera.Position.HAEMetres+d[inputUp] <= surface {
		return miss
	}
	end := r3.Scale(hit.SlantRangeMetres, w.ray)
	for k := inputHeading; k < inputGround; k++ {
		end.X += d[k] * columns[k].X
		end.Y += d[k] * columns[k].Y
		end.Z += d[k] * columns[k].Z
	}
	origin := w.frame.ECEF(r3.Vec{X: d[inputEast], Y: d[inputNorth], Z: d[inputUp]})
	direction := w.frame.rotateToECEF(end)
	scale, ok := slantToInflated(origin, direction, surface)
	if !ok {
		return miss
	}
	enu := at.ENU(r3.Add(origin, r3.Scale(scale, direction)))
	return displacement{east: enu.X, north: enu.Y, distance: math.Hypot(enu.X, enu.Y)}
}

// normals is a fixed sequence of standard normal numbers: splitmix64 (Steele, Lea, Flood, OOPSLA 2014) through the inverse
// of the normal distribution. The same pose therefore always gets the same error estimate.
type normals struct{ state uint64 }

func (n *normals) next() float64 {
	n.state += 0x9e3779b97f4a7c15
	z := n.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	uniform := (float64(z>>11) + 0.5) / (1 << 53) // in the open interval (0, 1)
	return math.Sqrt2 * math.Erfinv(2*uniform-1)
}
