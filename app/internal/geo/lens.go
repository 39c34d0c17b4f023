package geo

import (
	"fmt"
	"math"
)

// Lens is the distortion model of Brown and Conrady in the order and sign of OpenCV. With x right and y down from the
// principal point in focal lengths, and r the distance from it, a point that a pinhole camera would put at (x, y) is seen at
//
//	x (1 + K1 r^2 + K2 r^4 + K3 r^6) + 2 P1 x y + P2 (r^2 + 2 x^2)
//	y (1 + K1 r^2 + K2 r^4 + K3 r^6) + P1 (r^2 + 2 y^2) + 2 P2 x y
//
// (OpenCV, calib3d, "Detailed Description"; Brown, Photogrammetric Engineering 37, 1971). The zero value is no distortion.
//
// Far enough from the principal point most such polynomials fold back: two directions then share a pixel, and the model
// says nothing about the lens any more. There the answer is ErrOutsideLens.
type Lens struct {
	K1, K2, P1, P2, K3 float64
}

// minStretch is the smallest stretch of the image, against a pinhole camera's, at which the model is believed: where it
// reaches 0 the model folds back, and at 0.01 an error of one pixel counts as a hundred.
const minStretch = 0.01

// Validate returns an error that wraps ErrInvalidInput unless the coefficients are finite.
func (l Lens) Validate() error {
	for _, k := range [...]float64{l.K1, l.K2, l.P1, l.P2, l.K3} {
		if !isFinite(k) {
			return fmt.Errorf("%w: distortion %+v is not finite", ErrInvalidInput, l)
		}
	}
	return nil
}

// symmetric2 is a symmetric 2 by 2 matrix. The derivative of the model is one: the model is the gradient of a potential.
type symmetric2 struct{ xx, xy, yy float64 }

func (m symmetric2) apply(x, y float64) (float64, float64) { return m.xx*x + m.xy*y, m.xy*x + m.yy*y }

func (m symmetric2) inverse() symmetric2 {
	det := m.xx*m.yy - m.xy*m.xy
	return symmetric2{xx: m.yy / det, xy: -m.xy / det, yy: m.xx / det}
}

// distort returns where the lens puts a point, and the derivative of that.
func (l *Lens) distort(x, y float64) (xd, yd float64, slope symmetric2) {
	s := x*x + y*y
	radial := 1 + s*(l.K1+s*(l.K2+s*l.K3))
	rate := l.K1 + s*(2*l.K2+s*3*l.K3) // of radial over s
	xd = x*radial + 2*l.P1*x*y + l.P2*(s+2*x*x)
	yd = y*radial + l.P1*(s+2*y*y) + 2*l.P2*x*y
	return xd, yd, symmetric2{
		xx: radial + 2*rate*x*x + 2*l.P1*y + 6*l.P2*x,
		xy: 2*rate*x*y + 2*l.P1*x + 2*l.P2*y,
		yy: radial + 2*rate*y*y + 6*l.P1*y + 2*l.P2*x,
	}
}

// holds reports whether the model can be believed at a distance from the principal point, of which it gets the square.
//
// The derivative has the eigenvalues 1 + k1 s + k2 s^2 + k3 s^3 and 1 + 3 k1 s + 5 k2 s^2 + 7 k3 s^3, s = r^2, less at most
// 6 |P| r for the decentring. Where they are positive in a whole disc, the derivative is positive definite there, so no two
// points of the disc share an image, and the inverse is unique.
func (l *Lens) holds(s float64) bool {
	least := minStretch + 6*math.Sqrt(s*(l.P1*l.P1+l.P2*l.P2))
	return leastCubic(l.K1, l.K2, l.K3, s) >= least && leastCubic(3*l.K1, 5*l.K2, 7*l.K3, s) >= least
}

// leastCubic returns the smallest value of 1 + a s + b s^2 + c s^3 for s from 0 to the given end.
func leastCubic(a, b, c, end float64) float64 {
	at := func(s float64) float64 { return 1 + s*(a+s*(b+s*c)) }
	least := min(1, at(end))
	// The extrema, in the form that stands a leading coefficient of 0: q and a/q are the roots times their coefficients.
	q := -b - math.Copysign(math.Sqrt(max(0, b*b-3*a*c)), b)
	for _, s := range [...]float64{q / (3 * c), a / q} {
		if s > 0 && s < end {
			least = min(least, at(s))
		}
	}
	return least
}

// bent is a point, how far its image lies from the one that is looked for, and how its image moves with it.
type bent struct {
	x, y, missX, missY float64
	slope              symmetric2
}

func (b *bent) miss() float64 { return math.Abs(b.missX) + math.Abs(b.missY) }

// undistort solves the model: which point does the lens put at (xd, yd), and how does that point move with it? The way
// there is Newton's, kept where the model holds. It takes two to six steps.
func (l *Lens) undistort(xd, yd float64) (x, y float64, slope symmetric2, err error) {
	if *l == (Lens{}) {
		return xd, yd, symmetric2{xx: 1, yy: 1}, nil
	}
	// good is where the steps may stop; enough is what may be left where they end in the noise of the numbers.
	const maxSteps, good, enough = 200, 1e-14, 1e-11 // so many only for what no lens does
	scale := 1 + math.Abs(xd) + math.Abs(yd)
	at, ok := l.start(xd, yd)
	for range maxSteps {
		if !ok || at.miss() <= good*scale {
			break
		}
		at, ok = l.closer(at, xd, yd)
	}
	if !(at.miss() <= enough*scale) {
		return 0, 0, symmetric2{}, ErrOutsideLens
	}
	return at.x, at.y, at.slope.inverse(), nil
}

// try returns how well a point does; ok is false where the model does not hold.
func (l *Lens) try(x, y, xd, yd float64) (at bent, ok bool) {
	if !l.holds(x*x + y*y) {
		return bent{}, false
	}
	atX, atY, slope := l.distort(x, y)
	return bent{x: x, y: y, missX: xd - atX, missY: yd - atY, slope: slope}, true
}

// start returns the image itself, or where the model does not hold there the first place on the way to the middle where it does.
func (l *Lens) start(xd, yd float64) (at bent, ok bool) {
	const halvings = 64 // from far beyond any lens into its very middle
	share := 1.0
	for range halvings {
		if at, ok = l.try(share*xd, share*yd, xd, yd); ok {
			return at, true
		}
		share /= 2
	}
	return bent{missX: math.Inf(1)}, false
}

// closer returns a point on Newton's way that does better; ok is false, and the point the same, if there is none.
func (l *Lens) closer(from bent, xd, yd float64) (at bent, ok bool) {
	const halvings = 20
	stepX, stepY := from.slope.inverse().apply(from.missX, from.missY)
	for range halvings {
		if at, ok = l.try(from.x+stepX, from.y+stepY, xd, yd); ok && math.Hypot(at.missX, at.missY) < math.Hypot(from.missX, from.missY) {
			return at, true
		}
		stepX, stepY = stepX/2, stepY/2
	}
	return from, false
}
