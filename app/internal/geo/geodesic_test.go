package geo

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/integrate/quad"
)

// geodesic goes from a point along a geodesic of WGS-84, by quadrature of its integrals (Karney, Journal of Geodesy 87,
// 2013, equations 7 and 8). The service needs none; here it is what distances are measured by, and is itself held to
// GeographicLib's test cases.
func geodesic(lat1, lon1, azimuth1, metres float64) (lat2, lon2, azimuth2 float64) {
	sinAzi, cosAzi := math.Sincos(radians(azimuth1))
	sinBeta, cosBeta := math.Sincos(math.Atan((1 - flattening) * math.Tan(radians(lat1))))
	sin0 := sinAzi * cosBeta
	cos0 := math.Hypot(cosAzi, sinAzi*sinBeta)
	k2 := ecc2Prime * cos0 * cos0
	stretch := func(sigma float64) float64 { return math.Sqrt(1 + k2*math.Sin(sigma)*math.Sin(sigma)) }
	start := math.Atan2(sinBeta, cosAzi*cosBeta)
	end := start + metres/semiMinorMetres
	for range 20 { // Newton; the integrand is the derivative
		end -= (quad.Fixed(stretch, start, end, 60, nil, 0) - metres/semiMinorMetres) / stretch(end)
	}
	shift := quad.Fixed(func(sigma float64) float64 {
		return (2 - flattening) / (1 + (1-flattening)*stretch(sigma))
	}, start, end, 60, nil, 0)
	sinS, cosS := math.Sincos(end)
	omega := math.Atan2(sin0*sinS, cosS) - math.Atan2(sin0*math.Sin(start), math.Cos(start))
	beta := math.Atan2(cos0*sinS, math.Hypot(cos0*cosS, sin0))
	lon2 = math.Remainder(lon1+degrees(omega-flattening*sin0*shift), 360)
	return degrees(math.Atan(math.Tan(beta) / (1 - flattening))), lon2, degrees(math.Atan2(sin0, cos0*cosS))
}

func checkGeodesic(t *testing.T, o oracle) {
	lat, lon, azimuth := geodesic(o.in(t, "lat1_deg"), o.in(t, "lon1_deg"), o.in(t, "azimuth1_deg"), o.in(t, "distance_m"))
	o.near(t, "lat2_deg", lat, "deg")
	o.near(t, "lon2_deg", lon, "deg")
	o.near(t, "azimuth2_deg", azimuth, "deg")
}

// TestDistanceAgainstGeodesics holds what HorizontalDistanceMetres says of itself: 4 mm short at 10 km, by its cube.
func TestDistanceAgainstGeodesics(t *testing.T) {
	for _, lat := range []float64{-75, 0, 33, 60} {
		for azimuth := 0.0; azimuth < 360; azimuth += 30 {
			for _, metres := range []float64{1, 100, 1000, 10000} {
				lat2, lon2, _ := geodesic(lat, 20, azimuth, metres)
				got := HorizontalDistanceMetres(LatLonHAE{LatDeg: lat, LonDeg: 20}, LatLonHAE{LatDeg: lat2, LonDeg: lon2})
				share := metres / 10000
				if short := metres - got; math.Abs(short) > 1e-7+0.0045*share*share*share {
					t.Errorf("lat %v, azimuth %v: %v m along the ground are %v m (%v short)", lat, azimuth, metres, got, short)
				}
			}
		}
	}
}
