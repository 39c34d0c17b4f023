package cot_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/cot"
	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
)

// fuzzed is a detection of which everything that reaches an event comes from the fuzzer.
type fuzzed struct {
	id, text, camera, flag, track string
	lat, lon, hae, ce, axis, deg  float64
	late                          int64
	count                         int
	kind                          uint8
}

func (f fuzzed) detection() detection.Detection {
	d := detection.Detection{
		ID: f.id, ReceivedAt: now.Add(-time.Duration(f.late)), SeenAt: now.Add(-time.Duration(f.late) * 2),
		ObjectClass: f.text, AIConfidence: f.deg, Source: f.text, CameraID: f.camera, ReportedBy: f.text, Reason: f.text,
		Fix: detection.Fix{
			LatDeg: f.lat, LonDeg: f.lon, HAEMetres: &f.hae, CE90Metres: f.ce, LE90Metres: f.axis, Flag: geo.Flag(f.flag),
			Method: f.text, ErrorMethod: f.text, HeightSource: f.flag, SlantRangeMetres: f.axis, MSLMetres: &f.hae,
			Ellipse: detection.Ellipse{MajorMetres: f.axis, MinorMetres: f.axis / 2, BearingDeg: f.deg},
		},
		Datum: []detection.Datum{detection.HAE, detection.MSL, detection.AGL, detection.Datum(f.flag)}[f.kind>>2&3],
		Sensor: detection.Sensor{
			LatDeg: f.lat, LonDeg: f.lon, ElevationMetres: f.hae, HeadingDeg: f.deg, PitchDeg: f.deg / 2, RollDeg: f.deg,
			FocalLengthPx: f.axis, ImageWidthPx: f.count, ImageHeightPx: f.count / 2, PrincipalPointXPx: &f.ce,
			HeadingReference: detection.Reference(f.flag), Sigmas: &detection.Sigmas{HorizontalMetres: &f.ce, VerticalMetres: &f.axis},
		},
	}
	if f.kind&1 != 0 {
		d.Track = &detection.Track{ID: f.track, Detections: f.count, Fix: d.Fix}
		d.Track.Motion = &detection.Motion{SpeedMetresPerSecond: f.ce, CourseDeg: f.deg}
	}
	if f.kind&2 != 0 {
		d.Retracts = f.track
	}
	return d
}

// FuzzEncode holds that whatever is in a detection, each of its events keeps the wire profile or is refused with the field.
func FuzzEncode(f *testing.F) {
	const id = "0195650f-6c1a-8d3e-8f00-1234567890ab"
	for i, test := range hostile {
		f.Add(id, test.in, test.in, "GREEN", trackID, 33.8, -84.5, 288.0, 12.0, 30.0, 45.0, int64(1), 3, uint8(i))
		f.Add(id, "vehicle", "cam-7", test.in, test.in, 33.8, -84.5, 288.0, 12.0, 30.0, 45.0, int64(1), 3, uint8(i))
	}
	f.Add("x", "", "", "", "", math.NaN(), math.Inf(1), -1e300, 5e-324, math.Copysign(0, -1), 1e20, int64(math.MaxInt64), -1, uint8(3))
	f.Add(id, "x", "x", "DTED2", trackID, -90.0, 180.0, 9999999.0, 9999998.9999, 9999998.999, -1e-9, int64(math.MinInt64), math.MaxInt, uint8(1))
	f.Add(id, "x", "x", "magnetic", trackID, 1e-9, -1e-9, -1e-9, 1e-9, 0.00999, 359.96, int64(0), 2, uint8(9))
	profiles := []*cot.Profile{nil, cot.SearchAndRescue(), profile(f, `{"errors": "one-sigma", "color_by": "class"}`)}
	f.Fuzz(func(t *testing.T, id, text, camera, flag, track string, lat, lon, hae, ce, axis, deg float64, late int64, count int, kind uint8) {
		d := fuzzed{id, text, camera, flag, track, lat, lon, hae, ce, axis, deg, late, count, kind}.detection()
		encoder := cot.Encoder{Profile: profiles[int(kind>>4)%len(profiles)]}
		if b, err := encoder.Camera(d, now); err == nil {
			checkProfile(t, b)
			checkNumbers(t, parse(t, b), lat, lon)
		} else if detection.CodeOf(err) != detection.CodeInvalidField {
			t.Fatalf("untyped: %v", err)
		}
		b, err := encoder.Encode(d, now)
		if err != nil {
			if detection.CodeOf(err) != detection.CodeInvalidField {
				t.Fatalf("untyped: %v", err)
			}
			return
		}
		checkProfile(t, b)
		e := parse(t, b)
		checkNumbers(t, e, lat, lon)
		want := id
		if d.Track != nil && d.Retracts == "" {
			want = track
		}
		if e.UID != "detection-api."+want {
			t.Fatalf("uid %q, want %q", e.UID, want)
		}
	})
}

