package relay_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// TestAClientThatLeavesIsNoFaultOfTheStore holds that the next client is still answered from the store.
func TestAClientThatLeavesIsNoFaultOfTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemoryStore()
		store.slow = 100 * time.Millisecond
		p := newPod(t, "pod-a", store, &takServer{})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, err := p.one(ctx, detection.Detection{ID: "left"}); err == nil {
			t.Error("what nobody waited for was accepted")
		}
		if got := p.State().Store; got != "up" {
			t.Errorf("the store is %q after a client left", got)
		}
		p.accept(t, 0, 1, detection.InStore)
		stop(t, p)
	})
}

// TestWhatIsNotOwedToTAKIsCounted holds that a detection that leaves the queue as soon as it is stored counts as well.
func TestWhatIsNotOwedToTAKIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemoryStore()
		store.down = true
		p := newPod(t, "pod-a", store, nil)
		p.accept(t, 0, 300, detection.InPod)
		store.set(func() { store.down = false })
		p.settled()
		if got := metric(t, p.registry, "offline_queue_sync_total"); got != 300 || len(store.records) != 300 {
			t.Errorf("%g counted and %d stored, want 300 and 300", got, len(store.records))
		}
		stop(t, p)
	})
}

// TestAFullPodIsStillEmptied holds that a pod without room for adopted rows goes on telling the store what it has.
func TestAFullPodIsStillEmptied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemoryStore()
		store.down = true
		p := newPod(t, "pod-a", store, &takServer{})
		p.accept(t, 0, 300, detection.InPod)
		p.queue.set(func() { p.queue.refuse = true }) // the disk has no room, which the queue's own depth does not tell
		store.set(func() {
			store.down = false
			store.records["gone"], store.outbox["gone"], store.order = detection.Record{}, "gone", []string{"gone"}
		})
		if queued, outbox := p.settled(); queued != 0 || outbox != 1 || len(store.records) != 301 {
			t.Errorf("%d queued, %d owed, %d of 301 in the store; want all but the adopted row settled", queued, outbox, len(store.records))
		}
		stop(t, p)
	})
}

// TestAFullStoreStillLearnsOfDeliveries holds that acknowledgements do not wait behind records the store has no room for.
func TestAFullStoreStillLearnsOfDeliveries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, tak := newMemoryStore(), &takServer{down: true}
		p := newPod(t, "pod-a", store, tak)
		p.accept(t, 0, 100, detection.InStore)
		store.set(func() { store.down = true })
		p.accept(t, 100, 100, detection.InPod)
		store.set(func() { store.down, store.full = false, true })
		tak.set(func() { tak.down = false })
		if queued, outbox := p.settled(); queued != 100 || outbox != 0 {
			t.Errorf("%d queued and %d owed, want the 100 that are not stored and 0", queued, outbox)
		}
		store.set(func() { store.full = false })
		stop(t, p)
	})
}

// TestARefusedRecordBlocksNoOther holds that one record the store refuses stays in the queue alone, and that a pod that
// stops says so.
func TestARefusedRecordBlocksNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, tak := newMemoryStore(), &takServer{}
		store.down, store.refuse = true, "id-000123"
		p := newPod(t, "pod-a", store, tak)
		p.accept(t, 0, 600, detection.InPod)
		store.set(func() { store.down = false })
		if queued, outbox := p.settled(); queued != 1 || outbox != 0 || len(store.records) != 599 || tak.unique() != 600 {
			t.Errorf("%d queued, %d owed, %d of 599 stored, %d of 600 at TAK", queued, outbox, len(store.records), tak.unique())
		}
		if got := p.State(); got.Store != "up" || got.Queue.Unstored != 1 {
			t.Errorf("state %+v, want the store up and 1 not stored", got)
		}
		if err := p.Stop(t.Context()); err == nil || !strings.Contains(err.Error(), "1 records") {
			t.Errorf("Stop = %v, want that 1 record stays", err)
		}
	})
}

// TestAKeyThatWasUsedTwiceLosesNothing holds that what was accepted while the store was away is kept although its key turns out
// to be that of another detection, before the outage or in it, and that a repeat stays one.
func TestAKeyThatWasUsedTwiceLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, tak := newMemoryStore(), &takServer{}
		p := newPod(t, "pod-a", store, tak)
		accept := func(id string) {
			if _, err := p.one(t.Context(), detection.Detection{ID: id, IdempotencyKey: "k"}); err != nil {
				t.Fatal(err)
			}
		}
		accept("id-first")
		store.set(func() { store.down = true })
		for _, id := range []string{"id-second", "id-third", "id-second"} {
			accept(id)
		}
		store.set(func() { store.down = false })
		if queued, outbox := p.settled(); queued != 0 || outbox != 0 || len(store.records) != 3 || tak.unique() != 3 {
			t.Errorf("%d queued, %d owed, %d of 3 stored, %d of 3 at TAK", queued, outbox, len(store.records), tak.unique())
		}
		if keys := []string{store.records["id-first"].Detection.IdempotencyKey, store.records["id-third"].Detection.IdempotencyKey}; keys[0] != "k" || keys[1] != "" {
			t.Errorf("keys %q, want that of the first alone", keys)
		}
		stop(t, p)
	})
}

// TestALongBacklogKeepsTheLease holds that a pod that has much to tell the store does not lose its rows to others meanwhile.
func TestALongBacklogKeepsTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemoryStore()
		store.down = true
		p := newPod(t, "pod-a", store, &takServer{})
		p.accept(t, 0, 12_000, detection.InPod)
		store.set(func() { store.down, store.slow = false, 900*time.Millisecond })
		time.Sleep(10 * time.Minute)
		stop(t, p)
		for i := range len(store.renewed) - 1 {
			if gap := store.renewed[i+1].Sub(store.renewed[i]); gap > 15*time.Second {
				t.Errorf("%v between two renewals of a lease of 30s", gap)
			}
		}
		if len(store.records) != 12_000 {
			t.Errorf("the store has %d of 12000", len(store.records))
		}
	})
}

// TestAdoption holds that a pod that cannot deliver leaves orphaned rows to others, and that one that can goes on until
// none is left instead of waiting for its next renewal.
func TestAdoption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, tak := newMemoryStore(), &takServer{down: true}
		for i := range 20_000 {
			id := fmt.Sprintf("gone-%05d", i)
			store.records[id] = detection.Record{Detection: detection.Detection{ID: id}, Deliver: true}
			store.order, store.outbox[id] = append(store.order, id), "gone"
		}
		p := newPod(t, "pod-a", store, tak)
		time.Sleep(time.Minute)
		if got := p.State().Queue.Undelivered; got != 0 {
			t.Errorf("a pod without TAK adopted %d rows", got)
		}
		tak.set(func() { tak.down = false })
		time.Sleep(time.Minute)
		if got := tak.unique(); got != 20_000 {
			t.Errorf("TAK has %d of 20000 a minute after it came back", got)
		}
		stop(t, p)
	})
}
