package geo

import (
	"math"

	"gonum.org/v1/gonum/spatial/r3"
)

// march follows a ray over a height model, patch by patch, to the first point where it is not above the ground.
type march struct {
	terrain           Terrain
	origin, direction r3.Vec  // ECEF
	liftMetres        float64 // added to the height of all known ground
	near              anchor
}

// anchor is a meridian and a parallel near which latitudes and longitudes are taken without trigonometry.
type anchor struct {
	latDeg, sinLat, cosLat float64
	lonDeg, sinLon, cosLon float64
}

// anchorAt returns the anchor at an ECEF point.
func anchorAt(v r3.Vec) anchor {
	var a anchor
	a.sinLat, a.cosLat, _ = geodetic(v)
	a.sinLon, a.cosLon = unit2(v.Y, v.X)
	a.latDeg, a.lonDeg = degrees(math.Atan2(a.sinLat, a.cosLat)), degrees(math.Atan2(a.sinLon, a.cosLon))
	return a
}

// angleDeg returns an angle from its sine and cosine, given a near one. Within 0.1 radians the series of the arcsine is good
// to 1e-12 radians.
func angleDeg(sin, cos, nearDeg, nearSin, nearCos float64) float64 {
	x := sin*nearCos - cos*nearSin
	x2 := x * x
	if !(x2 < 0.01) || cos*nearCos+sin*nearSin < 0 {
		return degrees(math.Atan2(sin, cos))
	}
	return nearDeg + degrees(x*(1+x2*(1./6+x2*(3./40+x2*(15./336+x2*105./3456)))))
}

const (
	// leastStepMetres keeps rounding at the edge of a patch from stopping the march. A patch holds that far beyond its edge.
	leastStepMetres = 0.02
	// surfaceStepMetres is the longest step over a Surface. Over it a path leaves its expansion in path by 6 mm,
	// times the tangent of the latitude.
	surfaceStepMetres = 200
	// boundedLeaveMetres is how far a path may leave its expansion over a Bounded patch. At half of ClearanceMetres above
	// the ceiling there is nothing to hit just beyond its edge.
	boundedLeaveMetres = 0.5
)

// run returns the length of the ray down to the ground, and the patch that it hits.
//
// Each step stays within one cell of the grid. There the height of the ray above the ground is a quadratic, whose first zero
// is in closed form, so no ridge is too thin to be seen; equal steps, however small, have no such bound. Over ground that is
// bounded from above, steps are as long as the bound allows.
func (m *march) run() (slantMetres float64, patch Patch, err error) {
	for slantMetres <= MaxSlantRangeMetres {
		at := m.near.path(r3.Add(m.origin, r3.Scale(slantMetres, m.direction)), m.direction)
		at.haeMetres -= m.liftMetres
		if at.climb >= 0 && at.haeMetres > HighestGroundHAEMetres {
			return 0, Patch{}, ErrNoGroundIntersection
		}
		patch = m.patch(&at)
		exit := at.exitMetres(&patch)
		switch patch.Kind {
		case Surface:
			exit = min(exit, surfaceStepMetres)
			above := at.above(&patch.Bilinear)
			if above[0] <= 0 && slantMetres == 0 {
				return 0, Patch{}, ErrCameraBelowSurface
			}
			if step, ok := firstZero(above, exit+leastStepMetres); ok {
				return slantMetres + step, patch, nil
			}
		case Bounded:
			exit = at.overMetres(exit, patch.CeilingHAEMetres+ClearanceMetres/2)
		case Unknown:
			if at.lowestMetres(exit) <= patch.CeilingHAEMetres {
				return 0, Patch{}, at.lost(&patch)
			}
		}
		slantMetres += max(exit, 0) + leastStepMetres
	}
	if at := m.near.path(r3.Add(m.origin, r3.Scale(slantMetres, m.direction)), m.direction); at.climb >= 0 {
		return 0, Patch{}, ErrNoGroundIntersection
	}
	return 0, Patch{}, ErrTooShallow
}

// lost is why there is no hit on a path that comes to unknown ground. One that climbs out of the model looks at the sky, and
// so it does whatever height is stated for the ground; over a void there is ground of which the model knows some.
func (p *path) lost(patch *Patch) error {
	if p.climb >= 0 && patch.CeilingHAEMetres >= HighestGroundHAEMetres {
		return ErrNoGroundIntersection
	}
	return ErrNoTerrain
}

// patch asks the terrain, but for heights at which there is no ground anywhere.
func (m *march) patch(at *path) Patch {
	if at.haeMetres > HighestGroundHAEMetres+ClearanceMetres {
		return Patch{
			Kind: Bounded, SouthDeg: -math.MaxFloat64, NorthDeg: math.MaxFloat64, WestDeg: -math.MaxFloat64,
			EastDeg: math.MaxFloat64, CeilingHAEMetres: HighestGroundHAEMetres,
		}
	}
	return m.terrain.Patch(at.latDeg, at.lonDeg, at.haeMetres)
}

