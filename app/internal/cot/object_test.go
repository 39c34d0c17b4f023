package cot_test

import (
	"cmp"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/cot"
	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
)

const trackID = "0195650f-0000-8000-8000-000000fedcba"

// tracked is the sample as the fourth detection of an object that moves.
func tracked() detection.Detection {
	d, hae := sample(), 290.5
	d.Track = &detection.Track{
		ID: trackID, Detections: 4, FirstSeenAt: d.SeenAt.Add(-time.Minute),
		Fix: detection.Fix{
			LatDeg: 33.8355, LonDeg: -84.5385, HAEMetres: &hae, CE90Metres: 6.5, LE90Metres: 2.5, Flag: geo.Yellow,
			Method: detection.MethodFused, Ellipse: detection.Ellipse{MajorMetres: 16, MinorMetres: 12, BearingDeg: 45},
		},
		Motion: &detection.Motion{SpeedMetresPerSecond: 8.25, CourseDeg: -90},
	}
	return d
}

func retraction(of detection.Detection) detection.Detection {
	of.Retracts, of.ID = of.ID, detection.RetractionID(of.ID, of.SeenAt)
	of.ReceivedAt, of.SeenAt = now, now
	of.Reason = cmp.Or(of.Reason, "mistaken for a rock")
	return of
}

// TestTrack holds what the map is told of a track: one uid, that it is fused, and the position of the track.
func TestTrack(t *testing.T) {
	e := parse(t, encode(t, tracked()))
	if e.UID != "detection-api."+trackID || e.How != "m-f" || e.Detail.Contact.Callsign != "vehicle fedcba" {
		t.Errorf("uid %s, how %s, callsign %s", e.UID, e.How, e.Detail.Contact.Callsign)
	}
	if p := e.Point; p.Lat != "33.83550000" || p.Lon != "-84.53850000" || p.HAE != "290.500" || p.CE != "6.500" || p.LE != "2.500" {
		t.Errorf("point %+v", p)
	}
	if l := e.Detail.Ellipse; l.Major != "16.00" || l.Minor != "12.00" || l.Angle != "45" {
		t.Errorf("ellipse %+v", l)
	}
	if e.Detail.Track == nil || e.Detail.Track.Course != "270.0" || e.Detail.Track.Speed != "8.25" {
		t.Errorf("track %+v", e.Detail.Track)
	}
	if want := "4 detections; vehicle; AI confidence 0.93; CE90 6.5 m (YELLOW); camera cam-7; source uav-feed-1"; e.Detail.Remarks != want {
		t.Errorf("remarks %q, want %q", e.Detail.Remarks, want)
	}
	if e.Detail.Color.ARGB != "-256" {
		t.Errorf("colour %s is not that of the track's flag", e.Detail.Color.ARGB)
	}
}

// TestFirstOfATrack holds that one detection is not called fused.
func TestFirstOfATrack(t *testing.T) {
	d := tracked()
	d.Track.Detections, d.Track.Motion = 1, nil
	two := tracked()
	two.Track.Detections = 2
	if how := parse(t, encode(t, two)).How; how != "m-f" {
		t.Errorf("two detections: how %s", how)
	}
	e := parse(t, encode(t, d))
	if e.How != "m-i" || e.UID != "detection-api."+trackID || strings.Contains(e.Detail.Remarks, "detections") || e.Detail.Track != nil {
		t.Errorf("how %s, uid %s, remarks %q, track %v", e.How, e.UID, e.Detail.Remarks, e.Detail.Track)
	}
}

func TestMotionThatIsNotKnown(t *testing.T) {
	for _, motion := range []detection.Motion{
		{SpeedMetresPerSecond: -1}, {SpeedMetresPerSecond: 1e9}, {SpeedMetresPerSecond: nan}, {CourseDeg: nan}, {CourseDeg: inf},
	} {
		d := tracked()
		d.Track.Motion = &motion
		if e := parse(t, encode(t, d)); e.Detail.Track != nil {
			t.Errorf("%+v: track %+v", motion, e.Detail.Track)
		}
	}
}

