package geo

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// The World Magnetic Model 2025 (NOAA/NCEI and British Geological Survey; technical report: Chulliat et al. 2025) is meant
// for the years 2025.0 to 2030.0. It is believed for a year before and after, with linear change as within; there
// MagneticField.Extrapolated is set. A new model comes every five years.
const (
	WMMFirstYear    = 2025.0
	WMMLastYear     = 2030.0
	wmmSlackYears   = 1.0
	wmmDegree       = 12
	wmmTerms        = wmmDegree * (wmmDegree + 3) / 2
	wmmRadiusMetres = 6371200.0 // geomagnetic reference radius
)

// WMMBlackoutNanotesla is the horizontal intensity below which compasses are not to be used: the blackout zones around the
// magnetic poles (WMM2025 technical report).
const WMMBlackoutNanotesla = 2000.0

// ErrOutsideMagneticModel means that the date lies too far outside the years of the World Magnetic Model.
var ErrOutsideMagneticModel = errors.New("outside the years of the magnetic model")

// MagneticField is what a compass sees of the magnetic field of the earth.
type MagneticField struct {
	DeclinationDeg      float64 // magnetic north as seen from true north, positive east, -180..180
	SigmaDeg            float64 // standard deviation of the declination
	HorizontalNanotesla float64
	Extrapolated        bool // the date lies outside the years that the model is meant for
}

// DecimalYear returns a time as a year and the part of it that has passed, in UTC.
func DecimalYear(t time.Time) float64 {
	t = t.UTC()
	start := time.Date(t.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	year := start.AddDate(1, 0, 0).Sub(start)
	return float64(t.Year()) + float64(t.Sub(start))/float64(year)
}

// MagneticFieldAt evaluates the World Magnetic Model 2025.
//
// The sigma is the error model of the report: sqrt(0.26^2 + (5417/H)^2) degrees with H in nanotesla, which
// covers the model, the crust and the disturbance field; at most 104 degrees, that of a direction of which nothing is known.
func MagneticFieldAt(p LatLonHAE, decimalYear float64) (MagneticField, error) {
	if !p.Valid() {
		return MagneticField{}, fmt.Errorf("%w: position %+v", ErrInvalidInput, p)
	}
	if !(decimalYear >= WMMFirstYear-wmmSlackYears && decimalYear < WMMLastYear+wmmSlackYears) {
		return MagneticField{}, fmt.Errorf("%w: %.2f", ErrOutsideMagneticModel, decimalYear)
	}
	north, east := horizontalField(p, decimalYear-WMMFirstYear)
	horizontal := math.Hypot(north, east)
	const offsetDeg, degNanotesla, unknownDeg = 0.26, 5417.0, 104.0
	return MagneticField{
		DeclinationDeg:      degrees(math.Atan2(east, north)),
		SigmaDeg:            min(unknownDeg, math.Hypot(offsetDeg, degNanotesla/horizontal)),
		HorizontalNanotesla: horizontal,
		Extrapolated:        decimalYear < WMMFirstYear || decimalYear >= WMMLastYear,
	}, nil
}

// legendre holds what a degree and the two below it need of the Schmidt semi-normalised functions of the order m, of the
// geocentric latitude. For m > 0 they are divided by its cosine, so that the poles need no limit.
type legendre struct{ value, slope float64 }

// horizontalField sums the spherical harmonics of the report to nanotesla to the geodetic north and east.
func horizontalField(p LatLonHAE, years float64) (north, east float64) {
	ecef := p.ECEF()
	radius := math.Sqrt(ecef.X*ecef.X + ecef.Y*ecef.Y + ecef.Z*ecef.Z)
	level := math.Hypot(ecef.X, ecef.Y)
	sinLat, cosLat := ecef.Z/radius, level/radius
	sinLon, cosLon := math.Sincos(radians(p.LonDeg))

	var powers [wmmDegree + 1]float64 // of the ratio of the radii, n+2 for degree n
	ratio := wmmRadiusMetres / radius
	powers[0] = ratio * ratio
	for n := range wmmDegree {
		powers[n+1] = powers[n] * ratio
	}
	var x, y, z float64 // in the geocentric frame: north, east, down
	sinM, cosM := 0.0, 1.0
	diagonal := legendre{value: 1}
	for m := 0; m <= wmmDegree; m++ {
		if m > 0 {
			sinM, cosM = sinM*cosLon+cosM*sinLon, cosM*cosLon-sinM*sinLon
			diagonal = nextDiagonal(diagonal, m, sinLat, cosLat)
		}
		before, at := legendre{}, diagonal
		for n := m; n <= wmmDegree; n++ {
			if n > m {
				before, at = at, nextDegree(at, before, n, m, sinLat, cosLat)
			}
			if n == 0 {
				continue
			}
			c := &wmmCoefficients[n*(n+1)/2+m-1]
			g, h := c.g+years*c.gRate, c.h+years*c.hRate
			along := powers[n] * (g*cosM + h*sinM)
			x -= along * slope(at, m, sinLat, cosLat)
			z -= float64(n+1) * along * value(at, m, cosLat)
			y += powers[n] * float64(m) * (g*sinM - h*cosM) * at.value
		}
	}
	// The geodetic vertical leans from the geocentric one by the difference of the latitudes.
	sinGeodetic, cosGeodetic := math.Sincos(radians(p.LatDeg))
	sinLean, cosLean := sinLat*cosGeodetic-cosLat*sinGeodetic, cosLat*cosGeodetic+sinLat*sinGeodetic
	return x*cosLean - z*sinLean, y
}

// value and slope return the function and its derivative over the latitude, with the cosine that was divided out.
func value(at legendre, m int, cosLat float64) float64 {
	if m == 0 {
		return at.value
	}
	return at.value * cosLat
}

func slope(at legendre, m int, sinLat, cosLat float64) float64 {
	if m == 0 {
		return at.slope
	}
	return at.slope*cosLat - at.value*sinLat
}

// nextDiagonal goes from degree and order m-1 to m.
func nextDiagonal(at legendre, m int, sinLat, cosLat float64) legendre {
	if m == 1 {
		return legendre{value: 1} // the cosine itself, divided by the cosine
	}
	factor := math.Sqrt(float64(2*m-1) / float64(2*m))
	return legendre{value: factor * cosLat * at.value, slope: factor * (cosLat*at.slope - sinLat*at.value)}
}

// nextDegree goes from the degrees n-1 and n-2 to n.
func nextDegree(at, before legendre, n, m int, sinLat, cosLat float64) legendre {
	up, down := float64(2*n-1), math.Sqrt(float64((n-1)*(n-1)-m*m))
	length := math.Sqrt(float64(n*n - m*m))
	return legendre{
		value: (up*sinLat*at.value - down*before.value) / length,
		slope: (up*(sinLat*at.slope+cosLat*at.value) - down*before.slope) / length,
	}
}
