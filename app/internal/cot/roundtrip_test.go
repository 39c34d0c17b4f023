package cot_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/gonum/spatial/r3"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
)

func vector(x, y, z float64) r3.Vec { return r3.Vec{X: x, Y: y, Z: z} }

// number reads an xs:decimal, which has no exponent, no infinity and no NaN.
func number(t testing.TB, text string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || strings.Trim(text, "-.0123456789") != "" {
		t.Fatalf("%q is no decimal (%v)", text, err)
	}
	return v
}

func within(t testing.TB, text string, want, tolerance float64) {
	t.Helper()
	if got := number(t, text); !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%q, want %v within %v", text, want, tolerance)
	}
}

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02T15:04:05.000Z", text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestRoundTrip reads back everything that is written. The tolerances are half of the last digit that is written.
func TestRoundTrip(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	for i := range 2000 {
		d := anyDetection(random, i)
		e := parse(t, encode(t, d))
		at := d.Fix
		if d.Track != nil {
			at = d.Track.Fix
		}
		within(t, e.Point.Lat, at.LatDeg, 0.5e-8+1e-14)
		within(t, e.Point.Lon, at.LonDeg, 0.5e-8+3e-14)
		within(t, e.Point.HAE, *at.HAEMetres, 0.0005+1e-9)
		within(t, e.Point.CE, at.CE90Metres, 0.0005+1e-9)
		within(t, e.Point.LE, at.LE90Metres, 0.0005+1e-9)
		within(t, e.Detail.Ellipse.Major, at.Ellipse.MajorMetres, 0.005+1e-9)
		within(t, e.Detail.Ellipse.Minor, at.Ellipse.MinorMetres, 0.005+1e-9)
		turn := number(t, e.Detail.Ellipse.Angle) - at.Ellipse.BearingDeg
		if off := math.Remainder(turn, 360); math.Abs(off) > 0.5 {
			t.Errorf("ellipse turned by %v", off)
		}
		if s := instant(t, e.Start); d.SeenAt.Sub(s) < 0 || d.SeenAt.Sub(s) >= time.Millisecond || !instant(t, e.Time).Equal(now) || !instant(t, e.Stale).Equal(now.Add(5*time.Minute)) {
			t.Errorf("times %s %s %s, want %v", e.Time, e.Start, e.Stale, d.SeenAt)
		}
		if !strings.HasPrefix(e.Detail.Contact.Callsign, d.ObjectClass+" ") || !strings.Contains(e.Detail.Remarks, d.Source) {
			t.Errorf("%q %q of %q %q", e.Detail.Contact.Callsign, e.Detail.Remarks, d.ObjectClass, d.Source)
		}
		if m := e.Detail.Track; m != nil {
			within(t, m.Speed, d.Track.Motion.SpeedMetresPerSecond, 0.005+1e-9)
			within(t, m.Course, d.Track.Motion.CourseDeg, 0.05+1e-9)
		}
		if t.Failed() {
			t.Fatalf("%+v", d)
		}
	}
}

// anyDetection returns one that is as a client and the tracker make them.
func anyDetection(random *rand.Rand, i int) detection.Detection {
	d := sample()
	d.ID = fmt.Sprintf("0195650f-6c1a-8d3e-8f00-%012d", i)
	d.SeenAt = now.Add(-time.Duration(random.Int64N(int64(24 * time.Hour))))
	d.ObjectClass = []string{"vehicle", "person", "fire", "Über <&> \"x\"", "\u05d0\u05d1"}[random.IntN(5)]
	d.Fix = anyFix(random)
	if random.IntN(2) == 0 {
		d.Track = &detection.Track{ID: trackID, Detections: 1 + random.IntN(5), Fix: anyFix(random)}
		d.Track.Motion = &detection.Motion{SpeedMetresPerSecond: 60 * random.Float64(), CourseDeg: 359.9 * random.Float64()}
	}
	return d
}

func anyFix(random *rand.Rand) detection.Fix {
	hae := 9000*random.Float64() - 450
	return detection.Fix{
		LatDeg: 180*random.Float64() - 90, LonDeg: 360*random.Float64() - 180, HAEMetres: &hae,
		CE90Metres: math.Exp(12*random.Float64() - 3), LE90Metres: math.Exp(12*random.Float64() - 3), Flag: geo.Yellow,
		Ellipse: detection.Ellipse{MajorMetres: 1 + 1000*random.Float64(), MinorMetres: 1 + 100*random.Float64(), BearingDeg: 180 * random.Float64()},
	}
}
