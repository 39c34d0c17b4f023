package relay_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// TestAPodWithoutTAKYields cuts one pod off from TAK, and from nothing else: another delivers what it holds.
func TestAPodWithoutTAKYields(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, cut, tak := newMemoryStore(), &takServer{down: true}, &takServer{}
		a, b := newPod(t, "pod-a", store, cut), newPod(t, "pod-b", store, tak)
		synctest.Wait() // each has its lease
		a.accept(t, 0, 300, detection.InStore)
		time.Sleep(4 * time.Minute)
		if got := tak.unique(); got != 0 {
			t.Errorf("%d events of a pod that lost TAK just now were delivered by another", got)
		}
		time.Sleep(2 * time.Minute)
		if got := tak.unique(); got != 300 {
			t.Errorf("TAK has %d of 300 six minutes after the pod lost it", got)
		}
		a.accept(t, 300, 100, detection.InStore)
		time.Sleep(time.Minute)
		if got := tak.unique(); got != 400 {
			t.Errorf("TAK has %d of 400: what comes in meanwhile waits", got)
		}
		cut.set(func() { cut.down = false })
		if queued, outbox := a.settled(); queued != 0 || outbox != 0 || cut.unique() != 400 {
			t.Errorf("%d queued, %d owed, %d delivered again when TAK is back", queued, outbox, cut.unique())
		}
		a.accept(t, 400, 50, detection.InStore)
		synctest.Wait()
		if queued, outbox := a.settled(); queued != 0 || outbox != 0 || tak.unique() != 400 {
			t.Errorf("%d queued, %d owed; the other delivered %d more of a pod that has TAK again", queued, outbox, tak.unique()-400)
		}
		stop(t, a)
		stop(t, b)
	})
}

// TestPodsWithoutTAKKeepTheirRows is an outage that all see.
func TestPodsWithoutTAKKeepTheirRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, tak := newMemoryStore(), &takServer{down: true}
		a, b := newPod(t, "pod-a", store, tak), newPod(t, "pod-b", store, tak)
		synctest.Wait()
		a.accept(t, 0, 500, detection.InStore)
		b.accept(t, 500, 500, detection.InStore)
		time.Sleep(12 * time.Hour)
		if a, b := a.State().Queue.Undelivered, b.State().Queue.Undelivered; a != 500 || b != 500 {
			t.Errorf("the pods hold %d and %d, want 500 each", a, b)
		}
		tak.set(func() { tak.down = false })
		a.settled()
		if queued, outbox := b.settled(); queued != 0 || outbox != 0 || tak.unique() != 1000 {
			t.Errorf("%d queued, %d owed, TAK has %d of 1000", queued, outbox, tak.unique())
		}
		if len(tak.got) != 1000 {
			t.Errorf("%d events were sent for 1000 detections", len(tak.got))
		}
		stop(t, a)
		stop(t, b)
	})
}
