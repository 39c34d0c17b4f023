package cot_test

import (
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
	{"long and dropped", strings.Repeat("\u202e", 30_000), "unknown"},
}

func TestHostileText(t *testing.T) {
	for _, test := range hostile {
		t.Run(test.name, func(t *testing.T) {
			d := sample()
			d.ObjectClass, d.Source, d.CameraID, d.ReportedBy = test.in, test.in, test.in, test.in
			d.Fix.Flag = geo.Flag(test.in)
			d.ReceivedAt = now.Add(-732 * time.Second)
			b := encode(t, d)
			e := parse(t, b)
			if strings.Contains(string(b), "'") {
				t.Errorf("an apostrophe in %s", b)
			}
			if want := test.want + " 7890ab"; e.Detail.Contact.Callsign != want {
				t.Errorf("callsign %q, want %q", e.Detail.Contact.Callsign, want)
			}
			if !strings.HasPrefix(e.Detail.Remarks, "delayed 732 s; ") {
				t.Errorf("remarks %q", e.Detail.Remarks)
			}
			if e.UID != "detection-api."+d.ID || e.Type != "a-u-G" {
				t.Errorf("uid %q type %q", e.UID, e.Type)
			}
			d.Reason = test.in
			if r := parse(t, encode(t, retraction(d))); r.Detail.Link.UID != e.UID {
				t.Errorf("link %+v", r.Detail.Link)
			}
			d.Datum, d.Sensor = detection.HAE, filmed().Sensor
			if d.CameraID != "" {
				cameraEvent(t, cot.Encoder{}, d)
			}
			checkProfile(t, cot.Hello(test.in, test.in, now))
			checkProfile(t, cot.Ping(test.in, now))
		})
	}
}

// TestHostileIDs holds that what would have to be changed to stand in a uid is refused: it would no longer be unique.
func TestHostileIDs(t *testing.T) {
	for _, test := range hostile {
		for field, change := range map[string]func(*detection.Detection){
			"detection_id":   func(d *detection.Detection) { d.ID = test.in + "/" },
			"track.track_id": func(d *detection.Detection) { d.Track = &detection.Track{ID: test.in + "/"} },
			"retracts":       func(d *detection.Detection) { d.Retracts = test.in + "/" },
		} {
			d := sample()
			change(&d)
			_, err := cot.Encoder{}.Encode(d, now)
			if detection.CodeOf(err) != detection.CodeInvalidField || !strings.HasPrefix(err.Error(), field) {
				t.Errorf("%s, %s: got %v", test.name, field, err)
			}
		}
	}
}

// TestTheLongestEvent holds that an event whose every part is as long as it can be still has room for its remarks.
func TestTheLongestEvent(t *testing.T) {
	p := profile(t, `{"allow_hostile": true, "classes": {"x": {"type": "a-u-G`+strings.Repeat("-X", 21)+`", "how": "m-i-i-i-i-i-i-i", "icon": "`+strings.Repeat("i", 128)+`"}}}`)
	d := tracked()
	d.ObjectClass, d.CameraID = "x"+strings.Repeat(" ", 63), strings.Repeat("c", 100)
	d.Track.ID, d.Track.Detections = strings.Repeat("t", 64), 1
	d.Track.Fix.LatDeg, d.Track.Fix.LonDeg, *d.Track.Fix.HAEMetres = -89.123456789, -179.123456789, -9999998.123
	d.Track.Fix.CE90Metres, d.Track.Fix.LE90Metres = 9999998.123, 9999998.123
	d.Track.Fix.Ellipse = detection.Ellipse{MajorMetres: 9999998.12, MinorMetres: 9999998.12, BearingDeg: 123}
	d.Track.Motion = &detection.Motion{SpeedMetresPerSecond: 2999.99, CourseDeg: 359.9}
	b := encodeWith(t, cot.Encoder{Profile: p}, d)
	e := parse(t, b)
	if len(e.How) != 15 || len(e.Type) != 47 || len(e.Detail.Icon.Path) != 128 {
		t.Fatalf("not the longest: %s", b)
	}
	if room := cot.MaxEventBytes - (len(b) - len(e.Detail.Remarks)); room < 800 {
		t.Errorf("%d bytes are left for the remarks", room)
	}
}
