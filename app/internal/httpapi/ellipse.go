package httpapi

import (
	"math"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// The WGS-84 ellipsoid (NIMA TR8350.2): semi-major axis in metres and first eccentricity squared.
const (
	semiMajorMetres     = 6378137.0
	eccentricitySquared = 6.69437999014e-3
)

// outlinePoints of an ellipse: with 36, the outline lies within 0.4 % of a half axis of the curve.
const outlinePoints = 36

// vertex is one corner of an outline, in degrees.
type vertex struct{ LonDeg, LatDeg float64 }

// outline returns the 90 % ellipse of a fix as a closed ring, counterclockwise. Metres become degrees by the radii of
// curvature at the fix (J. P. Snyder, Map Projections, USGS PP 1395, 1987, equations 4-18 and 4-20), which is wrong by the
// square of the ellipse's size over the earth's radius: less than 1 % up to 500 km, except within that size of a pole.
func outline(fix detection.Fix) []vertex {
	sinLat, cosLat := math.Sincos(fix.LatDeg * math.Pi / 180)
	w := 1 - eccentricitySquared*sinLat*sinLat
	northMetresPerRad := semiMajorMetres * (1 - eccentricitySquared) / (w * math.Sqrt(w))
	eastMetresPerRad := semiMajorMetres / math.Sqrt(w) * math.Max(cosLat, 1e-6)
	sinBearing, cosBearing := math.Sincos(fix.Ellipse.BearingDeg * math.Pi / 180)
	ring := make([]vertex, outlinePoints+1)
	for i := range outlinePoints {
		sin, cos := math.Sincos(-2 * math.Pi * float64(i) / outlinePoints)
		along, across := cos*fix.Ellipse.MajorMetres/2, sin*fix.Ellipse.MinorMetres/2
		east := along*sinBearing + across*cosBearing
		north := along*cosBearing - across*sinBearing
		ring[i] = vertex{
			LonDeg: wrapLon(fix.LonDeg + east/eastMetresPerRad*180/math.Pi),
			LatDeg: min(max(fix.LatDeg+north/northMetresPerRad*180/math.Pi, -90), 90),
		}
	}
	ring[outlinePoints] = ring[0]
	return ring
}
