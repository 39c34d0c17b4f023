package detection

import (
	"errors"
	"strings"
	"testing"
)

func TestParseInputMalformed(t *testing.T) {
	tests := []struct{ name, body, field, want string }{
		{"empty", "", "", "too early or is empty"},
		{"blank", " \n", "", "too early or is empty"},
		{"cut off", goodBody[:100], "", "too early"},
		{"a word", "hello", "", "not valid JSON at byte 0"},
		{"byte order mark", "\xef\xbb\xbf" + goodBody, "", "not valid JSON"},
		{"a list", "[" + goodBody + "]", "", "must be a JSON object, not array"},
		{"a string", `"x"`, "", "must be a JSON object, not string"},
		{"a number", `12`, "", "must be a JSON object, not number"},
		{"two objects", goodBody + goodBody, "", "more data after the JSON object"},
		{"a tail", goodBody + "x", "", "more data after the JSON object"},
		{"null", "null", "", "must be a JSON object, not null"},
		{"a name twice", strings.Replace(goodBody, `"pixel_x": 960`, `"pixel_x": 960, "pixel_x": 960`, 1), "pixel_x", "is there twice"},
		{"a name twice, once escaped", strings.Replace(goodBody, `"pixel_x": 960`, `"pixel_x": 960, "pixel\u005fx": 960`, 1), "pixel_x", "is there twice"},
		{"a nested name twice", strings.Replace(goodBody, `"heading": 45`, `"heading": 45, "heading": 46`, 1), "sensor_metadata.heading", "is there twice"},
		{"two pictures", strings.Replace(goodBody, `"pixel_x": 960`, `"pixel_x": 960, "image_base64": ""`, 1), "image_base64", "is there twice"},
		{"a comma too many", `{"pixel_x":1,}`, "", "not valid JSON"},
		{"NaN", `{"pixel_y":1,"pixel_x": NaN}`, "pixel_x", "invalid character 'N'"},
		{"Infinity", `{"sensor_metadata":{"roll":0,"pitch":Infinity}}`, "sensor_metadata.pitch", "invalid character 'I'"},
		{"minus Infinity", `{"ai_confidence":-Infinity}`, "ai_confidence", "invalid character 'I'"},
		{"single quotes", `{"source":'uav'}`, "source", "invalid character"},
		{"a text with a colon before", `{"source":"a:b","camera_id":nan}`, "camera_id", "invalid character"},
		{"control character in a string", "{\"source\":\"a\nb\"}", "source", "invalid character"},
		{"invalid UTF-8", "{\"source\":\"a\xffb\"}", "source", "UTF-8"},
		{"overlong UTF-8", "{\"source\":\"\xc0\xaf\"}", "source", "UTF-8"},
		{"half a surrogate pair", `{"source":"a\ud800b"}`, "source", "half a surrogate pair at byte 12"},
		{"a surrogate pair the wrong way round", `{"source":"\udc00\ud800"}`, "source", "half a surrogate pair"},
		{"lists nested deeply", strings.Repeat("[", 1<<15), "", "must be a JSON object"},
		{"long value", `{"source":` + strings.Repeat("k", 1<<15) + `}`, "source", "invalid character"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkRefused(t, []byte(tt.body), CodeMalformed, tt.field, tt.want)
		})
	}
}

// FuzzParseInput looks for panics, for accepted inputs outside of the bounds and for refusals that repeat the body.
func FuzzParseInput(f *testing.F) {
	f.Add([]byte(goodBody))
	f.Add(change(f, "timestamp", `"2026-02-15T12:00:00"`))
	f.Add(change(f, "sensor_metadata.pitch", ""))
	f.Add([]byte(`{"sensor_metadata":{"pitch":NaN}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		in, err := ParseInput(body)
		if err != nil {
			var refusal *Error
			if !errors.As(err, &refusal) || (refusal.Code != CodeMalformed && refusal.Code != CodeInvalidField) || len(refusal.Error()) > 1000 {
				t.Errorf("got %.2000v", err)
			}
			return
		}
		s := in.Sensor
		if !(s.FocalLengthPx > 0 && s.ImageWidthPx > 0 && in.PixelX >= 0 && in.PixelX <= float64(s.ImageWidthPx)) || in.Source == "" {
			t.Errorf("accepted %+v", in)
		}
	})
}
