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

var nan, inf = math.NaN(), math.Inf(1)

// filmed is the sample with the camera that saw it.
func filmed() detection.Detection {
	d := sample()
	d.Datum = detection.HAE
	d.Fix.SlantRangeMetres = 141.42
	d.Sensor = detection.Sensor{
		LatDeg: 33.8364, LonDeg: -84.5385, ElevationMetres: 388.25, HeadingDeg: -90, PitchDeg: -45, RollDeg: 2.5,
		FocalLengthPx: 1000, ImageWidthPx: 2000, ImageHeightPx: 1000,
	}
	return d
}

func camera(t testing.TB, encoder cot.Encoder, d detection.Detection) event {
	t.Helper()
	return parse(t, cameraEvent(t, encoder, d))
}

func cameraEvent(t testing.TB, encoder cot.Encoder, d detection.Detection) []byte {
	t.Helper()
	b, err := encoder.Camera(d, now)
	if err != nil {
		t.Fatal(err)
	}
	checkProfile(t, b)
	return b
}

func TestCamera(t *testing.T) {
	e := camera(t, cot.Encoder{}, filmed())
	if e.UID != "detection-api.camera.cam-7" || e.Type != "b-m-p-s-p-loc" || e.How != "m-r" || e.Detail.Contact.Callsign != "cam-7" {
		t.Errorf("%+v", e)
	}
	if target := parse(t, encode(t, filmed())).Detail.Link; target.UID != e.UID || target.Type != e.Type {
		t.Errorf("the detection links to %+v", target)
	}
	if p := e.Point; p.Lat != "33.83640000" || p.Lon != "-84.53850000" || p.HAE != "388.250" || p.CE != "9999999.0" || p.LE != "9999999.0" {
		t.Errorf("point %+v", p)
	}
	s := e.Detail.Sensor
	if s == nil || s.Azimuth != "270.0" || s.Elevation != "-45.0" || s.Roll != "2.5" || s.Range != "142" {
		t.Fatalf("sensor %+v", s)
	}
	// 2 atan(1000/1000) and 2 atan(500/1000)
	if s.FOV != "90.0" || s.VFOV != "53.1" {
		t.Errorf("fields of view %s and %s", s.FOV, s.VFOV)
	}
	if e.Detail.Remarks != "camera of uav-feed-1; last image 2026-03-04T05:06:06Z" {
		t.Errorf("remarks %q", e.Detail.Remarks)
	}
}

// TestCameraHeight has the sign oracle of the geoid: over 12.25 S 82.75 E it lies 67.347 m below the ellipsoid, so 1067.347 m
// above the sea are 1000 m above the ellipsoid (westphae/geomag, egm96_test.go; 15' grid, so 0.2 m).
func TestCameraHeight(t *testing.T) {
	d := filmed()
	d.Sensor.LatDeg, d.Sensor.LonDeg, d.Sensor.ElevationMetres, d.Datum = -12.25, 82.75, 1067.347, detection.MSL
	within(t, camera(t, cot.Encoder{}, d).Point.HAE, 1000, 0.2)
	d.Datum = detection.AGL
	if got := camera(t, cot.Encoder{}, d).Point.HAE; got != "9999999.0" {
		t.Errorf("height above the ground is called %s above the ellipsoid", got)
	}
}

func TestCameraErrors(t *testing.T) {
	one := 2.0
	d := filmed()
	d.Sensor.Sigmas = &detection.Sigmas{HorizontalMetres: &one, VerticalMetres: &one}
	if p := camera(t, cot.Encoder{}, d).Point; p.CE != "4.292" || p.LE != "3.290" { // 2.1460 and 1.6449 of them
		t.Errorf("90 %%: %+v", p)
	}
	over := d
	over.Datum = detection.AGL
	if p := camera(t, cot.Encoder{}, over).Point; p.CE != "4.292" || p.LE != "9999999.0" {
		t.Errorf("height unknown: %+v", p)
	}
	if p := camera(t, cot.Encoder{Profile: profile(t, `{"errors": "one-sigma"}`)}, d).Point; p.CE != "2.000" || p.LE != "2.000" {
		t.Errorf("one sigma: %+v", p)
	}
}

func TestCameraPrincipalPoint(t *testing.T) {
	d, edge := filmed(), 0.0
	d.Sensor.PrincipalPointXPx = &edge // all of the image is on one side: atan(2000/1000)
	if got := camera(t, cot.Encoder{}, d).Detail.Sensor.FOV; got != "63.4" {
		t.Errorf("field of view %s", got)
	}
}

// TestCameraMagnetic has a test value that NOAA publishes with the World Magnetic Model 2025 (WMM2025_TEST_VALUES.txt): at
// 2025.0, 80 N 96 W and 48 km the declination was -29.91 degrees.
func TestCameraMagnetic(t *testing.T) {
	d := filmed()
	d.Sensor.HeadingReference, d.Sensor.LatDeg, d.Sensor.LonDeg, d.Sensor.ElevationMetres = detection.MagneticNorth, 80, -96, 48000
	d.SeenAt = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	within(t, camera(t, cot.Encoder{}, d).Detail.Sensor.Azimuth, 270-29.91, 0.06)
}

