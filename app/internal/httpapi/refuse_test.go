package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/detection-api/detection-api/app/internal/detection"
)

func TestPostRefusesByCode(t *testing.T) {
	refusal := func(code detection.Code, field string) error {
		return &detection.Error{Code: code, Message: "says so", Field: field, Err: errTest}
	}
	tests := []struct {
		name   string
		err    error
		status int
		code   detection.Code
		field  string
		retry  bool
	}{
		{"malformed", refusal(detection.CodeMalformed, ""), 400, detection.CodeMalformed, "", false},
		{"invalid field", refusal(detection.CodeInvalidField, "pixel_x"), 422, detection.CodeInvalidField, "pixel_x", false},
		{"sky", refusal(detection.CodeNoIntersection, "sensor_metadata.pitch"), 422, detection.CodeNoIntersection, "sensor_metadata.pitch", false},
		{"below ground", refusal(detection.CodeBelowGround, ""), 422, detection.CodeBelowGround, "", false},
		{"too shallow", refusal(detection.CodeTooShallow, ""), 422, detection.CodeTooShallow, "", false},
		{"conflict", refusal(detection.CodeConflict, ""), 409, detection.CodeConflict, "", false},
		{"full", fmt.Errorf("put: %w", detection.ErrFull), 507, detection.CodeStorageFull, "", true},
		{"unavailable", fmt.Errorf("commit: %w", detection.ErrUnavailable), 503, detection.CodeUnavailable, "", true},
		{"too late", fmt.Errorf("commit: %w", context.DeadlineExceeded), 503, detection.CodeUnavailable, "", true},
		{"client gone", fmt.Errorf("commit: %w", context.Canceled), 503, detection.CodeUnavailable, "", true},
		{"internal", errTest, 500, detection.CodeInternal, "", false},
		{"internal that has a message", refusal(detection.CodeInternal, "x"), 500, detection.CodeInternal, "", false},
		{"a code that is not in the table", refusal("new_code", "x"), 500, detection.CodeInternal, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newRig()
			g.ingestFails(tt.err)
			w := g.post(goodBody)
			if strings.Contains(w.Body.String(), "secret-host") || strings.Contains(w.Body.String(), "commit:") {
				t.Errorf("internal text reached the client: %s", w.Body)
			}
			checkRefusal(t, w, tt.status, tt.code, tt.field)
			seconds, err := strconv.Atoi(w.Header().Get("Retry-After"))
			if (err == nil && seconds > 0) != tt.retry {
				t.Errorf("Retry-After: got %q, want one: %t", w.Header().Get("Retry-After"), tt.retry)
			}
			if lines := strings.Count(g.log.String(), "\n"); lines != 1 {
				t.Errorf("%d log lines, want 1: %s", lines, g.log.String())
			}
		})
	}
}

