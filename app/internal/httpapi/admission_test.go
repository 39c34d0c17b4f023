package httpapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// at is a clock that tests set, in seconds.
type at float64

func (a at) time() time.Time {
	return time.Unix(1_800_000_000, 0).Add(time.Duration(float64(a) * float64(time.Second)))
}

func TestWindow(t *testing.T) {
	type step struct {
		at   at
		adds int
		want float64 // a second, within 1
	}
	for name, steps := range map[string][]step{
		"cold":                 {{0, 0, 0}, {0.1, 50, 100}, {0.4, 50, 200}},
		"steady":               {{0, 100, 200}, {1, 100, 200}, {2, 100, 150}, {3, 100, 133}, {4, 100, 125}, {4.9, 0, 102}},
		"slides":               {{0, 1000, 2000}, {4.4, 0, 227}, {5.1, 0, 0}},
		"idle for a day":       {{0, 1000, 2000}, {86400, 0, 0}, {86400.2, 470, 100}},
		"the clock goes back":  {{100, 1000, 2000}, {50, 0, 0}, {50.5, 100, 200}},
		"the clock leaps once": {{0, 1000, 2000}, {1e9, 940, 209}},
	} {
		t.Run(name, func(t *testing.T) {
			var w window
			for _, s := range steps {
				for range s.adds {
					w.add(s.at.time())
				}
				if got := w.perSecond(s.at.time()); got < s.want-1 || got > s.want+1 {
					t.Errorf("at %g s: %g a second, want %g", s.at, got, s.want)
				}
			}
		})
	}
}

// TestAdmissionFollowsTheRate: the limit is the rate times the wait, never less than the floor, and there is none for 0.
func TestAdmissionFollowsTheRate(t *testing.T) {
	now := at(0).time()
	a := &admission{targetWait: 500 * time.Millisecond, floor: 10, now: func() time.Time { return now }}
	if limit, _ := a.state(); limit != 10 {
		t.Errorf("cold: %d, want the floor", limit)
	}
	for range 500 { // 100 a second for 5 s
		now = now.Add(10 * time.Millisecond)
		if !a.enter() {
			t.Fatal("refused one at a time")
		}
		a.leave(true)
	}
	if limit, in := a.state(); limit < 48 || limit > 56 || in != 0 {
		t.Errorf("at 100 a second: limit %d, in progress %d; want about 50 and 0", limit, in)
	}
	entered := 0
	for a.enter() {
		entered++
	}
	if limit, in := a.state(); entered != limit || in != limit || !a.full() {
		t.Errorf("%d of %d entered, %d in progress", entered, limit, in)
	}
	for range entered {
		a.leave(false)
	}
	now = now.Add(time.Minute)
	if limit, _ := a.state(); limit != 10 {
		t.Errorf("after a minute of failures: %d, want the floor", limit)
	}
	a.targetWait = 0
	for range 1000 {
		if !a.enter() {
			t.Fatal("refused without a limit")
		}
	}
	if limit, _ := a.state(); limit != 0 {
		t.Errorf("without a limit it is shown as %d, want 0", limit)
	}
}