func checkNumbers(t *testing.T, e event, lat, lon float64) {
	t.Helper()
	within(t, e.Point.Lat, lat, 1e-8)
	within(t, e.Point.Lon, lon, 1e-8)
	for _, text := range []string{e.Point.HAE, e.Point.CE, e.Point.LE} {
		if v := number(t, text); math.Abs(v) > 9999999 {
			t.Fatalf("%q is beyond what is unknown", text)
		}
	}
	if s := e.Detail.Sensor; s != nil {
		for _, text := range []string{s.Azimuth, s.FOV, s.VFOV} {
			if v := number(t, text); v < 0 || v >= 360 {
				t.Fatalf("sensor %+v", s)
			}
		}
		if roll := number(t, s.Roll); roll <= -180 || roll > 180 || math.Abs(number(t, s.Elevation)) > 90 {
			t.Fatalf("sensor %+v", s)
		}
	}
	if m := e.Detail.Track; m != nil {
		if course := number(t, m.Course); course < 0 || course >= 360 || number(t, m.Speed) < 0 {
			t.Fatalf("track %+v", m)
		}
	}
	if l := e.Detail.Ellipse; l != nil && (number(t, l.Major) < 0 || number(t, l.Minor) < 0 || strings.Contains(l.Angle, ".")) {
		t.Fatalf("ellipse %+v", l)
	}
	if instant(t, e.Start).After(instant(t, e.Time)) || !instant(t, e.Time).Before(instant(t, e.Stale)) {
		t.Fatalf("times %s %s %s", e.Start, e.Time, e.Stale)
	}
}

// FuzzIsPong holds that whatever a server sends is read without a panic, and that an answer has the word.
func FuzzIsPong(f *testing.F) {
	f.Add([]byte(`<event version="2.0" uid="takPong" type="t-x-c-t-r"/>`))
	f.Add(cot.Ping("pod-0", now))
	f.Fuzz(func(t *testing.T, event []byte) {
		if cot.IsPong(event) && !strings.Contains(string(event), "t-x-c-t") {
			t.Fatalf("%q is no pong", event)
		}
	})
}

// The benchmarks run what a POST and a delivery run for each detection.
func BenchmarkEncode(b *testing.B) { benchmark(b, sample(), cot.Encoder{}) }

func BenchmarkEncodeTrack(b *testing.B) { benchmark(b, tracked(), cot.Encoder{}) }

func BenchmarkEncodeSAR(b *testing.B) {
	benchmark(b, sample(), cot.Encoder{Profile: cot.SearchAndRescue()})
}

func BenchmarkRetraction(b *testing.B) { benchmark(b, retraction(sample()), cot.Encoder{}) }

func benchmark(b *testing.B, d detection.Detection, encoder cot.Encoder) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := encoder.Encode(d, now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCamera(b *testing.B) {
	d := filmed()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (cot.Encoder{}).Camera(d, now); err != nil {
			b.Fatal(err)
		}
	}
}

// TestEncodeAllocates bounds what the hot path costs: the event and its remarks.
func TestEncodeAllocates(t *testing.T) {
	for name, d := range map[string]detection.Detection{"detection": sample(), "track": tracked(), "retraction": retraction(sample())} {
		if n := testing.AllocsPerRun(100, func() { _, _ = cot.Encoder{}.Encode(d, now) }); n > 2 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
