package httpapi

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/detection-api/detection-api/app/internal/detection"
)

func TestPostAnswersXML(t *testing.T) {
	for _, accept := range []string{"", "*/*", "application/xml", "text/xml", "text/html", "application/*"} {
		t.Run(accept, func(t *testing.T) {
			w := newRig().post(goodBody, "Accept", accept)
			if w.Code != http.StatusCreated || w.Body.String() != goodEvent {
				t.Errorf("got %d %q", w.Code, w.Body)
			}
			for name, want := range map[string]string{
				"Content-Type": "application/xml", "X-Detection-ID": goodID, "X-Confidence-Flag": "GREEN", "X-Durability": "store",
				"Location": "/api/v1/detections/" + goodID, "Vary": "Accept", "Cache-Control": "no-store",
			} {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestPostAnswersJSON(t *testing.T) {
	g := newRig()
	g.Ingestor = fakeIngestor{func(_ context.Context, in detection.Input, by string) (detection.Accepted, error) {
		d := detectionOf(in, by)
		return detection.Accepted{Detection: d, Event: []byte(goodEvent), Durability: detection.InStore, Warnings: []string{"odd"}}, nil
	}}
	w := g.post(goodBody, "Accept", "application/json")
	if w.Code != http.StatusCreated || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("X-Detection-ID") != goodID {
		t.Fatalf("got %d %v", w.Code, w.Header())
	}
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"detection_id": goodID, "lat": 40.701, "lon": -73.999, "hae_m": nil, "ce90_m": 7.5, "le90_m": 4.0, "slant_range_m": 200.0,
		"flag": "GREEN", "method": "ray-ellipsoid", "object_class": "vehicle", "source": "uav-1", "camera_id": "cam-3",
		"ai_confidence": 0.9, "timestamp": "2026-02-15T12:00:00Z", "reported_by": "drone-7", "altitude_datum": "AGL",
		"durability": "store", "cot": goodEvent,
	}
	for name, value := range want {
		if found, ok := got[name]; !ok || found != value {
			t.Errorf("%s: got %v (%t), want %v", name, found, ok, value)
		}
	}
	if warnings, _ := got["warnings"].([]any); len(warnings) != 1 {
		t.Errorf("warnings: got %v", got["warnings"])
	}
}

func TestPostOnPodOnlyIs202(t *testing.T) {
	g := newRig()
	g.Ingestor = fakeIngestor{func(_ context.Context, in detection.Input, by string) (detection.Accepted, error) {
		return detection.Accepted{Detection: detectionOf(in, by), Event: []byte(goodEvent), Durability: detection.InPod}, nil
	}}
	w := g.post(goodBody)
	if w.Code != http.StatusAccepted || w.Header().Get("X-Durability") != "pod" || w.Body.String() != goodEvent {
		t.Errorf("XML: got %d %v %q", w.Code, w.Header(), w.Body)
	}
	w = g.post(goodBody, "Accept", "application/json")
	if w.Code != http.StatusAccepted || w.Header().Get("X-Durability") != "pod" || !strings.Contains(w.Body.String(), `"durability":"pod"`) {
		t.Errorf("JSON: got %d %v %q", w.Code, w.Header(), w.Body)
	}
}

func TestPostHandsOverInputAndSubject(t *testing.T) {
	g := newRig()
	var got detection.Input
	var subject string
	g.Ingestor = fakeIngestor{func(_ context.Context, in detection.Input, by string) (detection.Accepted, error) {
		got, subject = in, by
		return detection.Accepted{Detection: detectionOf(in, by), Durability: detection.InStore}, nil
	}}
	g.post(goodBody)
	if subject != "drone-7" || got.PixelX != 960 || got.Sensor.PitchDeg != -30 || got.Datum != detection.AGL {
		t.Errorf("got %q, %+v", subject, got)
	}
}

func TestPostThatCannotBeEncodedIs500(t *testing.T) {
	g := newRig()
	g.Ingestor = fakeIngestor{func(_ context.Context, in detection.Input, by string) (detection.Accepted, error) {
		d := detectionOf(in, by)
		d.Fix.CE90Metres = math.Inf(1)
		return detection.Accepted{Detection: d, Durability: detection.InStore}, nil
	}}
	checkRefusal(t, g.post(goodBody, "Accept", "application/json"), http.StatusInternalServerError, detection.CodeInternal, "")
}

func TestGet(t *testing.T) {
	path := detectionsPath + "/" + goodID
	tests := []struct{ name, path, accept, contentType, want string }{
		{"JSON by default", path, "", "application/json", `"lat":40.701`},
		{"JSON for anything", path, "*/*", "application/json", `"timestamp":"2026-02-15T12:00:00Z"`},
		{"JSON", path, "application/json", "application/json", `"flag":"GREEN"`},
		{"XML", path, "application/xml", "application/xml", goodEvent},
		{"capital letters", detectionsPath + "/" + strings.ToUpper(goodID), "", "application/json", goodID},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newRig().serve(ask(http.MethodGet, tt.path, "", "Accept", tt.accept))
			if w.Code != http.StatusOK || w.Header().Get("Content-Type") != tt.contentType || !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
			}
			if strings.Contains(w.Body.String(), `"durability"`) || w.Header().Get("X-Detection-ID") != goodID {
				t.Errorf("got %v %s", w.Header(), w.Body)
			}
		})
	}
}

func TestGetRefuses(t *testing.T) {
	tests := []struct {
		name, id string
		found    error
		status   int
		code     detection.Code
		asked    bool // the finder
	}{
		{"unknown", "01890a5d-ac96-774b-bcce-000000000000", detection.ErrNotFound, 404, detection.CodeNotFound, true},
		{"no UUID", "7", nil, 404, detection.CodeNotFound, false},
		{"in braces", "%7B" + goodID + "%7D", nil, 404, detection.CodeNotFound, false},
		{"URN", "urn:uuid:" + goodID, nil, 404, detection.CodeNotFound, false},
		{"long", strings.Repeat("a", 4000), nil, 404, detection.CodeNotFound, false},
		{"way out", "..%2F..%2Fetc%2Fpasswd", nil, 404, detection.CodeNotFound, false},
		{"SQL", "'%20OR%201=1--", nil, 404, detection.CodeNotFound, false},
		{"store away", goodID, detection.ErrUnavailable, 503, detection.CodeUnavailable, true},
		{"store broken", goodID, errTest, 500, detection.CodeInternal, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newRig()
			asked := false
			g.Finder = fakeFinder{func(context.Context, string) (detection.Record, error) {
				asked = true
				return detection.Record{}, tt.found
			}}
			checkRefusal(t, g.serve(ask(http.MethodGet, detectionsPath+"/"+tt.id, "")), tt.status, tt.code, "")
			if asked != tt.asked {
				t.Errorf("the finder was asked: %t, want %t", asked, tt.asked)
			}
		})
	}
}

