package tak_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/tak"
	"github.com/detection-api/detection-api/app/internal/tak/taktest"
)

// site is an HTTP server that answers by a function of the event.
type site struct {
	*httptest.Server
	mu     sync.Mutex
	events []string
	seen   []string // method, path and content type
}

func newSite(t *testing.T, answer func(w http.ResponseWriter, event string)) *site {
	s := &site{}
	s.Server = httptest.NewServer(s.handler(answer))
	t.Cleanup(s.Close)
	return s
}

func (s *site) handler(answer func(w http.ResponseWriter, event string)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.events, s.seen = append(s.events, string(body)), append(s.seen, r.Method+" "+r.URL.String()+" "+r.Header.Get("Content-Type"))
		s.mu.Unlock()
		answer(w, string(body))
	})
}

func (s *site) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

func TestRequests(t *testing.T) {
	for _, method := range []string{"", http.MethodPost} {
		s := newSite(t, func(http.ResponseWriter, string) {})
		link := open(t, tak.DialerOptions{Conn: options(), Method: method}, s.URL+"/CoT?a=b")
		events := window(0, link.Window())
		if err := link.Send(t.Context(), events); err != nil {
			t.Fatal(err)
		}
		want := "PUT /CoT?a=b application/xml"
		if method != "" {
			want = strings.Replace(want, "PUT", method, 1)
		}
		if !slices.Equal(s.got(), texts(events)) || s.seen[0] != want {
			t.Errorf("got %d events, first %q", len(s.got()), s.seen[0])
		}
		if status := link.Status(); status.Mode() != tak.ModeResponse || link.Window() != tak.WebWindow {
			t.Errorf("status %+v", status)
		}
		link.Close()
		if err := link.Send(t.Context(), events); !errors.Is(err, tak.ErrClosed) {
			t.Errorf("closed: got %v", err)
		}
	}
}

// TestRefusedRequests has a server that refuses single events: the others are delivered and the link goes on.
func TestRefusedRequests(t *testing.T) {
	for _, status := range []int{400, 406, 409, 413, 415, 422} {
		s := newSite(t, func(w http.ResponseWriter, event string) {
			if strings.Contains(event, `"1"`) {
				w.WriteHeader(status)
			}
		})
		link := open(t, tak.DialerOptions{Conn: options()}, s.URL)
		err := link.Send(t.Context(), window(0, 3))
		var refused *tak.RefusedError
		if !errors.As(err, &refused) || len(refused.Reasons) != 1 || refused.Reasons[1] == "" || len(s.got()) != 3 {
			t.Errorf("%d: got %v and %d events", status, err, len(s.got()))
		}
		if err := link.Send(t.Context(), window(2, 1)); err != nil {
			t.Errorf("%d: then %v", status, err)
		}
		link.Close()
	}
}

// TestRequestsLater has answers that are not about the event: nothing is refused for them.
func TestRequestsLater(t *testing.T) {
	for status, after := range map[int]string{500: "", 503: "7", 429: "3600", 507: "99999999999", 401: "", 403: "", 404: "", 405: "", 408: "", 301: "", 302: "x"} {
		s := newSite(t, func(w http.ResponseWriter, _ string) {
			w.Header().Set("Retry-After", after)
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(status)
		})
		link := open(t, tak.DialerOptions{Conn: options()}, s.URL)
		err := link.Send(t.Context(), window(0, 3))
		var e *tak.Error
		var refused *tak.RefusedError
		want := map[string]time.Duration{"7": 7 * time.Second, "3600": 5 * time.Minute, "99999999999": 5 * time.Minute}[after]
		if !errors.As(err, &e) || !e.Retryable || errors.As(err, &refused) || e.RetryAfter != want || len(s.got()) != 1 {
			t.Errorf("%d: got %v, retry after %v, %d events", status, err, e.RetryAfter, len(s.got()))
		}
		<-link.Lost()
		link.Close()
	}
}

// TestURLIsNotTold holds that the query of the URL, which may hold a secret, is in no error: those are shown and logged.
func TestURLIsNotTold(t *testing.T) {
	s := newSite(t, func(http.ResponseWriter, string) { panic(http.ErrAbortHandler) })
	link := open(t, tak.DialerOptions{Conn: options()}, s.URL+"/CoT?token=s3cret")
	defer link.Close()
	err := link.Send(t.Context(), window(0, 1))
	if err == nil || strings.Contains(err.Error(), "s3cret") || strings.Contains(link.Err().Error(), "s3cret") {
		t.Errorf("got %v, %v", err, link.Err())
	}
	if !errors.Is(err, io.EOF) {
		t.Errorf("the cause is not told: %v", err)
	}
}

