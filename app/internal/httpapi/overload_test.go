package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

const (
	commitTime = 10 * time.Millisecond // of the slow store, one at a time
	capacity   = int(time.Second / commitTime)
	patience   = 2 * time.Second // of a client, also the objective of the service
)

// slowStore commits one detection at a time in the order of arrival. Who goes away is committed all the same, as with a
// group commit.
type slowStore struct {
	Ingestor
	arrived chan chan struct{}
}

func newSlowStore(ctx context.Context, i Ingestor) *slowStore {
	s := &slowStore{Ingestor: i, arrived: make(chan chan struct{}, 1<<20)}
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case done := <-s.arrived:
				select {
				case <-time.After(commitTime):
					close(done)
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return s
}

func (s *slowStore) Accept(ctx context.Context, in detection.Input, by string) (detection.Accepted, error) {
	done := make(chan struct{})
	s.arrived <- done
	select {
	case <-done:
		return s.Ingestor.Accept(ctx, in, by)
	case <-ctx.Done():
		return detection.Accepted{}, ctx.Err()
	}
}

// outcome is what came of a run under a fixed rate of requests.
type outcome struct {
	good, refused, late int
	silent              int    // refusals without Retry-After
	inProgress          int    // most at a time
	heapBytes           uint64 // live at the end of the load
}

// overload sends a detection at each tick of a schedule, whatever becomes of the others, and counts.
func overload(t *testing.T, perSecond int, targetWait, duration time.Duration) (o outcome) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		g := newRig()
		g.Logger = slog.New(slog.DiscardHandler)
		g.Ingestor = newSlowStore(ctx, g.Ingestor)
		g.TargetWait, g.MinInProgress = targetWait, 20
		g.handler = New(g.Options)
		var mu sync.Mutex
		var done sync.WaitGroup
		inProgress := 0
		for range perSecond * int(duration/time.Second) {
			<-time.After(time.Second / time.Duration(perSecond))
			done.Go(func() {
				mu.Lock()
				inProgress++
				o.inProgress = max(o.inProgress, inProgress)
				mu.Unlock()
				call, giveUp := context.WithTimeout(ctx, patience)
				defer giveUp()
				w := g.serve(ask(http.MethodPost, detectionsPath, goodBody).WithContext(call))
				mu.Lock()
				defer mu.Unlock()
				inProgress--
				o.count(w, call.Err() != nil)
			})
		}
		o.heapBytes = liveHeap()
		done.Wait()
		cancel()
		synctest.Wait()
	})
	return o
}

func (o *outcome) count(w *httptest.ResponseRecorder, late bool) {
	switch {
	case late:
		o.late++
	case w.Code == http.StatusCreated:
		o.good++
	default:
		o.refused++
		if w.Header().Get("Retry-After") == "" {
			o.silent++
		}
	}
}

func liveHeap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestOverload offers five times what the store commits: as much is accepted as without overload, in time, whatever is not
// is told when to come back, and memory stays what it was. Without the limit nearly every answer comes too late.
func TestOverload(t *testing.T) {
	const duration = 20 * time.Second
	normal := overload(t, capacity, 500*time.Millisecond, duration)
	over := overload(t, 5*capacity, 500*time.Millisecond, duration)
	without := overload(t, 5*capacity, 0, duration)
	t.Logf("at capacity %+v", normal)
	t.Logf("at five times the capacity %+v", over)
	t.Logf("control, without the limit %+v", without)
	if normal.good != capacity*int(duration/time.Second) {
		t.Errorf("at capacity %d were accepted and %d refused", normal.good, normal.refused)
	}
	if over.good < normal.good*9/10 || over.late > 0 {
		t.Errorf("with overload %d were accepted in time and %d too late, without it %d", over.good, over.late, normal.good)
	}
	if over.refused == 0 || over.silent > 0 {
		t.Errorf("%d of %d refusals have no Retry-After", over.silent, over.refused)
	}
	if over.heapBytes > normal.heapBytes*3/2 {
		t.Errorf("with overload the heap has %d bytes, without it %d", over.heapBytes, normal.heapBytes)
	}
	if without.good > normal.good/2 || without.inProgress < 10*over.inProgress {
		t.Error("the limit makes no difference: this test could not fail")
	}
}
