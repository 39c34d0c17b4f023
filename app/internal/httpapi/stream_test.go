package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
)

// listener is a client of a stream that keeps all it gets.
type listener struct {
	header http.Header
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	status int
	text   strings.Builder
}

func (l *listener) Header() http.Header { return l.header }
func (l *listener) Flush()              {}

func (l *listener) WriteHeader(status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status = status
}

func (l *listener) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// got returns what came so far.
func (l *listener) got() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// ids returns those of the events of a name, in order.
func (l *listener) ids(name string) (ids []string) {
	for block := range strings.SplitSeq(l.got(), "\n\n") {
		if id, rest, _ := strings.Cut(block, "\n"); strings.HasPrefix(rest, "event: "+name+"\n") {
			ids = append(ids, strings.TrimPrefix(id, "id: "))
		}
	}
	return ids
}

// listen opens a stream in a bubble of synctest.
func (g *rig) listen(target string, headers ...string) *listener {
	if g.handler == nil {
		g.handler = g.build()
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &listener{header: http.Header{}, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(l.done)
		g.handler.ServeHTTP(l, ask(http.MethodGet, target, "", headers...).WithContext(ctx))
	}()
	synctest.Wait()
	return l
}

func (l *listener) hangUp() {
	l.cancel()
	<-l.done
}

func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, record := recordOf(2)
		l := g.listen(streamPath)
		if l.header.Get("Content-Type") != mediaEvents || l.header.Get("Cache-Control") != "no-store" || l.got() != "retry: 3000\n\n" {
			t.Errorf("at first: %v %q", l.header, l.got())
		}
		record.add(numbered(3))
		synctest.Wait()
		if want := `{"type":"Feature","id":"` + numbered(3).ID + `",`; !strings.Contains(l.got(), "id: 3\nevent: detection\ndata: "+want) {
			t.Errorf("got %q", l.got())
		}
		if _, err := record.Retract(t.Context(), numbered(1), "a cow", "x"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		want := `id: 4` + "\nevent: retraction\ndata: " + `{"detection_id":"` + numbered(1).ID + `","retraction_id":"` + detection.RetractionID(numbered(1).ID, numbered(1).SeenAt) + `","retracted_at":"2026-11-22T13:00:00Z","reason":"a cow"}`
		if !strings.HasSuffix(l.got(), want+"\n\n") {
			t.Errorf("got %q", l.got())
		}
		time.Sleep(heartbeat)
		synctest.Wait()
		if !strings.HasSuffix(l.got(), ": heartbeat\nid: 4\n\n") {
			t.Errorf("no heartbeat: %q", l.got())
		}
		l.hangUp()
		synctest.Wait() // the bubble ends only when the follower's loop does
	})
}

// TestStreamResumes: from a position on, wherever it is said, all come once and in order, old or new.
func TestStreamResumes(t *testing.T) {
	for _, tt := range []struct {
		name, target, lastID string
		entries, first       int
	}{
		{"by the header", streamPath, "2", 5, 3},
		{"by the address", streamPath + "?since=2", "", 5, 3},
		{"the header counts more", streamPath + "?since=0", "4", 5, 5},
		{"from the start", streamPath + "?since=0", "", 5, 1},
		{"far behind", streamPath + "?since=0", "", 2*recentEvents + 7, 1},
		{"from what is not there yet", streamPath, "900000", 5, 6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, record := recordOf(tt.entries)
				var headers []string
				if tt.lastID != "" {
					headers = []string{"Last-Event-ID", tt.lastID}
				}
				l := g.listen(tt.target, headers...)
				for n := range 3 {
					record.add(numbered(tt.entries + n + 1))
				}
				synctest.Wait()
				var want []string
				for n := tt.first; n <= tt.entries+3; n++ {
					want = append(want, fmt.Sprint(n))
				}
				if got := l.ids("detection"); !slices.Equal(got, want) {
					t.Errorf("got %d events from %v on, want %d", len(got), got[:min(3, len(got))], len(want))
				}
				l.hangUp()
			})
		})
	}
}

// TestStreamOverGaps: positions that retention has removed are passed over.
func TestStreamOverGaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, record := recordOf(10)
		first := g.listen(streamPath)
		record.entries = record.entries[9:]
		l := g.listen(streamPath + "?since=3")
		record.add(numbered(11))
		synctest.Wait()
		if got := strings.Join(l.ids("detection"), " "); got != "10 11" {
			t.Errorf("got %s", got)
		}
		first.hangUp()
		l.hangUp()
	})
}

func TestStreamFilters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, record := recordOf(0)
		all := g.listen(streamPath)
		red := g.listen(streamPath + "?flag=RED&camera=cam-3&class=vehicle")
		boxed := g.listen(streamPath + "?bbox=2,40,3,41")
		for n := range 4 {
			d := numbered(n + 1)
			if n == 3 {
				d.Fix.Flag = geo.Red
			}
			record.add(d)
			record.Retract(t.Context(), d, "", "x")
		}
		synctest.Wait()
		for l, want := range map[*listener]string{all: "1 3 5 7 2 4 6 8", red: "7 8", boxed: "3 5 4 6"} {
			if got := strings.Join(append(l.ids("detection"), l.ids("retraction")...), " "); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			l.hangUp()
		}
	})
}