// path is a straight line in space near one of its points, in geodetic terms: latitude and longitude to first order in the
// distance, the height to second order.
type path struct {
	latDeg, lonDeg, haeMetres         float64
	degPerMetreNorth, degPerMetreEast float64 // of latitude, of longitude
	northDeg, eastDeg                 float64 // for each metre of path
	climb                             float64 // metres of height for each metre of path
	bend                              float64 // metres of height for each square metre: the ground falls away
	tanLat                            float64
}

// path expands the line from an ECEF point into a direction of length 1.
//
// Latitude and height come from one iteration of Bowring's formula, as in geodetic, which up to 100 km high is good to a
// millimetre. The radii of curvature are those in the prime vertical and in the meridian (Torge, Geodesy, section 4.1).
func (a *anchor) path(from, direction r3.Vec) path {
	across := math.Sqrt(from.X*from.X + from.Y*from.Y)
	cosLon, sinLon := 1.0, 0.0
	if across > 0 {
		cosLon, sinLon = from.X/across, from.Y/across
	}
	sin, cos := unit2(from.Z, across*(1-flattening))
	sinLat, cosLat := unit2(from.Z+ecc2Prime*semiMinorMetres*sin*sin*sin, across-ecc2*semiMajorMetres*cos*cos*cos)
	w2 := 1 - ecc2*sinLat*sinLat
	w := math.Sqrt(w2)
	hae := across*cosLat + from.Z*sinLat - semiMajorMetres*w
	outward := direction.X*cosLon + direction.Y*sinLon
	p := path{
		latDeg: angleDeg(sinLat, cosLat, a.latDeg, a.sinLat, a.cosLat), haeMetres: hae,
		lonDeg: wrapLonDeg(angleDeg(sinLon, cosLon, a.lonDeg, a.sinLon, a.cosLon)),
		climb:  outward*cosLat + direction.Z*sinLat,
	}
	cosLat = max(cosLat, 1e-12) // at a pole, where all longitudes are one
	primeVertical := semiMajorMetres / w
	curvature := 1 / (primeVertical + hae)
	p.tanLat = math.Abs(sinLat) / cosLat
	p.degPerMetreNorth = degrees(1 / (primeVertical*(1-ecc2)/w2 + hae))
	p.degPerMetreEast = degrees(curvature) / cosLat
	p.northDeg = p.degPerMetreNorth * (direction.Z*cosLat - outward*sinLat)
	p.eastDeg = p.degPerMetreEast * (direction.Y*cosLon - direction.X*sinLon)
	p.bend = max(0, 1-p.climb*p.climb) * curvature / 2
	return p
}

// exitMetres returns how far the path stays within a patch.
func (p *path) exitMetres(patch *Patch) float64 {
	return min(
		distance(patch.NorthDeg-p.latDeg, patch.SouthDeg-p.latDeg, p.northDeg),
		distance(patch.EastDeg-p.lonDeg, patch.WestDeg-p.lonDeg, p.eastDeg),
	)
}

// distance returns how far it is to the one of two limits that lies ahead.
func distance(up, down, rate float64) float64 {
	switch {
	case rate > 0:
		return up / rate
	case rate < 0:
		return down / rate
	default:
		return math.Inf(1)
	}
}

// overMetres shortens a distance to where the path is surely above a height and near its expansion.
func (p *path) overMetres(exit, haeMetres float64) float64 {
	exit = min(exit, math.Sqrt(boundedLeaveMetres*semiMinorMetres/(1+p.tanLat)))
	if p.climb < 0 {
		exit = min(exit, (p.haeMetres-haeMetres)/-p.climb) // the tangent, which the path never goes below
	}
	return exit
}

// lowestMetres returns a height that the path does not go below within a distance.
func (p *path) lowestMetres(distance float64) float64 {
	return p.haeMetres + min(0, p.climb*distance)
}

// above returns the coefficients of the height above the ground, by powers of the distance.
func (p *path) above(b *Bilinear) [3]float64 {
	northPerDeg, eastPerDeg := b.slope(p.latDeg, p.lonDeg)
	return [3]float64{
		p.haeMetres - b.HAEAt(p.latDeg, p.lonDeg),
		p.climb - northPerDeg*p.northDeg - eastPerDeg*p.eastDeg,
		p.bend - b.TwistPerDeg2*p.northDeg*p.eastDeg,
	}
}

// firstZero returns where in 0..end the quadratic a[0] + a[1] x + a[2] x^2 is first at or below zero. The form of the roots
// is the one that does not subtract nearly equal numbers (Press et al., Numerical Recipes, section 5.6).
func firstZero(a [3]float64, end float64) (x float64, ok bool) {
	if a[0] <= 0 {
		return 0, true
	}
	if a[0]+min(0, a[1]*end)+min(0, a[2]*end*end) > 0 {
		return 0, false
	}
	discriminant := a[1]*a[1] - 4*a[0]*a[2]
	if !(discriminant >= 0) {
		return 0, false
	}
	q := -(a[1] + math.Copysign(math.Sqrt(discriminant), a[1])) / 2
	x = math.Inf(1)
	for _, root := range [...]float64{a[0] / q, q / a[2]} { // NaN and infinities where there is no such root
		if root >= 0 && root < x {
			x = root
		}
	}
	return x, x <= end
}
