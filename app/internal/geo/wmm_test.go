package geo

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

// lines calls a function with each line of a file of testdata but comments.
func lines(t *testing.T, name string, read func(line string)) {
	t.Helper()
	file, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		if line := scanner.Text(); !strings.HasPrefix(line, "#") {
			read(line)
		}
	}
}

// TestMagneticModel holds the model to all of NOAA's test values, to half a unit of their last digit.
func TestMagneticModel(t *testing.T) {
	count, worst := 0, 0.0
	lines(t, "WMM2025_TEST_VALUES.txt", func(line string) {
		var year, km, lat, lon, declination, horizontal float64
		if _, err := fmt.Sscan(line, &year, &km, &lat, &lon, &declination, &horizontal); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		got, err := MagneticFieldAt(LatLonHAE{LatDeg: lat, LonDeg: lon, HAEMetres: 1000 * km}, year)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		count++
		worst = max(worst, math.Abs(got.DeclinationDeg-declination))
		if math.Abs(got.DeclinationDeg-declination) > 0.00501 || math.Abs(got.HorizontalNanotesla-horizontal) > 0.501 || got.Extrapolated {
			t.Errorf("%s: got %+v", line, got)
		}
	})
	t.Logf("%d values, the worst %.4f degrees off", count, worst)
	if count != 100 {
		t.Errorf("%d test values, want 100", count)
	}
}

// TestMagneticCoefficients compares the table with NOAA's file.
func TestMagneticCoefficients(t *testing.T) {
	term := 0
	lines(t, "WMM2025.COF", func(line string) {
		var n, m int
		var g, h, gRate, hRate float64
		if count, _ := fmt.Sscan(line, &n, &m, &g, &h, &gRate, &hRate); count != 6 {
			return // the head and the end
		}
		if at := n*(n+1)/2 + m - 1; at != term {
			t.Fatalf("%s: is term %d, want %d", line, at, term)
		}
		if c := wmmCoefficients[term]; c.g != g || c.h != h || c.gRate != gRate || c.hRate != hRate {
			t.Errorf("%s: the table has %v", line, c)
		}
		term++
	})
	if term != wmmTerms {
		t.Errorf("%d terms, want %d", term, wmmTerms)
	}
}

func TestMagneticModelYears(t *testing.T) {
	for _, tt := range []struct {
		year         float64
		extrapolated bool
		err          error
	}{
		{2023.99, false, ErrOutsideMagneticModel},
		{2024, true, nil},
		{2024.99, true, nil},
		{2025, false, nil},
		{2029.99, false, nil},
		{2030, true, nil},
		{2030.99, true, nil},
		{2031, false, ErrOutsideMagneticModel},
		{1, false, ErrOutsideMagneticModel},
		{math.NaN(), false, ErrOutsideMagneticModel},
	} {
		got, err := MagneticFieldAt(LatLonHAE{LatDeg: 50}, tt.year)
		if !errors.Is(err, tt.err) || got.Extrapolated != tt.extrapolated || (err != nil && got != MagneticField{}) {
			t.Errorf("%v: %+v, %v", tt.year, got, err)
		}
	}
	for text, want := range map[string]float64{
		"2025-01-01T00:00:00Z": 2025, "2025-07-02T12:00:00Z": 2025.5, "2028-07-02T00:00:00Z": 2028.5, "2026-01-01T01:00:00+01:00": 2026,
	} {
		at, err := time.Parse(time.RFC3339, text)
		if got := DecimalYear(at); err != nil || math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: %v, want %v (%v)", text, got, want, err)
		}
	}
}

// TestMagneticPoles: at the geographic poles the declination turns with the meridian that is called north, and near the
// magnetic pole its sigma says that a compass is of no use.
func TestMagneticPoles(t *testing.T) {
	for _, lat := range []float64{90, -90} {
		first, err := MagneticFieldAt(LatLonHAE{LatDeg: lat}, 2026)
		if err != nil {
			t.Fatal(err)
		}
		for lon := -180.0; lon <= 180; lon += 45 {
			got, err := MagneticFieldAt(LatLonHAE{LatDeg: lat, LonDeg: lon}, 2026)
			turned := math.Mod(got.DeclinationDeg-first.DeclinationDeg-math.Copysign(lon, lat*lon)+1080, 360)
			if err != nil || min(turned, 360-turned) > 1e-6 || math.Abs(got.HorizontalNanotesla-first.HorizontalNanotesla) > 1e-6 {
				t.Errorf("%v, %v: %+v, at longitude 0 %+v (%v)", lat, lon, got, first, err)
			}
		}
	}
	least := MagneticField{HorizontalNanotesla: math.Inf(1)}
	for lat := 84.0; lat < 88; lat += 0.05 { // the north magnetic pole of 2026 lies near 85.8 N, 139 E
		for lon := 120.0; lon < 160; lon += 0.5 {
			if got, err := MagneticFieldAt(LatLonHAE{LatDeg: lat, LonDeg: lon}, 2026); err == nil && got.HorizontalNanotesla < least.HorizontalNanotesla {
				least = got
			}
		}
	}
	if least.HorizontalNanotesla > 50 || least.SigmaDeg < 45 || least.SigmaDeg > 104 {
		t.Errorf("at the magnetic pole: %+v", least)
	}
	if calm, _ := MagneticFieldAt(LatLonHAE{LatDeg: 48, LonDeg: 11}, 2026); !(calm.SigmaDeg > 0.3 && calm.SigmaDeg < 0.4) {
		t.Errorf("in Bavaria: %+v, want a sigma of a third of a degree", calm)
	}
}

func BenchmarkMagneticField(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := MagneticFieldAt(LatLonHAE{LatDeg: 48, LonDeg: 11, HAEMetres: 500}, 2026.9); err != nil {
			b.Fatal(err)
		}
	}
}
