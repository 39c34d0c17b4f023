package relay_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/relay"
)

// TestWhatWaitedTooLongIsNotSent holds that after an outage only what is young enough reaches TAK, and retractions and what
// an operator redrove however old, and that the rest is settled. The control is a relay without the limit.
func TestWhatWaitedTooLongIsNotSent(t *testing.T) {
	for _, expireAfter := range []time.Duration{0, time.Hour} {
		for _, poison := range []bool{false, true} { // then the queue is sent in its order
			t.Run(fmt.Sprintf("after %v, poison %v", expireAfter, poison), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { outageWithExpiry(t, expireAfter, poison) })
			})
		}
	}
}

const oldEvents, newEvents = 500, 100

func outageWithExpiry(t *testing.T, expireAfter time.Duration, poison bool) {
	store, tak := newMemoryStore(), &takServer{down: true}
	tak.hangsUp = func(event string) bool { return poison && strings.Contains(event, "new-000003") }
	redrive(store, "redriven", time.Now())
	p := newPod(t, "pod-a", store, tak, withTracks(time.Second), func(o *relay.Options) { o.ExpireAfter = expireAfter })
	p.seesMany(t, "old", oldEvents)
	p.sees(t, ofTrack("car", 1))
	p.sees(t, detection.Detection{ID: "taken-back", Retracts: "old-000001"})
	time.Sleep(50 * time.Minute)
	p.seesMany(t, "new", newEvents)
	p.sees(t, ofTrack("car", 2))
	time.Sleep(20 * time.Minute)
	tak.set(func() { tak.down = false })
	queued, outbox := p.settled()

	wantOld, dead := oldEvents, 0
	if expireAfter > 0 {
		wantOld = 0
	}
	if poison {
		dead = 1
	}
	slices.Sort(tak.got)
	tak.got = slices.Compact(tak.got) // what was with the poison in a window may come twice
	got := [...]int{tak.count("old"), tak.count("new"), tak.count("car-000001"), tak.count("car-000002"), tak.count("taken-back"), tak.count("redriven")}
	if want := [...]int{wantOld, newEvents - dead, 0, 1, 1, 1}; got != want {
		t.Errorf("TAK got %v, want %v: old, new, both sightings, retraction, redriven", got, want)
	}
	if expired := store.outcomes[detection.Expired]; queued != 0 || outbox != 0 || expired != oldEvents-wantOld || len(store.dead) != dead {
		t.Errorf("%d queued, %d owed, %d expired, %d dead", queued, outbox, expired, len(store.dead))
	}
	if n := metric(t, p.registry, "tak_push_expired_total"); n != float64(oldEvents-wantOld) {
		t.Errorf("tak_push_expired_total is %v", n)
	}
	stop(t, p)
}

// redrive puts a record into the store that an operator took back from the dead letters.
func redrive(s *memoryStore, id string, receivedAt time.Time) {
	s.set(func() {
		s.records[id] = detection.Record{
			Detection: detection.Detection{ID: id, ReceivedAt: receivedAt}, Deliver: true, Redriven: true,
		}
		s.order, s.outbox[id] = append(s.order, id), ""
	})
}
