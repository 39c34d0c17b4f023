package geo

import (
	"errors"
	"math"
	"testing"
)

// TestMGRSZones: the exceptions of Norway and Svalbard, the ends of the grid and the seam of the longitudes.
func TestMGRSZones(t *testing.T) {
	tests := []struct {
		lat, lon float64
		want     string
	}{
		{60.4, 5.3, "32V"},
		{60.4, 2.9, "31V"},
		{55.9, 5.3, "31U"},
		{64.1, 5.3, "31W"},
		{78.2, 8.9, "31X"},
		{78.2, 9.1, "33X"},
		{78.2, 20.9, "33X"},
		{78.2, 21.1, "35X"},
		{78.2, 32.9, "35X"},
		{78.2, 33.1, "37X"},
		{78.2, 41.9, "37X"},
		{78.2, 42.1, "38X"},
		{84, 10, "33X"},
		{-80, 10, "32C"},
		{0, -180, "1N"},
		{0, 180, "1N"},
		{0, 179.9, "60N"},
		{-0.001, 0, "31M"},
		{10, 359, "30P"},
	}
	for _, tt := range tests {
		got, err := MGRS(tt.lat, tt.lon, 0)
		if err != nil || got[:len(got)-2] != tt.want {
			t.Errorf("%v, %v: %s, %v, want %s", tt.lat, tt.lon, got, err, tt.want)
		}
	}
	for _, bad := range [][2]float64{{84.001, 0}, {-80.001, 0}, {math.NaN(), 0}, {0, math.Inf(1)}} {
		if got, err := MGRS(bad[0], bad[1], 5); !errors.Is(err, ErrNoMGRS) {
			t.Errorf("%v: %s, %v", bad, got, err)
		}
	}
}

// TestTransverseMercatorIsConformal: distances grow by one factor in all directions, which on the central meridian is
// 0.9996, and 180 km from it about 1.
func TestTransverseMercatorIsConformal(t *testing.T) {
	for _, lat := range []float64{-79, -33, 0.5, 48, 83} {
		for _, lon := range []float64{0, 1.5, 3} {
			east, north := transverseMercator(lat, lon)
			least, most := math.Inf(1), 0.0
			for azimuth := 0.0; azimuth < 360; azimuth += 30 {
				lat2, lon2, _ := geodesic(lat, lon, azimuth, 10)
				east2, north2 := transverseMercator(lat2, lon2)
				scale := math.Hypot(east2-east, north2-north) / 10
				least, most = min(least, scale), max(most, scale)
			}
			want := 0.9996 * (1 + east*east/(2*6371e3*6371e3))
			if most-least > 3e-7 || math.Abs(most-want) > 1e-5 {
				t.Errorf("%v, %v: scale from %.9f to %.9f, want %.6f", lat, lon, least, most, want)
			}
		}
	}
}

func FuzzMGRS(f *testing.F) {
	f.Add(0.0, 0.0, 5)
	f.Add(84.0, 180.0, 0)
	f.Add(-1e-12, -180.0, 5)
	f.Fuzz(func(t *testing.T, lat, lon float64, digits int) {
		got, err := MGRS(lat, lon, digits)
		if want := 5 + 2*digits; err == nil && len(got) != want && len(got) != want-1 {
			t.Errorf("%v, %v, %d digits: %s", lat, lon, digits, got)
		}
	})
}