// TestRetryAfter holds that a server that asked for a pause gets it, and that another one is used meanwhile.
func TestRetryAfter(t *testing.T) {
	now := time.Now()
	busy := newSite(t, func(w http.ResponseWriter, _ string) {
		w.Header().Set("Retry-After", now.Add(30*time.Second).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	free := newSite(t, func(http.ResponseWriter, string) {})
	for _, urls := range [][]string{{busy.URL}, {busy.URL, free.URL}} {
		clock := now
		dialer := newDialer(t, tak.DialerOptions{Conn: options(func(o *tak.Options) { o.Now = func() time.Time { return clock } })}, urls...)
		link, err := dialer.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := link.Send(t.Context(), window(0, 1)); err == nil {
			t.Fatal("503 was taken for an answer")
		}
		link.Close()
		link, err = dialer.Dial(t.Context())
		if len(urls) == 2 {
			if err != nil || dialer.Status().Endpoint != free.URL {
				t.Fatalf("got %v, %+v", err, dialer.Status())
			}
			link.Close()
			continue
		}
		var e *tak.Error
		if !errors.As(err, &e) || e.RetryAfter < 28*time.Second || e.RetryAfter > 30*time.Second {
			t.Errorf("got %v", err)
		}
		for _, jump := range []time.Duration{31 * time.Second, -24 * time.Hour} { // after the pause, and on a clock set right
			clock = clock.Add(jump)
			if link, err = dialer.Dial(t.Context()); err != nil {
				t.Fatalf("after %v: %v", jump, err)
			}
			if jump > 0 {
				_ = link.Send(t.Context(), window(0, 1)) // asks for a pause again
			}
			link.Close()
		}
	}
}

func TestCancelledRequest(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	s := newSite(t, func(http.ResponseWriter, string) { close(began); <-release })
	defer close(release)
	link := open(t, tak.DialerOptions{Conn: options()}, s.URL)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-began; cancel() }()
	if err := link.Send(ctx, window(0, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	link.Close()
}

// TestClosedRequest closes the link during a request.
func TestClosedRequest(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	s := newSite(t, func(http.ResponseWriter, string) { close(began); <-release })
	defer close(release)
	link := open(t, tak.DialerOptions{Conn: options()}, s.URL)
	go func() { <-began; link.Close() }()
	if err := link.Send(t.Context(), window(0, 1)); !errors.Is(err, tak.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// TestSecureRequests has a server that wants a client certificate.
func TestSecureRequests(t *testing.T) {
	authority := taktest.NewAuthority(t, "test authority")
	s := &site{}
	s.Server = httptest.NewUnstartedServer(s.handler(func(http.ResponseWriter, string) {}))
	s.TLS = authority.Server(t)
	s.StartTLS()
	t.Cleanup(s.Close)
	link := open(t, tak.DialerOptions{Conn: options(), TLS: clientFiles(t, authority)}, s.URL+"/CoT")
	defer link.Close()
	if err := link.Send(t.Context(), window(0, 3)); err != nil || len(s.got()) != 3 {
		t.Errorf("got %v and %d events", err, len(s.got()))
	}
}

// TestSecureRequestsReload holds that a link on which all goes well takes a renewed certificate with its next connection.
func TestSecureRequestsReload(t *testing.T) {
	authority := taktest.NewAuthority(t, "test authority")
	var callers []string
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		callers = append(callers, r.TLS.PeerCertificates[0].Subject.CommonName) // requests come one after the other
		w.Header().Set("Connection", "close")
	}))
	s.TLS = authority.Server(t)
	s.StartTLS()
	t.Cleanup(s.Close)
	files := clientFiles(t, authority)
	link := open(t, tak.DialerOptions{Conn: options(), TLS: files}, s.URL)
	defer link.Close()
	if err := link.Send(t.Context(), window(0, 1)); err != nil {
		t.Fatal(err)
	}
	renewed := authority.Issue(t, "renewed")
	for name, data := range map[string][]byte{files.CertFile: taktest.CertificatePEM(renewed.Leaf), files.KeyFile: taktest.KeyPEM(t, renewed.PrivateKey)} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := link.Send(t.Context(), window(1, 1)); err != nil {
		t.Fatal(err)
	}
	if want := []string{"detection-api", "renewed"}; !slices.Equal(callers, want) {
		t.Errorf("got %q, want %q", callers, want)
	}
}