func TestCameraRoll(t *testing.T) {
	for roll, want := range map[float64]string{180: "180.0", -180: "180.0", -179.97: "180.0", 180.04: "180.0", 180.06: "-179.9", -0.01: "0.0", 540: "180.0"} {
		d := filmed()
		d.Sensor.RollDeg = roll
		if got := camera(t, cot.Encoder{}, d).Detail.Sensor.Roll; got != want {
			t.Errorf("%v: roll %s, want %s", roll, got, want)
		}
	}
}

// TestCameraWithoutAView holds that a view that is not known is not drawn.
func TestCameraWithoutAView(t *testing.T) {
	for name, change := range map[string]func(*detection.Detection){
		"before the model": func(d *detection.Detection) {
			d.Sensor.HeadingReference, d.SeenAt = detection.MagneticNorth, now.AddDate(-10, 0, 0)
		},
		"no focal length": func(d *detection.Detection) { d.Sensor.FocalLengthPx = 0 },
		"no image size":   func(d *detection.Detection) { d.Sensor.ImageWidthPx = 0 },
		"a telescope":     func(d *detection.Detection) { d.Sensor.FocalLengthPx = 1e7 },
		"pitch":           func(d *detection.Detection) { d.Sensor.PitchDeg = 91 },
		"heading":         func(d *detection.Detection) { d.Sensor.HeadingDeg = nan },
		"roll":            func(d *detection.Detection) { d.Sensor.RollDeg = inf },
	} {
		d := filmed()
		change(&d)
		if s := camera(t, cot.Encoder{}, d).Detail.Sensor; s != nil {
			t.Errorf("%s: sensor %+v", name, s)
		}
	}
	d := filmed()
	d.Fix.SlantRangeMetres = 1e6
	if got := camera(t, cot.Encoder{}, d).Detail.Sensor.Range; got != "15000" {
		t.Errorf("range %s", got)
	}
}

func TestCameraRefuses(t *testing.T) {
	for field, change := range map[string]func(*detection.Detection){
		"camera_id":                    func(d *detection.Detection) { d.CameraID = "" },
		"camera_id: is missing":        func(d *detection.Detection) { *d = retraction(*d) },
		"timestamp":                    func(d *detection.Detection) { d.SeenAt = d.SeenAt.AddDate(9000, 0, 0) },
		"sensor_metadata.location.lat": func(d *detection.Detection) { d.Sensor.LatDeg = nan },
		"sensor_metadata.location.lon": func(d *detection.Detection) { d.Sensor.LonDeg = -180.5 },
	} {
		d := filmed()
		change(&d)
		_, err := cot.Encoder{}.Camera(d, now)
		if detection.CodeOf(err) != detection.CodeInvalidField || !strings.HasPrefix(err.Error(), field) {
			t.Errorf("%s: got %v", field, err)
		}
	}
}

func TestCameraUID(t *testing.T) {
	seen := map[string]string{}
	for _, id := range []string{"cam-7", "cam 7", "cam/7", "cäm-7", strings.Repeat("x", 64), strings.Repeat("x", 65), strings.Repeat("x", 66)} {
		d := filmed()
		d.CameraID = id
		uid := camera(t, cot.Encoder{}, d).UID
		if other, taken := seen[uid]; taken {
			t.Errorf("%q and %q share %q", id, other, uid)
		}
		seen[uid] = id
		if len(uid) > len("detection-api.camera.")+64 {
			t.Errorf("%q is long", uid)
		}
	}
}

// TestCameraShowsWhatItSees holds the field of view against the projection of geo: what lies within the azimuths of the
// view's edges is inside the image, what lies beyond is not (for a level camera, where the two are the same).
func TestCameraShowsWhatItSees(t *testing.T) {
	d := filmed()
	d.Sensor.PitchDeg, d.Sensor.RollDeg, d.Sensor.HeadingDeg = 0, 0, 30
	lens := geo.CameraForImage(d.Sensor.ImageWidthPx, d.Sensor.ImageHeightPx, d.Sensor.FocalLengthPx)
	lens.Position, lens.HeadingDeg = geo.LatLonHAE{LatDeg: d.Sensor.LatDeg, LonDeg: d.Sensor.LonDeg}, 30
	half := number(t, camera(t, cot.Encoder{}, d).Detail.Sensor.FOV) / 2
	for _, test := range []struct {
		deg    float64
		inside bool
	}{{30 - half + 0.1, true}, {30 + half - 0.1, true}, {30 - half - 0.1, false}, {30 + half + 0.1, false}} {
		at := test.deg * math.Pi / 180
		u, _, err := lens.ProjectENU(vector(math.Sin(at), math.Cos(at), 0))
		if err != nil || (u >= 0 && u <= 2000) != test.inside {
			t.Errorf("%v deg: pixel %v, %v", test.deg, u, err)
		}
	}
}