func TestCourse(t *testing.T) {
	for course, want := range map[float64]string{0: "0.0", 359.94: "359.9", 359.96: "0.0", 360: "0.0", -0.01: "0.0", 725.5: "5.5"} {
		d := tracked()
		d.Track.Motion.CourseDeg = course
		if got := parse(t, encode(t, d)).Detail.Track.Course; got != want {
			t.Errorf("%v: course %s, want %s", course, got, want)
		}
	}
}

// TestRetraction holds the delete event against what ATAK's CotDeleteImporter reads: the type, a link whose three attributes
// are not empty, and __forcedelete. The event's own uid is nobody else's: OpenTAKServer calls the client with it gone.
func TestRetraction(t *testing.T) {
	for name, of := range map[string]detection.Detection{"a detection": sample(), "a track": tracked()} {
		t.Run(name, func(t *testing.T) {
			target, d := parse(t, encode(t, of)), retraction(of)
			e := parse(t, encode(t, d))
			if e.Type != "t-x-d-d" || e.UID != "detection-api."+d.ID || e.UID == target.UID {
				t.Errorf("type %s, uid %s", e.Type, e.UID)
			}
			if l := e.Detail.Link; l.UID != target.UID || l.Type != target.Type || l.Relation != "p-p" {
				t.Errorf("link %+v does not name %s %s", l, target.UID, target.Type)
			}
			if e.Detail.ForceDelete == nil || e.Detail.Remarks != "retracted: mistaken for a rock" || e.Point != target.Point {
				t.Errorf("detail %+v, point %+v", e.Detail, e.Point)
			}
			if e.Stale <= e.Time || e.Detail.Contact.Callsign != "" {
				t.Errorf("stale %s, time %s, contact %+v", e.Stale, e.Time, e.Detail.Contact)
			}
			again, err := cot.Encoder{}.Encode(d, now.Add(time.Hour))
			if err != nil || parse(t, again).UID != e.UID {
				t.Errorf("delivered again it is another event: %s, %v", again, err)
			}
		})
	}
}

func TestRetractionLate(t *testing.T) {
	d := retraction(sample())
	d.Reason, d.ReceivedAt, d.SeenAt = "", now.Add(-732*time.Second), now.Add(-832*time.Second)
	e := parse(t, encode(t, d))
	if e.Detail.Remarks != "delayed 732 s; retracted" || e.Start != "2026-03-04T04:52:17.250Z" || e.Stale != "2026-03-04T05:11:09.250Z" {
		t.Errorf("remarks %q, start %s, stale %s", e.Detail.Remarks, e.Start, e.Stale)
	}
}

// TestHeightSource has the words of takcot's precisionlocation.xsd.
func TestHeightSource(t *testing.T) {
	hae := 100.0
	for _, test := range []struct {
		fix  detection.Fix
		want string
	}{
		{detection.Fix{}, "???"},
		{detection.Fix{HeightSource: "DTED2"}, "???"},
		{detection.Fix{HAEMetres: &hae, Method: detection.MethodRayEllipsoid}, "CALC"},
		{detection.Fix{HAEMetres: &hae, Method: detection.MethodFused}, "CALC"},
		{detection.Fix{HAEMetres: &hae, HeightSource: "DTED2"}, "DTED2"},
		{detection.Fix{HAEMetres: &hae, HeightSource: "SRTM1"}, "SRTM1"},
		{detection.Fix{HAEMetres: &hae, HeightSource: `a tile of "mine"`}, "CALC"},
	} {
		d := sample()
		d.Fix.HAEMetres, d.Fix.Method, d.Fix.HeightSource = test.fix.HAEMetres, test.fix.Method, test.fix.HeightSource
		if got := parse(t, encode(t, d)).Detail.Location.Altitude; got != test.want {
			t.Errorf("%+v: altsrc %q, want %q", test.fix, got, test.want)
		}
	}
}
