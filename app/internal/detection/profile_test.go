package detection

import (
	"math"
	"strings"
	"testing"

	"github.com/detection-api/detection-api/app/internal/geo"
)

const goodProfiles = `{
	"cam-3": {
		"focal_length": 1500, "principal_point_x": 490, "principal_point_y": 268, "image_width": 960, "image_height": 540,
		"distortion": {"k1": -0.1, "k2": 0.01, "p1": 0.001, "p2": 0, "k3": 0}, "heading_reference": "magnetic",
		"sigmas": {"heading_deg": 0.5}
	},
	"metric": {"focal_length_mm": 20.625, "sensor_width_mm": 13.2},
	"*": {"sigmas": {"horizontal_m": 0.02, "vertical_m": 0.03}}
}`

// TestProfileOfACamera: an image of twice the size has twice the pixels everywhere, and what the report states goes first.
func TestProfileOfACamera(t *testing.T) {
	profiles, err := ParseProfiles([]byte(goodProfiles))
	if err != nil {
		t.Fatal(err)
	}
	l := testLocator()
	l.Profiles = profiles
	in := testInput(t) // 1920 by 1080
	in.Sensor.FocalLengthPx = 0
	s, err := l.Resolve(in)
	if err != nil || s.FocalLengthPx != 3000 || *s.PrincipalPointXPx != 980 || *s.PrincipalPointYPx != 536 ||
		s.Distortion.K1 != -0.1 || s.HeadingReference != MagneticNorth {
		t.Errorf("resolved to %+v, %v", s, err)
	}
	in.Sensor = s
	if again, err := l.Resolve(in); err != nil || again.FocalLengthPx != s.FocalLengthPx || again.PrincipalPointXPx != s.PrincipalPointXPx {
		t.Errorf("resolved again to %+v, %v", again, err)
	}
	in = testInput(t)
	in.Sensor.PrincipalPointXPx, in.Sensor.PrincipalPointYPx = new(1.0), new(2.0)
	in.Sensor.Distortion, in.Sensor.HeadingReference = &Distortion{}, TrueNorth
	if s, err = l.Resolve(in); err != nil || *s.PrincipalPointXPx != 1 || s.Distortion.K1 != 0 || s.HeadingReference != TrueNorth {
		t.Errorf("over the report's own: %+v, %v", s, err)
	}
	in.Sensor.FocalLengthPx = 3300
	if _, warnings := mustLocate(t, l, in); !mentions(warnings, "profile") {
		t.Errorf("10 %% off the profile: %q", warnings)
	}
	in.Sensor.ImageHeightPx, in.Sensor.FocalLengthPx = 1920, 0
	if _, err = l.Resolve(in); err == nil || !strings.Contains(err.Error(), "960 x 540") {
		t.Errorf("an image of another shape: %v", err)
	}
	in.CameraID = "metric"
	if s, err = l.Resolve(in); err != nil || math.Abs(s.FocalLengthPx-3000) > 1e-9 {
		t.Errorf("in millimetres: %+v, %v", s, err)
	}
	in.CameraID = "unheard of"
	if got := l.sigmas(in); got.CameraHorizontalMetres != 0.02 || got.HeadingDeg != geo.DefaultSigmas().HeadingDeg {
		t.Errorf("any camera: %+v", got)
	}
}

// TestPrincipalPointMatters is the positive control: half a degree of principal point moves the fix.
func TestPrincipalPointMatters(t *testing.T) {
	in := testInput(t)
	plain, _ := mustLocate(t, testLocator(), in)
	in.Sensor.PrincipalPointXPx, in.Sensor.PrincipalPointYPx = new(986.0), new(540.0)
	if moved, _ := mustLocate(t, testLocator(), in); geo.HorizontalDistanceMetres(point(plain), point(moved)) < 1 {
		t.Errorf("%+v, then %+v", plain, moved)
	}
}

func TestBadProfiles(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", ``, "not valid JSON"},
		{"list", `[]`, "object of camera ids"},
		{"cut", `{"a": {"focal_length": 1`, "not valid JSON"},
		{"more", `{} {}`, "more data"},
		{"null", `{"a": null}`, `"a": must be an object`},
		{"twice", `{"a": {}, "a": {}}`, "a is there twice"},
		{"twice within", `{"a": {"sigmas": {"heading_deg": 1, "heading_deg": 2}}}`, "a.sigmas.heading_deg is there twice"},
		{"unknown", `{"a": {"focal": 1}}`, `"a": unknown field "focal"`},
		{"unknown sigma", `{"a": {"sigmas": {"yaw_deg": 1}}}`, `unknown field "yaw_deg"`},
		{"type", `{"a": {"sigmas": {"heading_deg": "1"}}}`, "sigmas.heading_deg"},
		{"negative sigma", `{"a": {"sigmas": {"heading_deg": -1}}}`, "sigmas.heading_deg: must be between 0 and 180, got -1"},
		{"half the light", `{"a": {"sigmas": {"focal_percent": 51}}}`, "sigmas.focal_percent"},
		{"north", `{"a": {"heading_reference": "grid"}}`, "heading_reference"},
		{"lens", `{"a": {"distortion": {"k1": 1e9}}}`, "distortion.k1"},
		{"focal", `{"a": {"focal_length": 0.1, "image_width": 10, "image_height": 10}}`, "focal_length"},
		{"no size", `{"a": {"focal_length": 1000}}`, "image_width"},
		{"half a size", `{"a": {"image_width": 1000}}`, "image_height"},
		{"half a point", `{"a": {"principal_point_x": 5, "image_width": 10, "image_height": 10}}`, "principal_point_x"},
		{"point outside", `{"a": {"principal_point_x": 5, "principal_point_y": 11, "image_width": 10, "image_height": 10}}`, "principal_point_y"},
		{"contradiction", `{"a": {"focal_length": 1000, "image_width": 1920, "image_height": 1080, "focal_length_mm": 8, "sensor_width_mm": 13.2}}`, "differ"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			profiles, err := ParseProfiles([]byte(tt.text))
			if err == nil || profiles != nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, %v, want an error with %q", profiles, err, tt.want)
			}
		})
	}
}

// FuzzParseProfiles looks for a file that is taken and then makes a position that is none.
func FuzzParseProfiles(f *testing.F) {
	f.Add([]byte(goodProfiles))
	f.Add([]byte(`{"*": {"focal_length_mm": 0.001, "sensor_width_mm": 1000, "distortion": {"k1": 999, "k3": -999}}}`))
	base, err := ParseInput([]byte(goodBody))
	if err != nil {
		f.Fatal(err)
	}
	base.Sensor.FocalLengthPx = 0
	f.Fuzz(func(t *testing.T, text []byte) {
		profiles, err := ParseProfiles(text)
		if err != nil {
			return
		}
		l := testLocator()
		l.Profiles = profiles
		for id := range profiles {
			in := base
			in.CameraID = id
			fix, _, err := l.Locate(in)
			if err == nil && !(fix.CE90Metres > 0 && math.Abs(fix.LatDeg) <= 90) || err != nil && fix != (Fix{}) {
				t.Errorf("%s: %+v, %v", id, fix, err)
			}
			if err != nil && CodeOf(err) == CodeInternal {
				t.Errorf("%s: %v", id, err)
			}
		}
	})
}