func TestPostRefusesHostileBodies(t *testing.T) {
	replace := func(old, replacement string) string { return strings.Replace(goodBody, old, replacement, 1) }
	tests := []struct {
		name, body string
		status     int
		code       detection.Code
		field      string
	}{
		{"empty", "", 400, detection.CodeMalformed, ""},
		{"not JSON", "<event/>", 400, detection.CodeMalformed, ""},
		{"cut off", goodBody[:200], 400, detection.CodeMalformed, "sensor_metadata"},
		{"a list", "[]", 400, detection.CodeMalformed, ""},
		{"trailing data", goodBody + "{}", 400, detection.CodeMalformed, ""},
		{"NaN", replace(`"pixel_x":960`, `"pixel_x":NaN`), 400, detection.CodeMalformed, "pixel_x"},
		{"nested Infinity", replace(`"pitch":-30`, `"pitch":-Infinity`), 400, detection.CodeMalformed, "sensor_metadata.pitch"},
		{"invalid UTF-8", replace("uav-1", "uav\xff"), 400, detection.CodeMalformed, "source"},
		{"deep nesting", strings.Repeat(`[`, 1<<15), 400, detection.CodeMalformed, ""},
		{"much deeper nesting", strings.Repeat(`[`, 1<<20), 413, detection.CodeTooLarge, ""},
		{"unknown field", replace(`{`, `{"zoom":2,`), 422, detection.CodeInvalidField, "zoom"},
		{"null", "null", 400, detection.CodeMalformed, ""},
		{"wrong type", replace(`"pixel_x":960`, `"pixel_x":"960"`), 422, detection.CodeInvalidField, "pixel_x"},
		{"wrong nested type", replace(`"heading":45`, `"heading":[45]`), 422, detection.CodeInvalidField, "sensor_metadata.heading"},
		{"number too large", replace(`"pixel_x":960`, `"pixel_x":1e999`), 422, detection.CodeInvalidField, "pixel_x"},
		{"out of range", replace(`"location_lat":40.7`, `"location_lat":91`), 422, detection.CodeInvalidField, "sensor_metadata.location_lat"},
		{"pixel outside", replace(`"pixel_y":540`, `"pixel_y":1081`), 422, detection.CodeInvalidField, "pixel_y"},
		{"missing", replace(`"camera_id":"cam-3",`, ``), 422, detection.CodeInvalidField, "camera_id"},
		{"no image", replace(`{`, `{"image_base64":"!!",`), 422, detection.CodeInvalidField, "image_base64"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newRig()
			g.Ingestor = fakeIngestor{func(context.Context, detection.Input, string) (detection.Accepted, error) {
				t.Error("the ingestor was asked")
				return detection.Accepted{}, nil
			}}
			checkRefusal(t, g.post(tt.body), tt.status, tt.code, tt.field)
		})
	}
}

func TestUnauthorized(t *testing.T) {
	headers := map[string][]string{
		"none": nil, "empty": {""}, "scheme only": {"Bearer"}, "no token": {"Bearer "}, "no scheme": {goodToken},
		"basic": {"Basic " + goodToken}, "wrong": {"Bearer wrong"}, "two": {"Bearer " + goodToken, "Bearer " + goodToken},
		"list": {"Bearer " + goodToken + ", Bearer " + goodToken}, "tab": {"Bearer\t" + goodToken}, "trailing": {"Bearer " + goodToken + " x"},
	}
	paths := []struct{ method, path string }{
		{http.MethodPost, detectionsPath},
		{http.MethodGet, detectionsPath + "/" + goodID},
		{http.MethodGet, detectionsPath + "/none"},
		{http.MethodDelete, detectionsPath},
		{http.MethodOptions, detectionsPath},
		{http.MethodGet, detectionsPath + "/a/b/c"},
	}
	bodies := map[string]bool{}
	for name, values := range headers {
		for _, at := range paths {
			t.Run(name+" "+at.method+" "+at.path, func(t *testing.T) {
				g := newRig()
				r := httptest.NewRequest(at.method, at.path, unreadable{t})
				r.Header["Authorization"] = values
				w := g.serve(r)
				bodies[w.Body.String()] = true
				checkRefusal(t, w, http.StatusUnauthorized, detection.CodeUnauthorized, "")
				if got := w.Header().Values("WWW-Authenticate"); len(got) != 1 || got[0] != "Bearer" {
					t.Errorf("WWW-Authenticate: got %q", got)
				}
			})
		}
	}
	if len(bodies) != 1 {
		t.Errorf("the answer tells the cause: %v", bodies)
	}
}

// TestMediaType: a body that says to be something else than JSON is not looked at.
func TestMediaType(t *testing.T) {
	for _, said := range []string{"text/plain", "application/xml", "image/jpeg", "multipart/form-data; boundary=x", "json", ";", "application/x-ndjson"} {
		g := newRig()
		r := httptest.NewRequest(http.MethodPost, detectionsPath, unreadable{t})
		r.Header.Set("Authorization", "Bearer "+goodToken)
		r.Header.Set("Content-Type", said)
		checkRefusal(t, g.serve(r), http.StatusUnsupportedMediaType, codeMediaType, "Content-Type")
	}
	for _, said := range []string{"", mediaJSON, "Application/JSON; charset=utf-8"} {
		if w := newRig().post(goodBody, "Content-Type", said); w.Code != http.StatusCreated {
			t.Errorf("%q: got %d %s", said, w.Code, w.Body)
		}
	}
	g := newRig() // what curl -d says by itself is taken and not described
	g.handler = New(g.Options)
	if w := g.post(goodBody, "Content-Type", mediaForm); w.Code != http.StatusCreated {
		t.Errorf("a form: got %d %s", w.Code, w.Body)
	}
}

