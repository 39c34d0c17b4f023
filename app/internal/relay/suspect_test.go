package relay_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// TestPoisonIsSetAside holds that an event that cannot be encoded neither blocks the others nor vanishes.
func TestPoisonIsSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, tak := newMemoryStore(), &takServer{}
		p := newPod(t, "pod-a", store, tak)
		if _, err := p.one(t.Context(), detection.Detection{ID: "bad", ObjectClass: "poison"}); err != nil {
			t.Fatal(err)
		}
		p.accept(t, 0, 10, detection.InStore)
		queued, outbox := p.settled()
		if tak.unique() != 10 || len(store.dead) != 1 || queued != 0 || outbox != 0 {
			t.Errorf("TAK has %d of 10, %d dead letters of 1, %d queued, %d owed", tak.unique(), len(store.dead), queued, outbox)
		}
		stop(t, p)
	})
}

// TestRefusedEventIsSetAside holds that an event which makes the server hang up ends in the dead letters and blocks no
// other, wherever in the queue it is, and that a link which only flaps costs no event.
func TestRefusedEventIsSetAside(t *testing.T) {
	tests := []struct {
		name    string
		refused map[string]bool
	}{
		{"the first", map[string]bool{"id-000000": true}},
		{"one in the middle", map[string]bool{"id-000150": true}},
		{"the last but one", map[string]bool{"id-000298": true}},
		{"several", map[string]bool{"id-000010": true, "id-000050": true, "id-000200": true}},
		{"two in a row", map[string]bool{"id-000010": true, "id-000011": true}},
		{"two hundred in a row", inARow(10, 210)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, tak := newMemoryStore(), &takServer{hangsUp: func(event string) bool { return tt.refused[event] }}
				p := newPod(t, "pod-a", store, tak)
				p.accept(t, 0, 300, detection.InStore)
				p.settled()
				p.accept(t, 300, 20, detection.InStore) // an event is only blamed when one behind it gets through
				queued, outbox := p.settled()
				if want := 320 - len(tt.refused); tak.unique() != want || len(store.dead) != len(tt.refused) || queued != 0 || outbox != 0 {
					t.Errorf("TAK has %d of %d, dead letters %v, %d queued, %d owed", tak.unique(), want, store.dead, queued, outbox)
				}
				stop(t, p)
			})
		})
	}
}

func inARow(from, to int) map[string]bool {
	ids := map[string]bool{}
	for i := from; i < to; i++ {
		ids[fmt.Sprintf("id-%06d", i)] = true
	}
	return ids
}

// TestNothingSentBlamesNoEvent holds that records which cannot be encoded, so that nothing is sent for them, do not count as
// events that got through where another did not.
func TestNothingSentBlamesNoEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, tak := newMemoryStore(), &takServer{hangsUp: func(string) bool { return true }}
		p := newPod(t, "pod-a", store, tak)
		p.accept(t, 0, 1, detection.InStore)
		time.Sleep(time.Hour) // the one event that can be sent is alone and under suspicion
		for i := range 10 {
			if _, err := p.one(t.Context(), detection.Detection{ID: fmt.Sprintf("bad-%d", i), ObjectClass: "poison"}); err != nil {
				t.Fatal(err)
			}
		}
		if queued, _ := p.settled(); queued != 1 || len(store.dead) != 10 {
			t.Errorf("%d queued, dead letters %v; want the one event kept and the ten others set aside", queued, store.dead)
		}
		stop(t, p)
	})
}

// TestFlappingLinkBlamesNoEvent holds the other side: two sends in three fail, on any event, and nothing is given up.
func TestFlappingLinkBlamesNoEvent(t *testing.T) {
	sends, random := 0, rand.New(rand.NewPCG(1, 2))
	for name, hangsUp := range map[string]func(string) bool{
		"in step":   func(string) bool { sends++; return sends%3 != 0 },
		"at random": func(string) bool { return random.IntN(3) != 0 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, tak := newMemoryStore(), &takServer{hangsUp: hangsUp}
				p := newPod(t, "pod-a", store, tak)
				p.accept(t, 0, 500, detection.InStore)
				time.Sleep(24 * time.Hour)
				tak.set(func() { tak.hangsUp = nil })
				if queued, _ := p.settled(); tak.unique() != 500 || len(store.dead) != 0 || queued != 0 {
					t.Errorf("TAK has %d of 500, dead letters %v, %d queued", tak.unique(), store.dead, queued)
				}
				stop(t, p)
			})
		})
	}
}
