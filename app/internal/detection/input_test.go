package detection

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// goodBody is a complete report. Tests change one thing in it.
const goodBody = `{
	"image_base64": "aGVsbG8=",
	"pixel_x": 960, "pixel_y": 540.5,
	"object_class": "vehicle", "ai_confidence": 0.92, "source": "uav-1", "camera_id": "cam-3",
	"timestamp": "2026-02-15T12:00:00Z",
	"sensor_metadata": {
		"location_lat": 40.7128, "location_lon": -74.006, "location_elevation": 100,
		"heading": 45, "pitch": -30, "roll": 0.5, "focal_length": 3000,
		"sensor_width_mm": 13.2, "sensor_height_mm": 8.8, "image_width": 1920, "image_height": 1080
	},
	"altitude_datum": "HAE", "ground_elevation": 12.5
}`

// change returns goodBody with the value at the path replaced by a JSON text, or taken out when the text is empty.
func change(t testing.TB, path, value string) []byte {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal([]byte(goodBody), &body); err != nil {
		t.Fatal(err)
	}
	at, name := body, path
	for {
		object, rest, ok := strings.Cut(name, ".")
		if !ok {
			break
		}
		inner, ok := at[object].(map[string]any)
		if !ok {
			inner = map[string]any{}
			at[object] = inner
		}
		at, name = inner, rest
	}
	if value == "" {
		delete(at, name)
	} else {
		at[name] = json.RawMessage(value)
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestParseInput(t *testing.T) {
	in, err := ParseInput([]byte(goodBody))
	if err != nil {
		t.Fatal(err)
	}
	// The digest is that of "hello", from FIPS 180-4 implementations such as sha256sum.
	const digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	if in.Image == nil || in.Image.SHA256 != digest || in.Image.Bytes != 5 {
		t.Errorf("image: got %+v", in.Image)
	}
	if in.PixelX != 960 || in.PixelY != 540.5 || in.ObjectClass != "vehicle" || in.AIConfidence != 0.92 ||
		in.Source != "uav-1" || in.CameraID != "cam-3" || in.Datum != HAE || len(in.Warnings) != 0 {
		t.Errorf("got %+v", in)
	}
	if want := time.Date(2026, 2, 15, 12, 0, 0, 0, time.UTC); in.SeenAt != want {
		t.Errorf("timestamp: got %s, want %s", in.SeenAt, want)
	}
	s := in.Sensor
	if *s.SensorWidthMM != 13.2 || *s.SensorHeightMM != 8.8 {
		t.Errorf("sensor size: got %v x %v", *s.SensorWidthMM, *s.SensorHeightMM)
	}
	s.SensorWidthMM, s.SensorHeightMM = nil, nil
	want := Sensor{
		LatDeg: 40.7128, LonDeg: -74.006, ElevationMetres: 100, HeadingDeg: 45, PitchDeg: -30, RollDeg: 0.5,
		FocalLengthPx: 3000, ImageWidthPx: 1920, ImageHeightPx: 1080, GroundMetres: 12.5,
	}
	if s != want {
		t.Errorf("sensor: got %+v, want %+v", s, want)
	}
}

func TestParseInputDefaults(t *testing.T) {
	in, err := ParseInput([]byte(`{"pixel_x":0,"pixel_y":0,"object_class":"x","ai_confidence":0,"source":"s","camera_id":"c",
		"timestamp":"2026-02-15T12:00:00Z","sensor_metadata":{"location_lat":0,"location_lon":0,"location_elevation":0,
		"heading":0,"pitch":0,"focal_length":1,"image_width":1,"image_height":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	s := in.Sensor
	if in.Datum != AGL || in.Image != nil || s.RollDeg != 0 || s.GroundMetres != 0 || s.SensorWidthMM != nil || s.SensorHeightMM != nil {
		t.Errorf("got %+v", in)
	}
}

func TestParseInputNamesTheField(t *testing.T) {
	long := `"` + strings.Repeat("é", maxText+1) + `"`
	tests := []struct{ field, value, want string }{
		{"pixel_x", "", "is required"},
		{"pixel_x", "null", "is required"},
		{"pixel_x", "-0.001", "between 0 and 1920"},
		{"pixel_x", "1920.001", "between 0 and 1920"},
		{"pixel_x", `"960"`, "must be a number, not string"},
		{"pixel_x", "[960]", "must be a number, not array"},
		{"pixel_x", "{}", "must be a number, not object"},
		{"pixel_x", "true", "must be a number, not bool"},
		{"pixel_x", "1e400", "must be a number in the range of its type, got 1e400"},
		{"pixel_y", "", "is required"},
		{"pixel_y", "1081", "between 0 and 1080"},
		{"object_class", "", "is required"},
		{"object_class", `""`, "1 to 128 characters"},
		{"object_class", `" \t "`, "1 to 128 characters"},
		{"object_class", long, "got 129"},
		{"object_class", "7", "must be a string, not number"},
		{"object_class", `"a\u0000b"`, "control characters, got one at byte 1"},
		{"object_class", `"a\uffffb"`, "control characters"},
		{"source", "", "is required"},
		{"source", long, "got 129"},
		{"source", `"a\nb"`, "control characters"},
		{"camera_id", "", "is required"},
		{"camera_id", `"\u202egnp.exe"`, "control characters"},
		{"ai_confidence", "", "is required"},
		{"ai_confidence", "-0.01", "between 0 and 1"},
		{"ai_confidence", "1.01", "between 0 and 1"},
		{"ai_confidence", "92", "between 0 and 1"},
		{"timestamp", "", "is required"},
		{"timestamp", "1771156800", "must be a string, not number"},
		{"timestamp", `"yesterday"`, "RFC 3339"},
		{"timestamp", `"2026-02-30T12:00:00Z"`, "RFC 3339"},
		{"timestamp", `"2026-02-15T12:00:00+00:00Z"`, "RFC 3339"},
		{"timestamp", `"2026-02-15"`, "RFC 3339"},
		{"timestamp", `"1969-12-31T23:59:59Z"`, "between the years 1970 and 9998"},
		{"timestamp", `"1970-01-01T00:30:00+01:00"`, "between the years 1970 and 9998"},
		{"timestamp", `"9999-01-01T00:00:00Z"`, "between the years 1970 and 9998"},
		{"altitude_datum", `"agl"`, "must be AGL, MSL or HAE"},
		{"altitude_datum", `"` + strings.Repeat("x", 1000) + `"`, "must be AGL, MSL or HAE"},
		{"altitude_datum", `1`, "must be a string"},
		{"ground_elevation", "-12000.1", "between -12000 and 100000"},
		{"ground_elevation", "100000.1", "between -12000 and 100000"},
		{"image_base64", `"data:image/jpeg;base64,aGVsbG8="`, "base64"},
		{"image_base64", `"aGVsbG8"`, "base64"},
		{"image_base64", `"aGVs bG8="`, "base64"},
		{"image_base64", `"_-8="`, "base64"},
		{"image_base64", `"aGVsbG8=aGVsbG8="`, "base64"},
		{"image_base64", "5", "must be a string"},
		{"sensor_metadata", "", "is required"},
		{"sensor_metadata", "null", "is required"},
		{"sensor_metadata", "[]", "must be an object, not array"},
		{"sensor_metadata.location_lat", "", "is required"},
		{"sensor_metadata.location_lat", "90.0001", "between -90 and 90"},
		{"sensor_metadata.location_lat", "-90.0001", "between -90 and 90"},
		{"sensor_metadata.location_lat", `"40"`, "must be a number, not string"},
		{"sensor_metadata.location_lon", "", "is required"},
		{"sensor_metadata.location_lon", "180.0001", "between -180 and 180"},
		{"sensor_metadata.location_elevation", "", "is required"},
		{"sensor_metadata.location_elevation", "100001", "between -12000 and 100000"},
		{"sensor_metadata.heading", "", "is required"},
		{"sensor_metadata.heading", "360.1", "between -360 and 360"},
		{"sensor_metadata.pitch", "", "is required"},
		{"sensor_metadata.pitch", "-90.1", "between -90 and 90"},
		{"sensor_metadata.roll", "180.1", "between -180 and 180"},
		{"sensor_metadata.focal_length_mm", "0", "between 0.001 and"},
		{"sensor_metadata.principal_point_x", "1e6", "between -100000 and 100000"},
		{"sensor_metadata.principal_point_y", `"5"`, "must be a number, not string"},
		{"sensor_metadata.distortion", "[1]", "must be an object, not array"},
		{"sensor_metadata.distortion.k1", "1e9", "between -1000 and 1000"},
		{"sensor_metadata.distortion.k9", "1", "is not a field"},
		{"sensor_metadata.heading_reference", `"grid"`, "must be true or magnetic"},
		{"sensor_metadata.sigmas.pitch_deg", "-1", "between 0 and 180"},
		{"sensor_metadata.sigmas.pitch", "1", "is not a field"},
		{"sensor_metadata.yaw", "3", "check its spelling"},
		{"sensor_metadata.Heading", "3", "did you mean heading?"},
		{"camera_make", `"acme"`, "is not a field"},
		{"Image_Base64", `""`, "did you mean image_base64?"},
		{"pixelX", "1", "did you mean pixel_x?"},
		{"sensor_metadata.focal_length", "0", "between 1 and"},
		{"sensor_metadata.focal_length", "0.999", "between 1 and"},
		{"sensor_metadata.focal_length", "-3000", "between 1 and"},
		{"sensor_metadata.focal_length", "1e8", "between 1 and"},
		{"sensor_metadata.image_width", "", "is required"},
		{"sensor_metadata.image_width", "0", "between 1 and 100000"},
		{"sensor_metadata.image_width", "100001", "between 1 and 100000"},
		{"sensor_metadata.image_width", "1920.5", "must be a whole number in the range of its type, got 1920.5"},
		{"sensor_metadata.image_width", "99999999999999999999", "must be a whole number"},
		{"sensor_metadata.image_width", "1e400", "must be a number in the range of its type"},
		{"sensor_metadata.image_width", "-1920", "between 1 and 100000, got -1920"},
		{"sensor_metadata.image_height", "", "is required"},
		{"sensor_metadata.image_height", "-1080", "between 1 and 100000"},
		{"sensor_metadata.sensor_width_mm", "0", "greater than 0"},
		{"sensor_metadata.sensor_height_mm", "-1", "between 0 and 1000"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s=%.20s", tt.field, tt.value), func(t *testing.T) {
			checkRefused(t, change(t, tt.field, tt.value), CodeInvalidField, tt.field, tt.want)
		})
	}
}

// checkRefused parses a body and compares the refusal. An input that is refused must come back empty.
func checkRefused(t *testing.T, body []byte, code Code, field, want string) {
	t.Helper()
	in, err := ParseInput(body)
	var got *Error
	if !errors.As(err, &got) {
		t.Fatalf("got %v (%+v), want an *Error", err, in)
	}
	if got.Code != code || got.Field != field || !strings.Contains(got.Message, want) {
		t.Errorf("got %s, field %q, %q; want %s, field %q, %q", got.Code, got.Field, got.Message, code, field, want)
	}
	if len(got.Message) > 200 || len(got.Field) > 200 {
		t.Errorf("the refusal repeats the input: %d bytes of message, %d of field", len(got.Message), len(got.Field))
	}
	if in.ObjectClass != "" {
		t.Errorf("a refused input came back: %+v", in)
	}
}

func TestParseInputBoundaries(t *testing.T) {
	tests := []struct{ field, value string }{
		{"pixel_x", "0"},
		{"pixel_x", "1920"},
		{"pixel_y", "0"},
		{"pixel_y", "1080"},
		{"ai_confidence", "0"},
		{"ai_confidence", "1"},
		{"object_class", `"` + strings.Repeat("é", maxText) + `"`},
		{"object_class", `"<&>\"' \u00a0"`},
		{"timestamp", `"1970-01-01T00:00:00Z"`},
		{"timestamp", `"9998-12-31T23:59:59.999999999Z"`},
		{"timestamp", `"2026-02-15T13:00:00+01:00"`},
		{"altitude_datum", `"AGL"`},
		{"altitude_datum", `"MSL"`},
		{"altitude_datum", "null"},
		{"sensor_metadata.image_width", "1920.0"},
		{"sensor_metadata.image_height", "1.08e3"},
		{"ground_elevation", "-12000"},
		{"ground_elevation", "100000"},
		{"ground_elevation", "null"},
		{"image_base64", `""`},
		{"image_base64", "null"},
		{"sensor_metadata.location_lat", "-90"},
		{"sensor_metadata.location_lat", "90"},
		{"sensor_metadata.location_lon", "-180"},
		{"sensor_metadata.location_lon", "180"},
		{"sensor_metadata.heading", "-360"},
		{"sensor_metadata.heading", "360"},
		{"sensor_metadata.pitch", "-90"},
		{"sensor_metadata.pitch", "90"},
		{"sensor_metadata.roll", "-180"},
		{"sensor_metadata.focal_length", "1"},
		{"sensor_metadata.focal_length", "1e7"},
		{"sensor_metadata.sensor_width_mm", "null"},
		{"sensor_metadata.focal_length", ""},
		{"sensor_metadata.focal_length_mm", "24"},
		{"sensor_metadata.principal_point_x", "-10"},
		{"sensor_metadata.distortion", "{}"},
		{"sensor_metadata.distortion.p2", "-1000"},
		{"sensor_metadata.heading_reference", `"magnetic"`},
		{"sensor_metadata.heading_reference", `"true"`},
		{"sensor_metadata.sigmas.ground_m", "0"},
		{"image_base64", `"aGVs\nbG8="`},
		{"image_base64", `"\u0061GVsbG8\u003D"`},
		{"image_base64", `"\/+=="`},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s=%.20s", tt.field, tt.value), func(t *testing.T) {
			if _, err := ParseInput(change(t, tt.field, tt.value)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestParseInputWarns(t *testing.T) {
	tests := []struct {
		name  string
		body  []byte
		want  string
		check func(in Input) bool
	}{
		{
			"a Python time without a zone", change(t, "timestamp", `"2026-02-15T12:00:00.123456"`), "no zone",
			func(in Input) bool { return in.SeenAt.Equal(time.Date(2026, 2, 15, 12, 0, 0, 123456000, time.UTC)) },
		},
		{
			"a whole second without a zone", change(t, "timestamp", `"2026-02-15T12:00:00"`), "no zone",
			func(in Input) bool { return in.SeenAt.Equal(time.Date(2026, 2, 15, 12, 0, 0, 0, time.UTC)) },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in, err := ParseInput(tt.body)
			if err != nil {
				t.Fatal(err)
			}
			if len(in.Warnings) != 1 || !strings.Contains(in.Warnings[0], tt.want) || len(in.Warnings[0]) > 200 {
				t.Errorf("warnings: got %q, want one with %q", in.Warnings, tt.want)
			}
			if !tt.check(in) {
				t.Errorf("got %+v", in)
			}
		})
	}
}
