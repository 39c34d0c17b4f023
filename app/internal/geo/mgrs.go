package geo

import (
	"errors"
	"fmt"
	"math"
)

// ErrNoMGRS means that a position lies outside the reach of UTM, 80 degrees south to 84 degrees north.
var ErrNoMGRS = errors.New("no MGRS reference: outside 80 S to 84 N")

// MGRS returns a position as a reference of the Military Grid Reference System (NGA.STND.0037), with this many digits for
// each axis: 5 name a square metre, 4 one of 10 m, 0 one of 100 km. As the standard wants it, digits are cut off, not rounded.
func MGRS(latDeg, lonDeg float64, digits int) (string, error) {
	if !(latDeg >= -80 && latDeg <= 84) || !(math.Abs(lonDeg) <= 360) || digits < 0 || digits > 5 {
		return "", ErrNoMGRS
	}
	lonDeg = wrapLonDeg(lonDeg)
	zone := utmZone(latDeg, lonDeg)
	east, north := transverseMercator(latDeg, lonDeg-float64(6*zone-183))
	easting, northing := 500000+east, north
	if latDeg < 0 {
		northing = min(north+10e6, 10e6-1e-6)
	}
	const bands, columns, rows = "CDEFGHJKLMNPQRSTUVWX", "ABCDEFGHJKLMNPQRSTUVWXYZ", "ABCDEFGHJKLMNPQRSTUV"
	const square = 100000
	band := bands[min(int(latDeg+80)/8, len(bands)-1)]
	column := columns[(zone-1)%3*8+int(easting)/square-1]
	row := rows[(int(northing)/square+5*((zone+1)%2))%len(rows)]
	if digits == 0 {
		return fmt.Sprintf("%d%c%c%c", zone, band, column, row), nil
	}
	cut := int(math.Pow10(5 - digits))
	return fmt.Sprintf("%d%c%c%c%0*d%0*d", zone, band, column, row, digits, int(easting)%square/cut, digits, int(northing)%square/cut), nil
}

// utmZone returns the zone, with the wider ones of Norway and Svalbard.
func utmZone(latDeg, lonDeg float64) int {
	switch {
	case latDeg >= 56 && latDeg < 64 && lonDeg >= 3 && lonDeg < 12:
		return 32
	case latDeg >= 72 && lonDeg >= 0 && lonDeg < 42:
		return 31 + 2*(int(lonDeg+3)/12)
	}
	return int(lonDeg+180)/6 + 1
}

// transverseMercator returns metres east and north of where the central meridian crosses the equator, in UTM's scale. It is
// Krueger's series to the fourth order in the third flattening, good to a micrometre within a zone (Karney, Journal of
// Geodesy 85, 2011, equations 7 to 11, 35).
func transverseMercator(latDeg, lonFromMeridianDeg float64) (east, north float64) {
	const (
		n      = flattening / (2 - flattening)
		scale  = 0.9996
		radius = semiMajorMetres / (1 + n) * (1 + n*n/4 + n*n*n*n/64)
	)
	alpha := [...]float64{
		n/2 - n*n*2/3 + n*n*n*5/16 + n*n*n*n*41/180,
		n*n*13/48 - n*n*n*3/5 + n*n*n*n*557/1440,
		n*n*n*61/240 - n*n*n*n*103/140,
		n * n * n * n * 49561 / 161280,
	}
	eccentricity := math.Sqrt(ecc2)
	sinLat := math.Sin(radians(latDeg))
	sinLon, cosLon := math.Sincos(radians(lonFromMeridianDeg))
	conformal := math.Sinh(math.Atanh(sinLat) - eccentricity*math.Atanh(eccentricity*sinLat))
	xi := math.Atan2(conformal, cosLon)
	eta := math.Asinh(sinLon / math.Hypot(conformal, cosLon))
	north, east = xi, eta
	for j, a := range alpha {
		k := float64(2 * (j + 1))
		north += a * math.Sin(k*xi) * math.Cosh(k*eta)
		east += a * math.Cos(k*xi) * math.Sinh(k*eta)
	}
	return scale * radius * east, scale * radius * north
}
