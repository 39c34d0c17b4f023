package cot_test

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/cot"
	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
)

// hostile is what a client may put into any text field, and what a receiver must see of it in a callsign.
var hostile = []struct{ name, in, want string }{
	{"CDATA end", "a]]>b", "a]]>b"},
	{"markup", `</detail></event><event type="a-h-G">`, `</detail></event><event t...`}, // cut to 48 bytes as written
	{"quotes", `"a' & b`, `"a' & b`},
	{"reference", "&#60;&lt;", "&#60;&lt;"},
	{"NUL and controls", "a\x00b\x1bc\x7fd", "a b c d"},
	{"line ends", "a\r\nb\tc\u0085d\u2028e", "a  b c d e"},
	{"noncharacters", "a\ufffeb\uffffc\ufdd0d\U0001ffffe", "abcde"},
	{"invalid UTF-8", "a\xffb\xed\xa0\x80", "a\ufffdb\ufffd\ufffd\ufffd"},
	{"emoji", "\U0001f6a8", "\U0001f6a8"},
	{"right to left", "\u05d0\u05d1", "\u05d0\u05d1"},
	{"bidirectional override", "a\u202eb\u2066c\u200fd", "abcd"},
	{"long", strings.Repeat("x", 100_000), strings.Repeat("x", 45) + "..."},
	{"long and wide", strings.Repeat("\U0001f6a8", 25_000), strings.Repeat("\U0001f6a8", 5) + "..."},
	{"long and dropped", strings.Repeat("\u202e", 30_000), ""},
}

func TestHostileText(t *testing.T) {
	for _, test := range hostile {
		t.Run(test.name, func(t *testing.T) {
			d := sample()
			d.ObjectClass, d.Source, d.CameraID, d.ReportedBy = test.in, test.in, test.in, test.in
			d.Fix.Flag = geo.Flag(test.in)
			d.ReceivedAt = now.Add(-732 * time.Second)
			e := parse(t, encode(t, d))
			if want := test.want + " 7890ab"; e.Detail.Contact.Callsign != want {
				t.Errorf("callsign %q, want %q", e.Detail.Contact.Callsign, want)
			}
			if !strings.HasPrefix(e.Detail.Remarks, "delayed 732 s; ") {
				t.Errorf("remarks %q", e.Detail.Remarks)
			}
			if e.UID != "detection-api."+d.ID || e.Type != "a-u-G" {
				t.Errorf("uid %q type %q", e.UID, e.Type)
			}
			checkProfile(t, cot.Hello(test.in, test.in, now))
			checkProfile(t, cot.Ping(test.in, now))
		})
	}
}

func FuzzEncode(f *testing.F) {
	for _, test := range hostile {
		f.Add("0195650f-6c1a-7d3e-8f00-1234567890ab", test.in, test.in, test.in, "GREEN", 33.8, -84.5, 288.0, 12.0, 4.0, 30.0, 45.0, 0.9, int64(1))
	}
	f.Add("x", "", "", "", "", math.NaN(), math.Inf(1), -1e300, 5e-324, math.Copysign(0, -1), 1e20, -1e300, 2.0, int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, id, class, source, camera, flag string, lat, lon, hae, ce, le, axis, bearing, confidence float64, late int64) {
		d := detection.Detection{
			ID: id, ReceivedAt: now.Add(-time.Duration(late)), SeenAt: now.Add(-time.Duration(late)),
			ObjectClass: class, AIConfidence: confidence, Source: source, CameraID: camera,
			Fix: detection.Fix{
				LatDeg: lat, LonDeg: lon, HAEMetres: &hae, CE90Metres: ce, LE90Metres: le, Flag: geo.Flag(flag),
				Ellipse: detection.Ellipse{MajorMetres: axis, MinorMetres: axis / 2, BearingDeg: bearing},
			},
		}
		b, err := cot.Encoder{}.Encode(d, now)
		if err != nil {
			if detection.CodeOf(err) != detection.CodeInvalidField {
				t.Fatalf("untyped: %v", err)
			}
			return
		}
		checkProfile(t, b)
		e := parse(t, b)
		if e.UID != "detection-api."+id || e.Detail == nil {
			t.Fatalf("uid %q, detail %v", e.UID, e.Detail)
		}
		near(t, e.Point.Lat, lat)
		near(t, e.Point.Lon, lon)
	})
}

func near(t *testing.T, text string, want float64) {
	t.Helper()
	got, err := strconv.ParseFloat(text, 64)
	if err != nil || strings.ContainsAny(text, "eEnN") || math.Abs(got-want) > 1e-8 {
		t.Fatalf("%q, want %v (%v)", text, want, err)
	}
}
