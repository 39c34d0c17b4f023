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
		busy at      // since the last step
		want float64 // a second, within 1
	}
	for name, steps := range map[string][]step{
		"cold":                 {{0, 0, 0, 0}, {0.1, 5, 0.01, 50}, {0.2, 45, 0.09, 500}, {0.4, 50, 0.1, 500}},
		"never idle":           {{0, 0, 0, 0}, {1, 100, 1, 100}, {2, 300, 1, 200}, {3, 200, 1, 200}},
		"idle in between":      {{0, 500, 0.125, 4000}, {1, 500, 0.125, 4000}, {2, 500, 0.25, 3000}},
		"slides":               {{0, 1000, 1, 1000}, {4.4, 100, 1, 550}, {5.1, 0, 0, 100}},
		"hangs":                {{0, 1000, 1, 1000}, {4, 0, 4, 200}, {5.1, 0, 1.1, 0}},
		"idle for a day":       {{0, 1000, 1, 1000}, {86400, 0, 0, 0}, {86400.2, 100, 0.2, 500}},
		"the clock goes back":  {{100, 1000, 1, 1000}, {50, 0, 0, 0}, {50.5, 100, 0.5, 200}},
		"the clock leaps once": {{0, 1000, 1, 1000}, {1e9, 100, 1, 100}},
	} {
		t.Run(name, func(t *testing.T) {
			var w window
			for _, s := range steps {
				w.add(s.at.time(), s.adds, s.busy.time().Sub(at(0).time()), 1)
				if got, _ := w.perSecond(s.at.time()); got < s.want-1 || got > s.want+1 {
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
	for range 500 { // 100 a second for 10 s, of which it is busy for half
		if !a.enter(1) {
			t.Fatal("refused one at a time")
		}
		now = now.Add(10 * time.Millisecond)
		a.leave(1, 1)
		now = now.Add(10 * time.Millisecond)
	}
	if limit, in := a.state(); limit < 48 || limit > 52 || in != 0 {
		t.Errorf("at 100 a second: limit %d, in progress %d; want about 50 and 0", limit, in)
	}
	entered := 0
	for a.enter(1) {
		entered++
	}
	if limit, in := a.state(); entered != limit || in != limit || !a.full() {
		t.Errorf("%d of %d entered, %d in progress", entered, limit, in)
	}
	now = now.Add(time.Minute) // nothing is committed any more
	if limit, _ := a.state(); limit != 1 {
		t.Errorf("while the store hangs: %d, want an eighth of the floor", limit)
	}
	for range entered {
		a.leave(1, 0)
	}
	now = now.Add(time.Minute)
	if limit, _ := a.state(); limit != 10 {
		t.Errorf("idle again: %d, want the floor", limit)
	}
	a.targetWait = 0
	for range 1000 {
		if !a.enter(1) {
			t.Fatal("refused without a limit")
		}
	}
	if limit, _ := a.state(); limit != 0 {
		t.Errorf("without a limit it is shown as %d, want 0", limit)
	}
}

// TestTheLimitGrows: under unbroken load the limit finds its way from a floor far below what the store can do.
func TestTheLimitGrows(t *testing.T) {
	const group, sync = 256, 20 * time.Millisecond // so 12,800 a second at most
	now := at(0).time()
	a := &admission{targetWait: 500 * time.Millisecond, floor: 8, now: func() time.Time { return now }}
	for range 30 * time.Second / sync {
		for a.enter(1) { // more come than there is room for
		}
		now = now.Add(sync)
		for range min(group, a.inProgress) {
			a.leave(1, 1)
		}
	}
	if limit, _ := a.state(); limit < 6000 || limit > 6800 {
		t.Errorf("after 30 s the limit is %d, want about 6400", limit)
	}
}

// TestCamerasInStep: many that report in the same moment of each second are no overload of a store that has long finished
// before the next second. Their mean rate says nothing about it.
func TestCamerasInStep(t *testing.T) {
	const cameras, perSecond = 400, 4000
	now := at(0).time()
	a := &admission{targetWait: 500 * time.Millisecond, floor: 300, now: func() time.Time { return now }}
	for second := range 20 {
		entered := 0
		for entered < cameras && a.enter(1) {
			entered++
		}
		if entered < cameras && second > 0 { // at the very first it is not known yet what the store can do
			t.Errorf("second %d: %d of %d were refused", second, cameras-entered, cameras)
		}
		for range entered {
			now = now.Add(time.Second / perSecond)
			a.leave(1, 1)
		}
		now = at(second + 1).time()
	}
}

// TestAPauseOfTheDiskRefusesNobody: one camera after the other, so that something is in progress all the time, is no crowd, and
// then the store pauses. A store that is always behind is one, and is held to the wait that is aimed at.
func TestAPauseOfTheDiskRefusesNobody(t *testing.T) {
	const gap = 10 * time.Millisecond // a hundred a second
	for name, company := range map[string]int{"one after the other": 1, "always behind": 40} {
		now := at(0).time()
		a := &admission{targetWait: 500 * time.Millisecond, floor: 256, now: func() time.Time { return now }}
		for range company {
			a.enter(1)
		}
		for range 6 * time.Second / gap {
			now = now.Add(gap)
			a.leave(1, 1)
			if !a.enter(1) {
				t.Errorf("%s: refused before the pause", name)
			}
		}
		room := 0
		for room < 100 && a.enter(1) {
			now = now.Add(gap) // for a second nothing is committed
			room++
		}
		if (room == 100) != (company == 1) {
			t.Errorf("%s: %d had room during the pause", name, room)
		}
	}
}

// TestOverloadIsRefusedBeforeTheBody fills the places with detections whose commit hangs.
func TestOverloadIsRefusedBeforeTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const floor = 3
		g, release := newRig(), make(chan struct{})
		g.TargetWait, g.MinInProgress = 100*time.Millisecond, floor
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
		g.TargetWait, g.MinInProgress = 100*time.Millisecond, floor
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
