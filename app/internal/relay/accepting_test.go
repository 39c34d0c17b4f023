package relay_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// TestWhatIsBeingAcceptedIsNotClaimed holds that a pod which renews its lease, and claims what is its own, while the store's
// answer is on its way sends each detection once.
func TestWhatIsBeingAcceptedIsNotClaimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, tak := newMemoryStore(), &takServer{}
		store.lag = 1900 * time.Millisecond
		p := newPod(t, "pod-a", store, tak)
		synctest.Wait()
		p.accept(t, 0, 40, detection.InStore) // 76 s: it renews the lease some times
		if queued, outbox := p.settled(); queued != 0 || outbox != 0 || len(tak.got) != 40 || tak.unique() != 40 {
			t.Errorf("%d queued, %d owed, TAK got %d events, %d different, of 40", queued, outbox, len(tak.got), tak.unique())
		}
		stop(t, p)
	})
}
