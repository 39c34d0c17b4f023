package geo

import (
	"math"

	"gonum.org/v1/gonum/spatial/r3"
)

// WGS-84 defining constants: NGA.STND.0036_1.0.0_WGS84 (2014), table 3.1; the others follow from them.
const (
	semiMajorMetres = 6378137.0
	flattening      = 1 / 298.257223563
	semiMinorMetres = semiMajorMetres * (1 - flattening)
	ecc2            = flattening * (2 - flattening) // first eccentricity squared
	ecc2Prime       = ecc2 / (1 - ecc2)             // second eccentricity squared
)

// LatLonHAE is a position on or near the earth. The zero value is the point in the Gulf of Guinea where the equator
// meets the prime meridian, not "unknown".
type LatLonHAE struct {
	LatDeg    float64 // geodetic latitude, -90..90
	LonDeg    float64 // longitude, east positive; results lie in [-180, 180)
	HAEMetres float64 // height above the WGS-84 ellipsoid
}

// Valid reports whether the position has finite numbers, a latitude in [-90, 90] and a longitude in [-360, 360].
func (p LatLonHAE) Valid() bool {
	return math.Abs(p.LatDeg) <= 90 && math.Abs(p.LonDeg) <= 360 && isFinite(p.HAEMetres)
}

// ECEF returns the position as earth-centred, earth-fixed coordinates in metres: x through the prime meridian on the
// equator, z through the north pole.
func (p LatLonHAE) ECEF() r3.Vec {
	return FrameAt(p).origin
}

// LatLonHAEFromECEF is the inverse of LatLonHAE.ECEF. It iterates Bowring's formula (Survey Review 23, 1976) twice;
// from 10 km below to 1000 km above the ellipsoid the round trip stays within 1e-8 m.
func LatLonHAEFromECEF(v r3.Vec) LatLonHAE {
	sinLat, cosLat, hae := geodetic(v)
	return LatLonHAE{
		LatDeg:    degrees(math.Atan2(sinLat, cosLat)),
		LonDeg:    wrapLonDeg(degrees(math.Atan2(v.Y, v.X))),
		HAEMetres: hae,
	}
}

// geodetic returns sine and cosine of the latitude, and the height. It needs no trigonometry, which is what makes Newton
// steps on the height cheap.
func geodetic(v r3.Vec) (sinLat, cosLat, haeMetres float64) {
	p := math.Sqrt(v.X*v.X + v.Y*v.Y)
	sin, cos := unit2(v.Z, p*(1-flattening)) // of the parametric latitude
	for range 2 {
		sinLat, cosLat = unit2(
			v.Z+ecc2Prime*semiMinorMetres*sin*sin*sin,
			p-ecc2*semiMajorMetres*cos*cos*cos)
		sin, cos = unit2((1-flattening)*sinLat, cosLat)
	}
	// This form of the height has no division, so it holds at the poles (Bowring, Survey Review 28, 1985).
	haeMetres = p*cosLat + v.Z*sinLat - semiMajorMetres*math.Sqrt(1-ecc2*sinLat*sinLat)
	return sinLat, cosLat, haeMetres
}

// heightAndUp returns the height of an ECEF point and the outward normal of the ellipsoid below it.
func heightAndUp(v r3.Vec) (haeMetres float64, up r3.Vec) {
	sinLat, cosLat, hae := geodetic(v)
	sinLon, cosLon := unit2(v.Y, v.X)
	return hae, r3.Vec{X: cosLat * cosLon, Y: cosLat * sinLon, Z: sinLat}
}

// Frame is the local east, north, up frame at a point. At a pole, east and north follow from the longitude that was given.
type Frame struct {
	origin          r3.Vec // ECEF
	east, north, up r3.Vec // unit vectors, ECEF
}

// FrameAt returns the local frame at a position.
func FrameAt(p LatLonHAE) Frame {
	sinLat, cosLat := math.Sincos(radians(p.LatDeg))
	sinLon, cosLon := math.Sincos(radians(p.LonDeg))
	n := semiMajorMetres / math.Sqrt(1-ecc2*sinLat*sinLat) // radius of curvature in the prime vertical
	return Frame{
		origin: r3.Vec{
			X: (n + p.HAEMetres) * cosLat * cosLon,
			Y: (n + p.HAEMetres) * cosLat * sinLon,
			Z: (n*(1-ecc2) + p.HAEMetres) * sinLat,
		},
		east:  r3.Vec{X: -sinLon, Y: cosLon},
		north: r3.Vec{X: -sinLat * cosLon, Y: -sinLat * sinLon, Z: cosLat},
		up:    r3.Vec{X: cosLat * cosLon, Y: cosLat * sinLon, Z: sinLat},
	}
}

// ENU returns where an ECEF point lies in the frame, in metres east, north and up of its origin.
func (f Frame) ENU(ecef r3.Vec) r3.Vec {
	return f.rotateToENU(r3.Sub(ecef, f.origin))
}

// ECEF is the inverse of Frame.ENU.
func (f Frame) ECEF(enu r3.Vec) r3.Vec {
	return r3.Add(f.origin, f.rotateToECEF(enu))
}

func (f Frame) rotateToENU(v r3.Vec) r3.Vec {
	return r3.Vec{X: r3.Dot(f.east, v), Y: r3.Dot(f.north, v), Z: r3.Dot(f.up, v)}
}

func (f Frame) rotateToECEF(v r3.Vec) r3.Vec {
	return r3.Vec{
		X: f.east.X*v.X + f.north.X*v.Y + f.up.X*v.Z,
		Y: f.east.Y*v.X + f.north.Y*v.Y + f.up.Y*v.Z,
		Z: f.east.Z*v.X + f.north.Z*v.Y + f.up.Z*v.Z,
	}
}

// HorizontalDistanceMetres is how far b lies from a in the local horizontal plane of a. It is meant for points some
// kilometres apart, such as a computed and a surveyed position; over 10 km it is 4 mm short of the arc.
func HorizontalDistanceMetres(a, b LatLonHAE) float64 {
	b.HAEMetres = a.HAEMetres
	enu := FrameAt(a).ENU(b.ECEF())
	return math.Hypot(enu.X, enu.Y)
}

func radians(deg float64) float64 { return deg * (math.Pi / 180) }

func degrees(rad float64) float64 { return rad * (180 / math.Pi) }

// wrapLonDeg brings a longitude within one turn of it into [-180, 180).
func wrapLonDeg(lon float64) float64 {
	if lon >= 180 {
		return lon - 360
	}
	if lon < -180 {
		return lon + 360
	}
	return lon
}

// unit2 scales (y, x) to length 1. For (0, 0), which has no direction, it returns (0, 1).
func unit2(y, x float64) (sin, cos float64) {
	length := math.Sqrt(y*y + x*x)
	if length == 0 {
		return 0, 1
	}
	return y / length, x / length
}

func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
