package httpapi

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

func TestHealth(t *testing.T) {
	for _, path := range []string{"/health", "/api/v1/health"} {
		g := newRig()
		g.Ready = func() Readiness { return Readiness{} }
		w := g.serve(httptest.NewRequest(http.MethodGet, path, nil)) // no token
		if w.Code != http.StatusOK || strings.TrimSpace(w.Body.String()) != `{"status":"ok"}` {
			t.Errorf("%s: got %d %s", path, w.Code, w.Body)
		}
	}
}

func TestReady(t *testing.T) {
	parts := map[string]Part{"queue": {State: "ok"}, "store": {State: "unreachable", Detail: "since 12:00"}}
	tests := []struct {
		name   string
		ready  func() Readiness
		status int
		want   string
	}{
		{"by default", nil, 200, `{"ready":true,"parts":null}`},
		{
			"with the store away", func() Readiness { return Readiness{Ready: true, Parts: parts} }, 200,
			`{"ready":true,"parts":{"queue":{"state":"ok"},"store":{"state":"unreachable","detail":"since 12:00"}}}`,
		},
		{
			"not", func() Readiness { return Readiness{Parts: map[string]Part{"queue": {State: "full"}}} }, 503,
			`{"ready":false,"parts":{"queue":{"state":"full"}}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newRig()
			g.Ready = tt.ready
			w := g.serve(httptest.NewRequest(http.MethodGet, "/ready", nil))
			if w.Code != tt.status || strings.TrimSpace(w.Body.String()) != tt.want {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
			if g.log.String() != "" {
				t.Errorf("a probe was logged: %s", g.log.String())
			}
		})
	}
}

func TestMetrics(t *testing.T) {
	g := newRig()
	metrics := func() string {
		w := g.serve(httptest.NewRequest(http.MethodGet, "/metrics", nil))
		if w.Code != http.StatusOK {
			t.Fatalf("got %d", w.Code)
		}
		return w.Body.String()
	}
	check := func(text string, lines ...string) {
		t.Helper()
		for _, line := range lines {
			if !strings.Contains(text, line+"\n") {
				t.Errorf("%q is missing in\n%s", line, text)
			}
		}
	}
	check(metrics(),
		`geolocation_confidence_flag{flag="GREEN"} 0`, `geolocation_confidence_flag{flag="YELLOW"} 0`, `geolocation_confidence_flag{flag="RED"} 0`,
		`detection_requests_total{status="201"} 0`, `detection_requests_total{status="507"} 0`, `detection_request_duration_seconds_count 0`)
	g.post(goodBody)
	g.post(goodBody)
	g.post("")
	g.post(goodBody, "Authorization", "Bearer wrong")
	g.serve(ask(http.MethodGet, detectionsPath+"/"+goodID, ""))
	check(metrics(),
		`geolocation_confidence_flag{flag="GREEN"} 2`, `geolocation_confidence_flag{flag="RED"} 0`,
		`detection_requests_total{status="201"} 2`, `detection_requests_total{status="400"} 1`, `detection_requests_total{status="401"} 1`,
		`detection_request_duration_seconds_count 4`, `detection_request_duration_seconds_bucket{le="2"} 4`)
}

// TestPanicAfterTheAnswerBegan: half an answer has to look broken to the client, not complete.
func TestPanicAfterTheAnswerBegan(t *testing.T) {
	g := newRig()
	g.Ready = func() Readiness { panic("test") }
	if w := g.serve(httptest.NewRequest(http.MethodGet, "/ready", nil)); w.Code != http.StatusInternalServerError {
		t.Errorf("before it began: got %d", w.Code)
	}
	defer func() {
		if got := recover(); got != http.ErrAbortHandler {
			t.Errorf("recovered %v, want http.ErrAbortHandler", got)
		}
	}()
	g = newRig()
	w := &brokenWriter{ResponseRecorder: httptest.NewRecorder()}
	g.build().ServeHTTP(w, ask(http.MethodPost, detectionsPath, goodBody))
	t.Error("the answer looks complete")
}

// brokenWriter panics when the body is written, as a fault in a writer further out would.
type brokenWriter struct{ *httptest.ResponseRecorder }

func (*brokenWriter) Write([]byte) (int, error) { panic("test") }

// TestServerBoundsConnections holds a connection of the real server without finishing the header.
func TestServerBoundsConnections(t *testing.T) {
	server := NewServer(newRig().build(), slog.New(slog.DiscardHandler))
	if server.ReadHeaderTimeout != 5*time.Second || server.ReadTimeout != 15*time.Second || server.WriteTimeout != 30*time.Second ||
		server.IdleTimeout != 75*time.Second || server.MaxHeaderBytes != 16<<10 || server.ErrorLog == nil {
		t.Errorf("got %+v", server)
	}
	server.ReadHeaderTimeout = 50 * time.Millisecond
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST "+detectionsPath+" HTTP/1.1\r\nHost: x\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(conn); err != nil {
		t.Errorf("the server held the connection: %v", err)
	}
	if err := server.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != http.ErrServerClosed {
		t.Error(err)
	}
}

// TestHugeHeader: the server refuses it before any handler runs.
func TestHugeHeader(t *testing.T) {
	g := newRig()
	server := httptest.NewUnstartedServer(g.build())
	server.Config.MaxHeaderBytes = maxHeaderBytes
	server.Start()
	defer server.Close()
	r, err := http.NewRequest(http.MethodPost, server.URL+detectionsPath, strings.NewReader(goodBody))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+strings.Repeat("x", 64<<10))
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("got %d", response.StatusCode)
	}
}

// FuzzPost: whatever the body, with real parsing the answer is no 5xx and its JSON has the shape of the contract.
func FuzzPost(f *testing.F) {
	f.Add([]byte(goodBody), "application/json")
	f.Add([]byte(`{"pixel_x":NaN}`), "*/*")
	f.Add([]byte(strings.Replace(goodBody, "{", `{"image_base64":"aGVsbG8=","x":[],`, 1)), "application/xml;q=0.1")
	f.Add([]byte(strings.Replace(goodBody, "1920", "1e2", 1)), "")
	g := newRig()
	g.Logger = slog.New(slog.DiscardHandler)
	handler := g.build()
	f.Fuzz(func(t *testing.T, body []byte, accept string) {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, ask(http.MethodPost, detectionsPath, string(body), "Accept", accept))
		switch w.Code {
		case http.StatusCreated:
			if w.Header().Get("X-Detection-ID") != goodID {
				t.Errorf("got %v", w.Header())
			}
		case http.StatusBadRequest:
			if !strings.Contains(w.Body.String(), string(detection.CodeMalformed)) {
				t.Errorf("got %s", w.Body)
			}
		case http.StatusRequestEntityTooLarge:
		case http.StatusUnprocessableEntity:
			if !strings.Contains(w.Body.String(), `"field":"`) {
				t.Errorf("no field is named: %s", w.Body)
			}
		default:
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	})
}
