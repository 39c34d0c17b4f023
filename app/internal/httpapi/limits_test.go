package httpapi

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/detection-api/detection-api/app/internal/detection"
)

func TestBodyLimit(t *testing.T) {
	const limit = 1 << 10
	padded := goodBody + strings.Repeat(" ", limit-len(goodBody))
	tests := []struct {
		name    string
		body    io.Reader
		length  int64 // -1: unknown, as with chunks
		refused bool
	}{
		{"at the limit", strings.NewReader(padded), limit, false},
		{"at the limit, in chunks", unsized{strings.NewReader(padded)}, -1, false},
		{"one byte over", strings.NewReader(padded + " "), limit + 1, true},
		{"one byte over, in chunks", unsized{strings.NewReader(padded + " ")}, -1, true},
		{"10 MB", unreadable{t}, 10 << 20, true},
		{"10 MB in chunks", unsized{strings.NewReader(strings.Repeat(" ", 10<<20))}, -1, true},
		{"more than announced", strings.NewReader(padded + strings.Repeat(" ", limit)), limit, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newRig()
			g.MaxBodyBytes = limit
			r := ask(http.MethodPost, detectionsPath, "")
			r.Body, r.ContentLength = io.NopCloser(tt.body), tt.length
			w := g.serve(r)
			if !tt.refused && w.Code != http.StatusCreated {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
			if tt.refused {
				checkRefusal(t, w, http.StatusRequestEntityTooLarge, detection.CodeTooLarge, "")
			}
		})
	}
}

// TestLargeBodyOverAConnection sends 10 MB to a real server, by a client that sends all of it before it reads, as most do.
// Every refusal has to reach it, though the server has no use for the body.
func TestLargeBodyOverAConnection(t *testing.T) {
	picture := `{"image_base64":"` + strings.Repeat("QUJD", 10<<18) + `",`
	body := strings.Replace(goodBody, "{", picture, 1)
	sized := fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
	chunked := fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	for _, tt := range []struct {
		name, token, rest string
		limit             int64
		status            int
	}{
		{"fits", goodToken, sized, 0, http.StatusCreated},
		{"fits in chunks", goodToken, chunked, 0, http.StatusCreated},
		{"too large", goodToken, sized, 1 << 20, http.StatusRequestEntityTooLarge},
		{"too large in chunks", goodToken, chunked, 1 << 20, http.StatusRequestEntityTooLarge},
		{"without a token", "wrong", sized, 0, http.StatusUnauthorized},
		{"without a token, in chunks", "wrong", chunked, 0, http.StatusUnauthorized},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newRig()
			g.MaxBodyBytes = tt.limit
			server := httptest.NewServer(g.build())
			defer server.Close()
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			head := "POST " + detectionsPath + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + tt.token + "\r\n"
			if _, err := io.WriteString(conn, head+tt.rest); err != nil {
				t.Fatal(err)
			}
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			text, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != tt.status {
				t.Errorf("got %d %s, %v; want %d", response.StatusCode, text, err, tt.status)
			}
		})
	}
}

// TestExpectedBodyIsNotSent: who asks before sending is refused without a byte of the body.
func TestExpectedBodyIsNotSent(t *testing.T) {
	g := newRig()
	server := httptest.NewServer(g.build())
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
		detectionsPath, goodToken, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d, want 413 and no 100", response.StatusCode)
	}
}

func TestBodyThatBreaksOff(t *testing.T) {
	g := newRig()
	r := ask(http.MethodPost, detectionsPath, "")
	r.Body, r.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader(goodBody[:100]), failing{})), 1000
	checkRefusal(t, g.serve(r), http.StatusBadRequest, detection.CodeMalformed, "")
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestCompressedBodyIsRefused(t *testing.T) {
	for _, encoding := range []string{"gzip", "identity, gzip", "br"} {
		w := newRig().post(goodBody, "Content-Encoding", encoding)
		checkRefusal(t, w, http.StatusUnsupportedMediaType, codeMediaType, "Content-Encoding")
		if got := w.Header().Get("Accept-Encoding"); got != "identity" {
			t.Errorf("%s: Accept-Encoding: got %q", encoding, got)
		}
	}
	if w := newRig().post(goodBody, "Content-Encoding", "identity"); w.Code != http.StatusCreated {
		t.Errorf("identity: got %d", w.Code)
	}
}