// TestOverloadIsRefusedBeforeTheBody fills the places with detections whose commit hangs.
func TestOverloadIsRefusedBeforeTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const floor = 3
		g, release := newRig(), make(chan struct{})
		g.TargetWait, g.MinInProgress = time.Second/2, floor
		accept := g.Ingestor
		g.Ingestor = fakeIngestor{func(ctx context.Context, in detection.Input, by string) (detection.Accepted, error) {
			<-release
			if in.Source == "panic" {
				panic("test")
			}
			return accept.Accept(ctx, in, by)
		}}
		g.handler = New(g.Options)
		var waiting sync.WaitGroup
		for i := range floor {
			waiting.Go(func() {
				body := goodBody
				if i == 0 {
					body = strings.Replace(goodBody, "uav-1", "panic", 1)
				}
				g.post(body)
			})
		}
		synctest.Wait()
		r := ask(http.MethodPost, detectionsPath, "")
		r.Body, r.ContentLength = io.NopCloser(unreadable{t}), 700
		w := g.serve(r)
		checkRefusal(t, w, http.StatusServiceUnavailable, detection.CodeOverloaded, "")
		if seconds, err := strconv.Atoi(w.Header().Get("Retry-After")); err != nil || seconds < 1 || seconds > 2 {
			t.Errorf("Retry-After %q, want 1 or 2 s", w.Header().Get("Retry-After"))
		}
		for _, path := range []string{"/health", "/api/v1/health", "/ready", "/metrics"} {
			if w := g.serve(ask(http.MethodGet, path, "")); w.Code != http.StatusOK {
				t.Errorf("%s beside a full service: got %d", path, w.Code)
			}
		}
		if w := g.serve(ask(http.MethodGet, detectionsPath+"/"+goodID, "")); w.Code != http.StatusOK {
			t.Errorf("a look-up beside a full service: got %d", w.Code)
		}
		g.checkMetrics(t, floor, floor)
		close(release)
		waiting.Wait()
		g.checkMetrics(t, floor, 0)
		if w := g.post(goodBody); w.Code != http.StatusCreated {
			t.Errorf("after the others: got %d %s", w.Code, w.Body)
		}
	})
}

// checkMetrics compares the gauges of the admission, and that one detection was refused.
func (g *rig) checkMetrics(t *testing.T, limit, inProgress int) {
	t.Helper()
	want := fmt.Sprintf(`
# HELP detection_admission_limit Detections that may be in progress, from the rate of the last seconds; 0 means that there is no limit.
# TYPE detection_admission_limit gauge
detection_admission_limit %d
# HELP detection_in_progress Detections that are being located and committed.
# TYPE detection_in_progress gauge
detection_in_progress %d
# HELP detection_refused_total Detections refused though nothing was wrong with them, by what there was not enough of.
# TYPE detection_refused_total counter
detection_refused_total{reason="admission"} 1
detection_refused_total{reason="bytes_in_flight"} 0
detection_refused_total{reason="storage_full"} 0
detection_refused_total{reason="subject_rate"} 0
detection_refused_total{reason="unavailable"} 0
`, limit, inProgress)
	err := testutil.GatherAndCompare(g.registry, strings.NewReader(want), "detection_admission_limit", "detection_in_progress", "detection_refused_total")
	if err != nil {
		t.Error(err)
	}
}

// TestManyAdmittedAtOnce: what was admitted together, body still to come, is bounded once more at the commit.
func TestManyAdmittedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const floor, clients = 3, 20
		g, open, release := newRig(), make(chan struct{}), make(chan struct{})
		g.TargetWait, g.MinInProgress = time.Second/2, floor
		accept := g.Ingestor
		g.Ingestor = fakeIngestor{func(ctx context.Context, in detection.Input, by string) (detection.Accepted, error) {
			<-release
			return accept.Accept(ctx, in, by)
		}}
		g.handler = New(g.Options)
		codes := make(chan int, clients)
		for range clients {
			go func() {
				r := ask(http.MethodPost, detectionsPath, "")
				r.Body = gatedBody{&gate{strings.NewReader(goodBody), open}}
				codes <- g.serve(r).Code
			}()
		}
		synctest.Wait()
		close(open)
		synctest.Wait()
		if refused := len(codes); refused != clients-floor {
			t.Errorf("%d of %d were refused with %d places", refused, clients, floor)
		}
		close(release)
		synctest.Wait()
		got := map[int]int{}
		for range clients {
			got[<-codes]++
		}
		if got[http.StatusCreated] != floor || got[http.StatusServiceUnavailable] != clients-floor {
			t.Errorf("answers %v", got)
		}
	})
}

type gatedBody struct{ *gate }

func (gatedBody) Close() error { return nil }