// TestStreamsShareOneFollower: with many streams the record is asked about as often as with one.
func TestStreamsShareOneFollower(t *testing.T) {
	asked := func(streams int) int {
		var count int
		synctest.Test(t, func(t *testing.T) {
			g, record := recordOf(0)
			var all []*listener
			for range streams {
				all = append(all, g.listen(streamPath))
			}
			for n := range 50 {
				record.add(numbered(n + 1))
				synctest.Wait()
			}
			time.Sleep(time.Minute)
			for _, l := range all {
				if got := len(l.ids("detection")); got != 50 {
					t.Errorf("a stream has %d of 50", got)
				}
				l.hangUp()
			}
			count = record.follows
		})
		return count
	}
	if one, many := asked(1), asked(100); many > one+one/10 { // which goroutine is first may cost a call
		t.Errorf("with one stream the record was asked %d times, with 100 streams %d times", one, many)
	}
}

func TestStreamsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := recordOf(1)
		g.MaxStreams = 2
		first, second := g.listen(streamPath), g.listen(streamPath)
		w := g.get(streamPath)
		if w.Header().Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		checkRefusal(t, w, http.StatusServiceUnavailable, detection.CodeOverloaded, "")
		if text := g.get("/metrics").Body.String(); !strings.Contains(text, "detection_streams 2\n") {
			t.Error("the metric does not count 2")
		}
		first.hangUp()
		third := g.listen(streamPath)
		if third.status != http.StatusOK {
			t.Errorf("when one has left: %d", third.status)
		}
		second.hangUp()
		third.hangUp()
	})
}

// TestStreamEnds by itself: with the token, and when the service winds down, also for one that is far behind.
func TestStreamEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := recordOf(1)
		stopping := make(chan struct{})
		g.Stopping = stopping
		g.Authenticate = func(bearer string) (Identity, error) {
			identity := Identity{Subject: "x", Roles: []Role{Read}}
			if bearer == "short" {
				identity.ExpiresAt = time.Now().Add(20 * time.Second)
			}
			return identity, nil
		}
		long, short := g.listen(streamPath), g.listen(streamPath, "Authorization", "Bearer short")
		time.Sleep(19 * time.Second)
		synctest.Wait()
		if strings.Contains(short.got(), "event: end") {
			t.Error("it ended early")
		}
		time.Sleep(time.Second)
		<-short.done
		if !strings.HasSuffix(short.got(), "event: end\ndata: {\"reason\":\"token_expired\"}\n\n") {
			t.Errorf("got %q", short.got())
		}
		close(stopping)
		<-long.done
		if !strings.HasSuffix(long.got(), "event: end\ndata: {\"reason\":\"shutdown\"}\n\n") {
			t.Errorf("got %q", long.got())
		}
	})
}

// TestStreamOutlastsTheStore: while the record cannot be read the stream stays, and has everything afterwards.
func TestStreamOutlastsTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, record := recordOf(3)
		l := g.listen(streamPath)
		record.fail(detection.ErrUnavailable)
		w := g.get(streamPath)
		checkRefusal(t, w, http.StatusServiceUnavailable, detection.CodeUnavailable, "")
		time.Sleep(time.Minute)
		record.add(numbered(4))
		record.fail(nil)
		time.Sleep(2 * followRetry)
		synctest.Wait()
		if got := strings.Join(l.ids("detection"), " "); got != "4" || strings.Count(l.got(), "heartbeat") != 4 {
			t.Errorf("got %s, %q", got, l.got())
		}
		if n := strings.Count(g.log.String(), "streams cannot follow the record"); n != 1 {
			t.Errorf("it was logged %d times", n)
		}
		l.hangUp()
	})
}

func TestStreamRefuses(t *testing.T) {
	g, _ := recordOf(1)
	checkRefusal(t, g.get(streamPath, "Accept", mediaJSON), http.StatusNotAcceptable, detection.CodeNotAcceptable, "")
	checkRefusal(t, g.get(streamPath+"?since=-1"), http.StatusBadRequest, codeParameter, "since")
	checkRefusal(t, g.get(streamPath, "Last-Event-ID", "x"), http.StatusBadRequest, codeParameter, "Last-Event-ID")
	checkRefusal(t, g.get(streamPath+"?limit=5"), http.StatusBadRequest, codeParameter, "limit")
	g.Authenticate, g.handler, g.Registerer = func(string) (Identity, error) { return Identity{Roles: []Role{Ingest}}, nil }, nil, noRegisterer{}
	checkRefusal(t, g.get(streamPath), http.StatusForbidden, detection.CodeForbidden, "")
}