// gate is a body that keeps its reader waiting until it is opened.
type gate struct {
	io.Reader
	open chan struct{}
}

func (g *gate) Read(p []byte) (int, error) {
	<-g.open
	return g.Reader.Read(p)
}

// TestBytesInFlight fills the budget with bodies that are still arriving, of known and of unknown length.
func TestBytesInFlight(t *testing.T) {
	for name, length := range map[string]int64{"known length": int64(len(goodBody)), "chunks": -1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { fillBudget(t, length) })
		})
	}
}

func fillBudget(t *testing.T, length int64) {
	const held = 4
	g := newRig()
	g.MaxBodyBytes = 1 << 10
	g.MaxInFlightBytes = held * firstReadBytes
	if length >= 0 {
		g.MaxInFlightBytes = held * length
	}
	handler := g.build()
	open := make(chan struct{})
	codes := make([]int, held)
	var waiting sync.WaitGroup
	for i := range held {
		waiting.Go(func() {
			r := ask(http.MethodPost, detectionsPath, "")
			r.Body, r.ContentLength = io.NopCloser(&gate{strings.NewReader(goodBody), open}), length
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			codes[i] = w.Code
		})
	}
	synctest.Wait() // all of them have their share and wait for the rest of their body
	g.handler = handler
	w := g.post(goodBody)
	if w.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	checkRefusal(t, w, http.StatusServiceUnavailable, detection.CodeOverloaded, "")
	for _, path := range []string{"/health", "/api/v1/health", "/ready", "/metrics"} {
		if w := g.serve(ask(http.MethodGet, path, "")); w.Code != http.StatusOK {
			t.Errorf("%s beside a full budget: got %d", path, w.Code)
		}
	}
	close(open)
	waiting.Wait()
	for i, code := range codes {
		if code != http.StatusCreated {
			t.Errorf("request %d: got %d", i, code)
		}
	}
	if w := g.post(goodBody); w.Code != http.StatusCreated {
		t.Errorf("after the others: got %d %s", w.Code, w.Body)
	}
}

// TestLeaseGivesBack: what is read counts once, up to the bound, and is given back, whether there was room or not.
func TestLeaseGivesBack(t *testing.T) {
	const room = 1 << 20
	held := &lease{budget: newBudget(room)}
	for _, tt := range []struct {
		announced, body, bound int64
		want                   error
	}{
		{0, 300 << 10, room, nil},
		{300 << 10, 300 << 10, room, nil},
		{room, room, room, nil},
		{0, room + 1, 2 * room, errBusy},
		{0, 4 * room, room, nil},
		{0, 4 * room, 1 << 10, nil},
	} {
		held.grow(min(tt.announced, tt.bound))
		b := &body{Reader: strings.NewReader(strings.Repeat("x", int(tt.body))), held: held, boundBytes: tt.bound}
		n, err := io.Copy(io.Discard, b)
		if err != tt.want || err == nil && (n != tt.body || held.bytes != min(tt.body, tt.bound)) {
			t.Errorf("%+v: got %d bytes, holds %d, %v", tt, n, held.bytes, err)
		}
		held.end()
		if free := held.budget.free.Load(); free != room {
			t.Fatalf("%+v: %d of %d bytes are free afterwards", tt, free, room)
		}
	}
}

// TestRefusalsHoldNothing has room for one body and many requests that go wrong in turn.
func TestRefusalsHoldNothing(t *testing.T) {
	g := newRig()
	g.MaxBodyBytes, g.MaxInFlightBytes = 1<<10, 1
	accept := g.Ingestor
	g.Ingestor = fakeIngestor{func(ctx context.Context, in detection.Input, by string) (detection.Accepted, error) {
		switch in.Source {
		case "panic":
			panic("test")
		case "error":
			return detection.Accepted{}, errTest
		}
		return accept.Accept(ctx, in, by)
	}}
	for range 50 {
		g.post(goodBody[:50])
		g.post(strings.Repeat("x", 2<<10))
		g.post(strings.Replace(goodBody, "uav-1", "panic", 1))
		g.post(strings.Replace(goodBody, "uav-1", "error", 1))
		g.serve(ask(http.MethodPost, detectionsPath, "", "Authorization", "none"))
		if w := g.post(goodBody); w.Code != http.StatusCreated {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
	}
}
