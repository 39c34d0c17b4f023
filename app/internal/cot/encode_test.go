package cot_test

import (
	"bytes"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/cot"
	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// now is when the sample is delivered: 2 s after it was accepted.
var now = time.Date(2026, 3, 4, 5, 6, 9, 250_000_000, time.UTC)

func sample() detection.Detection {
	hae := 288.25
	return detection.Detection{
		ID:           "0195650f-6c1a-7d3e-8f00-1234567890ab",
		ReceivedAt:   now.Add(-2 * time.Second),
		SeenAt:       now.Add(-3 * time.Second),
		ObjectClass:  "vehicle",
		AIConfidence: 0.93,
		Source:       "uav-feed-1",
		CameraID:     "cam-7",
		Fix: detection.Fix{
			LatDeg: 33.83545871, LonDeg: -84.53849211, HAEMetres: &hae,
			CE90Metres: 12.345, LE90Metres: 4.5, Flag: geo.Green,
			Ellipse: detection.Ellipse{MajorMetres: 30.5, MinorMetres: 18.25, BearingDeg: 359.7},
		},
	}
}

func encode(t testing.TB, d detection.Detection) []byte {
	t.Helper()
	return encodeWith(t, cot.Encoder{}, d)
}

func encodeWith(t testing.TB, encoder cot.Encoder, d detection.Detection) []byte {
	t.Helper()
	b, err := encoder.Encode(d, now)
	if err != nil {
		t.Fatalf("Encode: %v", err)
	}
	checkProfile(t, b)
	return b
}

func TestEncodeGolden(t *testing.T) {
	noHeight := sample()
	noHeight.Fix.HAEMetres = nil
	noHeight.Fix.Flag = geo.Red
	late := sample()
	late.ReceivedAt = now.Add(-732 * time.Second)
	late.SeenAt = now.Add(-733 * time.Second)
	late.ObjectClass = "Person"
	late.Fix.Flag = geo.Yellow
	for name, got := range map[string][]byte{
		"vehicle":   encode(t, sample()),
		"no-height": encode(t, noHeight),
		"late":      encode(t, late),
		"track":     encode(t, tracked()),
		"retract":   encode(t, retraction(tracked())),
		"camera":    cameraEvent(t, cot.Encoder{}, filmed()),
		"sar":       encodeWith(t, cot.Encoder{Profile: cot.SearchAndRescue()}, late),
		"hello":     cot.Hello("detection-api.pod-0", "detection-api", now),
		"ping":      cot.Ping("detection-api.pod-0", now),
	} {
		t.Run(name, func(t *testing.T) {
			checkProfile(t, got)
			path := filepath.Join("testdata", name+".golden.xml")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestEncodeTimes(t *testing.T) {
	zone := time.FixedZone("east", 2*60*60)
	tests := []struct {
		name  string
		seen  time.Time
		stale time.Duration
		want  [3]string // time, start, stale
	}{
		{"default stale", now.Add(-time.Second), 0, [3]string{"2026-03-04T05:06:09.250Z", "2026-03-04T05:06:08.250Z", "2026-03-04T05:11:09.250Z"}},
		{"other zone", now.Add(-time.Second).In(zone), time.Minute, [3]string{"2026-03-04T05:06:09.250Z", "2026-03-04T05:06:08.250Z", "2026-03-04T05:07:09.250Z"}},
		{"whole second keeps its fraction", now.Add(-250 * time.Millisecond), time.Minute, [3]string{"2026-03-04T05:06:09.250Z", "2026-03-04T05:06:09.000Z", "2026-03-04T05:07:09.250Z"}},
		{"seven days old", now.AddDate(0, 0, -7), time.Minute, [3]string{"2026-03-04T05:06:09.250Z", "2026-02-25T05:06:09.250Z", "2026-03-04T05:07:09.250Z"}},
		{"seen in the future", now.Add(time.Hour), time.Minute, [3]string{"2026-03-04T05:06:09.250Z", "2026-03-04T05:06:09.250Z", "2026-03-04T05:07:09.250Z"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := sample()
			d.SeenAt = test.seen
			b, err := cot.Encoder{Stale: test.stale}.Encode(d, now)
			if err != nil {
				t.Fatal(err)
			}
			e := parse(t, b)
			if got := [3]string{e.Time, e.Start, e.Stale}; got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestEncodeDelay(t *testing.T) {
	for _, test := range []struct {
		late time.Duration
		want string
	}{{0, "vehicle"}, {9 * time.Second, "vehicle"}, {10 * time.Second, "delayed 10 s; vehicle"}, {732900 * time.Millisecond, "delayed 732 s; vehicle"}} {
		d := sample()
		d.ReceivedAt = now.Add(-test.late)
		if got := parse(t, encode(t, d)).Detail.Remarks; !strings.HasPrefix(got, test.want) {
			t.Errorf("%v late: remarks %q, want them to begin with %q", test.late, got, test.want)
		}
	}
}

// TestEncodeOldImage holds that a late report is told apart from a late delivery.
func TestEncodeOldImage(t *testing.T) {
	for _, test := range []struct {
		old, late time.Duration
		want      string
	}{
		{59 * time.Second, 0, "vehicle"},
		{time.Minute, 0, "image 60 s old when reported; vehicle"},
		{2 * time.Hour, 732 * time.Second, "delayed 732 s; image 7200 s old when reported; vehicle"},
		{-time.Hour, -time.Hour, "vehicle"}, // clocks that are fast
	} {
		d := sample()
		d.ReceivedAt = now.Add(-test.late)
		d.SeenAt = d.ReceivedAt.Add(-test.old)
		if got := parse(t, encode(t, d)).Detail.Remarks; !strings.HasPrefix(got, test.want) {
			t.Errorf("%+v: remarks %q, want them to begin with %q", test, got, test.want)
		}
	}
}

func TestEncodePoint(t *testing.T) {
	metres := func(v float64) *float64 { return &v }
	tests := []struct {
		name          string
		lat, lon      float64
		hae           *float64
		ce, le        float64
		wantLat, want string // lat lon, hae ce le
	}{
		{"full precision", 33.83545871, -84.53849211, metres(1), 2, 3, "33.83545871 -84.53849211", "1.000 2.000 3.000"},
		{"poles and antimeridian", -90, 180, metres(-430.5), 2, 3, "-90.00000000 180.00000000", "-430.500 2.000 3.000"},
		{"tiny", 1e-8, -1e-12, metres(1e-9), 1e-5, 3, "0.00000001 0.00000000", "0.000 0.000 3.000"},
		{"no height", 0, 0, nil, 2, 3, "0.00000000 0.00000000", "9999999.0 2.000 9999999.0"},
		{"height not finite", 0, 0, metres(math.NaN()), 2, 3, "0.00000000 0.00000000", "9999999.0 2.000 9999999.0"},
		{"errors not finite", 0, 0, metres(1), math.Inf(1), math.NaN(), "0.00000000 0.00000000", "1.000 9999999.0 9999999.0"},
		{"errors absurd", 0, 0, metres(1), 1e300, -1, "0.00000000 0.00000000", "1.000 9999999.0 9999999.0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := sample()
			d.Fix.LatDeg, d.Fix.LonDeg, d.Fix.HAEMetres, d.Fix.CE90Metres, d.Fix.LE90Metres = test.lat, test.lon, test.hae, test.ce, test.le
			p := parse(t, encode(t, d)).Point
			if got := p.Lat + " " + p.Lon; got != test.wantLat {
				t.Errorf("got %s, want %s", got, test.wantLat)
			}
			if got := p.HAE + " " + p.CE + " " + p.LE; got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestEncodeEllipse(t *testing.T) {
	for name, test := range map[string]struct {
		in   detection.Ellipse
		want string
	}{
		"rounds to north": {detection.Ellipse{MajorMetres: 30, MinorMetres: 20, BearingDeg: 359.7}, "30.00 20.00 0"},
		"negative":        {detection.Ellipse{MajorMetres: 30, MinorMetres: 20, BearingDeg: -45}, "30.00 20.00 315"},
		"none":            {detection.Ellipse{}, ""},
		"not finite":      {detection.Ellipse{MajorMetres: math.Inf(1), MinorMetres: 20}, ""},
		"no bearing":      {detection.Ellipse{MajorMetres: 30, MinorMetres: 20, BearingDeg: math.NaN()}, ""},
	} {
		d := sample()
		d.Fix.Ellipse = test.in
		got := ""
		if e := parse(t, encode(t, d)).Detail.Ellipse; e != nil {
			got = e.Major + " " + e.Minor + " " + e.Angle
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	for field, change := range map[string]func(*detection.Detection){
		"detection_id: must be 1 to 64": func(d *detection.Detection) { d.ID = strings.Repeat("x", 65) },
		"fix.lat: must be":              func(d *detection.Detection) { d.Fix.LatDeg = -90.00000001 },
		"detection_id":                  func(d *detection.Detection) { d.ID = `a"b` },
		"fix.lat":                       func(d *detection.Detection) { d.Fix.LatDeg = math.NaN() },
		"fix.lon":                       func(d *detection.Detection) { d.Fix.LonDeg = 180.1 },
		"timestamp":                     func(d *detection.Detection) { d.SeenAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		d := sample()
		change(&d)
		_, err := cot.Encoder{}.Encode(d, now)
		if detection.CodeOf(err) != detection.CodeInvalidField || !strings.HasPrefix(err.Error(), field) {
			t.Errorf("%s: got %v", field, err)
		}
	}
}
