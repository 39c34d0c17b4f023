package httpapi

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// TestRoles asks for every closed route with every role: the one of the table is let in, any other is told which it lacks,
// and without a token nobody is.
func TestRoles(t *testing.T) {
	for _, r := range (&api{}).routes() {
		if r.role == "" || r.path == streamPath { // the stream has a test of its own: it does not end
			continue
		}
		target := strings.ReplaceAll(r.path, "{id}", numbered(1).ID)
		for _, role := range []Role{Ingest, Read, Operate, ""} {
			g, _ := recordOf(1)
			g.Authenticate = func(string) (Identity, error) { return Identity{Subject: "x", Roles: []Role{role}}, nil }
			w := g.serve(ask(r.method, target, ""))
			if role == r.role {
				if w.Code == http.StatusForbidden || w.Code == http.StatusUnauthorized {
					t.Errorf("%s %s with %s: got %d", r.method, r.path, role, w.Code)
				}
				continue
			}
			body := checkRefusal(t, w, http.StatusForbidden, detection.CodeForbidden, "")
			if !strings.Contains(body.Message, "the role "+string(r.role)) {
				t.Errorf("%s %s with %s: %s", r.method, r.path, role, body.Message)
			}
		}
		g, _ := recordOf(1)
		checkRefusal(t, g.serve(ask(r.method, target, "", "Authorization", "")), http.StatusUnauthorized, detection.CodeUnauthorized, "")
	}
}

// TestOpenPathsAreExact: what is only near an open path is closed.
func TestOpenPathsAreExact(t *testing.T) {
	g := newRig()
	for path, status := range map[string]int{
		"/api/v1/health": 200, "/api/v1/": 200, "/api/v1/docs": 200,
		"/api/v1/health/": 401, "/api/v1//": 401, "/api/v1/docs/../detections": 401, "/api/v1/nothing": 401, "/api/v1/HEALTH": 401,
		"/api/v1/detections%2F" + goodID: 401, "/api/v1/%64etections": 401, "/api/v2": 404, "/nothing": 404,
	} {
		if w := g.serve(ask(http.MethodGet, path, "", "Authorization", "")); w.Code != status {
			t.Errorf("%s: got %d, want %d", path, w.Code, status)
		}
	}
}

// TestBasic: a token is good as a password to read, and not to write.
func TestBasic(t *testing.T) {
	basic := func(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }
	g, _ := recordOf(1)
	item := detectionsPath + "/" + numbered(1).ID
	for _, tt := range []struct {
		method, target, value string
		status                int
	}{
		{http.MethodGet, item, basic("anyone:" + goodToken), 200},
		{http.MethodGet, item, basic(":" + goodToken), 200},
		{http.MethodHead, item, basic(":" + goodToken), 200},
		{http.MethodGet, kmlPath, basic("x:" + goodToken), 200},
		{http.MethodGet, item, basic("anyone:wrong"), 401},
		{http.MethodGet, item, basic(goodToken), 401},
		{http.MethodGet, item, basic("x:"), 401},
		{http.MethodGet, item, "Basic !!", 401},
		{http.MethodDelete, item, basic("x:" + goodToken), 401},
		{http.MethodPost, detectionsPath, basic("x:" + goodToken), 401},
	} {
		w := g.serve(ask(tt.method, tt.target, goodBody, "Authorization", tt.value))
		if w.Code != tt.status {
			t.Errorf("%s %s with %s: got %d, want %d", tt.method, tt.target, tt.value, w.Code, tt.status)
		}
	}
	w := g.serve(ask(http.MethodGet, kmlPath, "", "Authorization", ""))
	if got := w.Header().Values("WWW-Authenticate"); w.Code != 401 || len(got) != 2 || !strings.HasPrefix(got[1], "Basic realm=") {
		t.Errorf("the KML does not ask for a password: %d %q", w.Code, got)
	}
}

// TestReadRate: who looks too often is told when to come back, and may report meanwhile.
func TestReadRate(t *testing.T) {
	now := time.Date(2026, 2, 15, 12, 0, 0, 0, time.UTC)
	g, _ := recordOf(1)
	g.Now = func() time.Time { return now }
	g.ReadRate = 0.2
	for range 2 {
		if w := g.get(detectionsPath); w.Code != http.StatusOK {
			t.Fatalf("within the burst: %d", w.Code)
		}
	}
	w := g.get(detectionsPath)
	checkRefusal(t, w, http.StatusTooManyRequests, detection.CodeRateLimited, "")
	if got := w.Header().Get("Retry-After"); got != "5" {
		t.Errorf("Retry-After: %s", got)
	}
	if w := g.post(goodBody); w.Code != http.StatusCreated {
		t.Errorf("a report meanwhile: %d", w.Code)
	}
	now = now.Add(5 * time.Second)
	if w := g.get(detectionsPath); w.Code != http.StatusOK {
		t.Errorf("after the time in Retry-After: %d", w.Code)
	}
}

// TestNegotiation of one detection: each form by its names, and none by others.
func TestNegotiation(t *testing.T) {
	g, _ := recordOf(1)
	for accept, want := range map[string]string{
		"": mediaJSON, "*/*": mediaJSON, "application/json": mediaJSON, "application/*": mediaJSON,
		"application/geo+json": mediaGeoJSON, "application/xml": mediaXML, "text/xml": "text/xml", "application/cot+xml": mediaCoT,
		"application/geo+json;q=0.5, application/json;q=0.4":                         mediaGeoJSON,
		"text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8": mediaXML, // browsers
		"text/html": "", "application/json;q=0": "", "image/*": "",
	} {
		w := g.get(detectionsPath+"/"+numbered(1).ID, "Accept", accept)
		if want == "" {
			checkRefusal(t, w, http.StatusNotAcceptable, detection.CodeNotAcceptable, "")
			continue
		}
		if got := w.Header().Get("Content-Type"); w.Code != http.StatusOK || got != want {
			t.Errorf("%q: got %d %s, want %s", accept, w.Code, got, want)
		}
	}
}
