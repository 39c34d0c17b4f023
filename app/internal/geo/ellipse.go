package geo

import "math"

// Ellipse is a horizontal error ellipse of one standard deviation.
type Ellipse struct {
	SigmaMajorMetres float64
	SigmaMinorMetres float64
	MajorAzimuthDeg  float64 // of the major axis, clockwise from true north, 0..180
}

// SemiAxes90Metres returns the semi-axes of the ellipse that holds the truth with 90 % probability. It is larger than one
// sigma by sqrt(-2 ln 0.1), the 90 % quantile of a Rayleigh distribution.
func (e Ellipse) SemiAxes90Metres() (major, minor float64) {
	const rayleigh90 = 2.145966026289347
	return rayleigh90 * e.SigmaMajorMetres, rayleigh90 * e.SigmaMinorMetres
}

// CE90Metres returns the radius of the circle around the centre that holds the truth with 90 % probability.
func (e Ellipse) CE90Metres() float64 {
	if e.SigmaMajorMetres == 0 {
		return 0
	}
	return ce90Factor(e.SigmaMinorMetres/e.SigmaMajorMetres) * e.SigmaMajorMetres
}

// ce90Factor returns CE90 in units of the larger sigma, for the ratio of the smaller sigma to the larger, 0..1.
// Between the nodes it interpolates linearly, 0.02 % off at most.
func ce90Factor(ratio float64) float64 {
	// Circular error probability at 90 % for ratios 0, 0.05 .. 1, from ossimlabs/ossim (MIT),
	// src/projection/ossimPositionQualityEvaluator.cpp.
	table := [...]float64{
		1.644854, 1.645623, 1.647912, 1.651786, 1.657313, 1.664580, 1.673829, 1.685227, 1.699183, 1.716257, 1.737080,
		1.762122, 1.791522, 1.825112, 1.862530, 1.903349, 1.947158, 1.993595, 2.042360, 2.093214, 2.145966,
	}
	const cells = len(table) - 1
	index, place := cell(max(0, min(1, ratio))*float64(cells), cells)
	return (1-place)*table[index] + place*table[index+1]
}

// le90Factor is the 90 % quantile of the absolute value of a standard normal variable.
const le90Factor = 1.6448536269514722

// covariance2 is a horizontal covariance, in square metres.
type covariance2 struct{ ee, en, nn float64 }

func (c *covariance2) add(east, north float64) {
	c.ee += east * east
	c.en += east * north
	c.nn += north * north
}

// ellipse takes the square roots of the eigenvalues. Scaling by the trace keeps tiny and huge ones from under- and overflow.
func (c covariance2) ellipse() Ellipse {
	trace := c.ee + c.nn
	if trace == 0 {
		return Ellipse{}
	}
	half := (c.ee - c.nn) / (2 * trace)
	root := math.Hypot(half, c.en/trace)
	azimuth := degrees(math.Pi/2 - math.Atan2(c.en/trace, half)/2)
	if azimuth >= 180 {
		azimuth -= 180
	}
	return Ellipse{
		SigmaMajorMetres: math.Sqrt(trace * (0.5 + root)),
		SigmaMinorMetres: math.Sqrt(trace * max(0, 0.5-root)),
		MajorAzimuthDeg:  azimuth,
	}
}