// unreadable is a body that nobody may read.
type unreadable struct{ t *testing.T }

func (u unreadable) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, errTest
}

func TestAuthorizedForms(t *testing.T) {
	for _, value := range []string{"Bearer " + goodToken, "bearer " + goodToken, "BEARER   " + goodToken} {
		if w := newRig().post(goodBody, "Authorization", value); w.Code != http.StatusCreated {
			t.Errorf("%q: got %d", value, w.Code)
		}
	}
}

func TestNoAuthenticatorMeansNobody(t *testing.T) {
	g := newRig()
	g.Authenticate = nil
	checkRefusal(t, g.post(goodBody), http.StatusUnauthorized, detection.CodeUnauthorized, "")
}

func TestPanicIs500(t *testing.T) {
	for name, value := range map[string]any{"text": "secret-host is gone", "error": errTest, "runtime": nil} {
		t.Run(name, func(t *testing.T) {
			g := newRig()
			g.Ingestor = fakeIngestor{func(context.Context, detection.Input, string) (detection.Accepted, error) {
				if value == nil {
					var none *detection.Input
					_ = none.PixelX
				}
				panic(value)
			}}
			w := g.post(goodBody)
			if strings.Contains(w.Body.String(), "secret-host") {
				t.Errorf("internal text reached the client: %s", w.Body)
			}
			checkRefusal(t, w, http.StatusInternalServerError, detection.CodeInternal, "")
			line := g.log.String()
			if strings.Count(line, "\n") != 1 || !strings.Contains(line, `"level":"ERROR"`) || !strings.Contains(line, "refuse_test.go") {
				t.Errorf("log: %s", line)
			}
			if w := g.serve(ask(http.MethodGet, "/health", "")); w.Code != http.StatusOK {
				t.Errorf("after the panic /health is %d", w.Code)
			}
		})
	}
}

func TestLogLine(t *testing.T) {
	g := newRig()
	g.post(goodBody, "X-Request-ID", "trace-1")
	var line map[string]any
	if err := json.Unmarshal([]byte(g.log.String()), &line); err != nil {
		t.Fatalf("%v in %q", err, g.log.String())
	}
	for name, want := range map[string]any{
		"level": "INFO", "msg": "detection accepted", "detection_id": goodID, "request_id": "trace-1", "source": "uav-1", "subject": "drone-7",
		"camera_id": "cam-3", "flag": "GREEN", "durability": "store", "status": 201.0,
	} {
		if line[name] != want {
			t.Errorf("%s: got %v, want %v", name, line[name], want)
		}
	}
	if took, ok := line["duration_ms"].(float64); !ok || took < 0 {
		t.Errorf("duration_ms: got %v", line["duration_ms"])
	}
}

func TestLogOfInternalErrorHasTheCause(t *testing.T) {
	g := newRig()
	g.ingestFails(errTest)
	body := checkRefusal(t, g.post(goodBody), http.StatusInternalServerError, detection.CodeInternal, "")
	for _, want := range []string{"secret-host", body.Details["request_id"], `"level":"ERROR"`, `"camera_id":"cam-3"`} {
		if !strings.Contains(g.log.String(), want) {
			t.Errorf("the log lacks %q: %s", want, g.log.String())
		}
	}
}

func TestRequestIDIsPlain(t *testing.T) {
	for given, keep := range map[string]bool{
		"a1-B2_c.3": true, "": false, "a b": false, "a\"b": false, "<script>": false, strings.Repeat("a", 65): false, "é": false,
	} {
		r := ask(http.MethodGet, "/health", "")
		r.Header.Set("X-Request-ID", given)
		got := newRig().serve(r).Header().Get("X-Request-ID")
		if (got == given) != keep || got == "" {
			t.Errorf("%q became %q", given, got)
		}
	}
}