func TestGetThatCannotBeEncodedIs500(t *testing.T) {
	g := newRig()
	g.Encode = func(detection.Detection) ([]byte, error) { return nil, errTest }
	w := g.serve(ask(http.MethodGet, detectionsPath+"/"+goodID, "", "Accept", "application/xml"))
	checkRefusal(t, w, http.StatusInternalServerError, detection.CodeInternal, "")
}

func TestMethods(t *testing.T) {
	item := detectionsPath + "/" + goodID
	tests := []struct {
		method, path string
		status       int
		allow        string
	}{
		{http.MethodHead, item, 200, ""},
		{http.MethodHead, "/health", 200, ""},
		{http.MethodHead, "/metrics", 200, ""},
		{http.MethodHead, detectionsPath, 200, ""},
		{http.MethodPut, detectionsPath, 405, "OPTIONS, GET, HEAD, POST"},
		{"BREW", detectionsPath, 405, "OPTIONS, GET, HEAD, POST"},
		{http.MethodOptions, detectionsPath, 204, "OPTIONS, GET, HEAD, POST"},
		{http.MethodPost, item, 405, "OPTIONS, DELETE, GET, HEAD"},
		{http.MethodGet, detectionsPath + ":batch", 405, "OPTIONS, POST"},
		{http.MethodGet, detectionsPath + ":other", 404, ""},
		{http.MethodPost, detectionsPath + "Xbatch", 404, ""},
		{http.MethodPost, "/health", 405, "OPTIONS, GET, HEAD"},
		{http.MethodGet, "/", 404, ""},
		{http.MethodGet, "/api/v1/nothing", 404, ""},
		{http.MethodPost, "/api/v1/detections/", 404, ""},
		{http.MethodGet, item + "/x", 404, ""},
		{http.MethodGet, "/docs", 404, ""},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			w := newRig().serve(ask(tt.method, tt.path, ""))
			if w.Code != tt.status || w.Header().Get("Allow") != tt.allow {
				t.Errorf("got %d, Allow %q; want %d, %q", w.Code, w.Header().Get("Allow"), tt.status, tt.allow)
			}
			switch tt.status {
			case 404:
				checkRefusal(t, w, 404, detection.CodeNotFound, "")
			case 405:
				checkRefusal(t, w, 405, codeMethod, "")
			}
		})
	}
}
