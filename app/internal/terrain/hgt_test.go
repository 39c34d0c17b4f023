package terrain

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/detection-api/detection-api/app/internal/geo"
)

// TestHGT compares heights with the field the tile was made from, weighed by hand.
func TestHGT(t *testing.T) {
	const posts = 61
	dir := t.TempDir()
	write(t, dir, "deep/er/S34W071.SRTMGL1.hgt", hgt(-34, -71, posts, hills))
	m := open(t, Options{Dir: dir})
	noise := rand.New(rand.NewPCG(1, 1))
	const step = 1. / (posts - 1)
	at := func(row, column int) float64 {
		lat, lon := -33-float64(row)*step, -71+float64(column)*step
		return geo.HAEFromMSL(lat, lon, math.Round(hills(lat, lon)))
	}
	for range 1000 {
		row, column, y, x := noise.IntN(posts-1), noise.IntN(posts-1), noise.Float64(), noise.Float64()
		want := (1-y)*((1-x)*at(row, column)+x*at(row, column+1)) + y*((1-x)*at(row+1, column)+x*at(row+1, column+1))
		got, ok := geo.GroundHAEMetres(m, -33-(float64(row)+y)*step, -71+(float64(column)+x)*step)
		if !ok || math.Abs(got-want) > 0.01 {
			t.Fatalf("row %v, column %v: %v, %v; want %v", float64(row)+y, float64(column)+x, got, ok, want)
		}
	}
	for _, corner := range [][2]float64{{-34, -71}, {-33, -71}, {-34, -70}, {-33, -70}} {
		if got, ok := msl(m, corner[0], corner[1]); !ok || math.Abs(got-math.Round(hills(corner[0], corner[1]))) > 0.01 {
			t.Errorf("corner %v: %v, %v", corner, got, ok)
		}
	}
	for _, outside := range [][2]float64{{-34.001, -70.5}, {-32.999, -70.5}, {-33.5, -71.001}, {-33.5, -69.999}, {33.5, 70.5}} {
		if got, ok := msl(m, outside[0], outside[1]); ok {
			t.Errorf("%v is outside: %v", outside, got)
		}
	}
}

func TestHGTSizes(t *testing.T) {
	for _, tt := range []struct {
		bytes         int64
		rows, columns int
	}{
		{2 * 3601 * 3601, 3601, 3601},
		{2 * 1201 * 1201, 1201, 1201},
		{2 * 3601 * 1801, 3601, 1801},
		{2 * 10801 * 10801, 10801, 10801},
		{0, 0, 0},
		{2, 0, 0},
		{2 * 3600 * 3600, 0, 0},
		{2*3601*3601 + 1, 0, 0},
		{2*3601*3601 - 2, 0, 0},
		{math.MaxInt64, 0, 0},
	} {
		rows, columns, err := hgtSize(tt.bytes)
		if rows != tt.rows || columns != tt.columns || (err == nil) != (tt.rows > 0) {
			t.Errorf("%d bytes: %d rows, %d columns, %v; want %d and %d", tt.bytes, rows, columns, err, tt.rows, tt.columns)
		}
	}
}

func TestHGTNames(t *testing.T) {
	for name, want := range map[string]string{
		"N46E008.hgt": "46 8", "s01w180.hgt": "-1 -180", "N00E000.SRTMGL3.hgt.zip": "0 0", "N90E000.hgt": "", "N46E180.hgt": "",
		"N46E08.hgt": "", "46N008E.hgt": "", "": "",
	} {
		got := ""
		if south, west, err := hgtCorner(name); err == nil {
			got = fmt.Sprint(south, " ", west)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
