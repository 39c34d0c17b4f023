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

// sees hands in a detection that is received now.
func (p *pod) sees(t *testing.T, d detection.Detection) {
	t.Helper()
	d.ReceivedAt = time.Now()
	if _, err := p.one(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

func (p *pod) seesMany(t *testing.T, prefix string, n int) {
	t.Helper()
	for i := range n {
		p.sees(t, detection.Detection{ID: fmt.Sprintf("%s-%06d", prefix, i)})
	}
}

func sorted(ids []string, prefix string) bool {
	own := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !strings.HasPrefix(id, prefix) })
	return slices.IsSorted(own)
}

// TestLiveGoesBeforeBacklog holds that after an outage what comes in is delivered at once, while the backlog follows at its
// rate, each of them in its order. The control is a relay without the rate.
func TestLiveGoesBeforeBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, tak := newMemoryStore(), &takServer{down: true}
		p := newPod(t, "pod-a", store, tak, func(o *relay.Options) { o.BacklogRate = 20 })
		p.seesMany(t, "old", 3000)
		time.Sleep(time.Hour)
		tak.set(func() { tak.down = false })
		time.Sleep(16 * time.Second) // it is dialled again
		before := tak.count("old")
		for i := range 60 {
			p.sees(t, detection.Detection{ID: fmt.Sprintf("live-%06d", i)})
			time.Sleep(time.Second)
			if got := tak.count("live"); got != i+1 {
				t.Fatalf("TAK has %d live events of %d a second after the last, behind a backlog", got, i+1)
			}
		}
		if got := tak.count("old") - before; got < 1100 || got > 1300 {
			t.Errorf("%d events of the backlog in a minute, want 20 a second", got)
		}
		if queued, outbox := p.settled(); queued != 0 || outbox != 0 || len(tak.got) != 3060 {
			t.Errorf("%d queued, %d owed, TAK got %d of 3060", queued, outbox, len(tak.got))
		}
		if !sorted(tak.got, "old") || !sorted(tak.got, "live") {
			t.Error("a lane was not delivered in its order")
		}
		stop(t, p)
	})
}

// TestLiveGoesBeforeBacklogWithoutARate holds the same where only TAK bounds the rate.
func TestLiveGoesBeforeBacklogWithoutARate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, tak := newMemoryStore(), &takServer{down: true, slow: 100 * time.Millisecond} // 640 events a second
		p := newPod(t, "pod-a", store, tak)
		p.seesMany(t, "old", 3000)
		time.Sleep(time.Hour)
		tak.set(func() { tak.down = false })
		for tak.count("old") == 0 {
			time.Sleep(100 * time.Millisecond)
		}
		for i := 0; tak.count("old") < 2500; i++ {
			p.sees(t, detection.Detection{ID: fmt.Sprintf("live-%06d", i)})
			time.Sleep(time.Second / 4) // the window that is under way, and its own
			if got := tak.count("live"); got != i+1 {
				t.Fatalf("TAK has %d live events of %d, behind a backlog", got, i+1)
			}
		}
		if queued, outbox := p.settled(); queued != 0 || outbox != 0 || len(tak.got) != len(store.records) {
			t.Errorf("%d queued, %d owed, TAK got %d of %d", queued, outbox, len(tak.got), len(store.records))
		}
		stop(t, p)
	})
}

// backlogPart is the part of what TAK takes, one in so many, that the backlog has at least.
const backlogPart = 8

// TestNothingStarves holds that a backlog gets through while more comes in than TAK takes, and loses none of either.
func TestNothingStarves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, tak := newMemoryStore(), &takServer{down: true, slow: 100 * time.Millisecond} // 640 events a second
		p := newPod(t, "pod-a", store, tak)
		p.seesMany(t, "old", 1000)
		time.Sleep(time.Hour)
		tak.set(func() { tak.down = false })
		up := 0 // seconds
		for second := 0; up < 6; second++ {
			p.seesMany(t, fmt.Sprintf("live-%03d", second), 700)
			time.Sleep(time.Second)
			if tak.count("") > 0 {
				up++
			}
		}
		if got := tak.count("old"); got < 5*640/backlogPart || got == 1000 {
			t.Errorf("TAK has %d of the backlog after %d s of overload, want an eighth of what it took", got, up)
		}
		if queued, outbox := p.settled(); queued != 0 || outbox != 0 || len(tak.got) != len(store.records) {
			t.Errorf("%d queued, %d owed, TAK got %d of %d", queued, outbox, len(tak.got), len(store.records))
		}
		stop(t, p)
	})
}

// TestARetractionGoesAfterWhatItRetracts in a backlog, behind one and live, with and without a cap, also when nothing follows
// it, and is never superseded.
func TestARetractionGoesAfterWhatItRetracts(t *testing.T) {
	for name, c := range map[string]struct{ backlog, late bool }{
		"in a backlog": {true, false}, "behind a backlog": {true, true}, "live": {false, true},
	} {
		for _, every := range []time.Duration{0, time.Minute} {
			for _, again := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, every %v, seen again %v", name, every, again), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { retract(t, c.backlog, c.late, again, every) })
				})
			}
		}
	}
}

// retract retracts a track, with a backlog or not, which was seen in the backlog or after it, and may be seen again.
func retract(t *testing.T, backlog, late, again bool, every time.Duration) {
	store, tak := newMemoryStore(), &takServer{down: backlog}
	p := newPod(t, "pod-a", store, tak, withTracks(every), func(o *relay.Options) { o.BacklogRate = 10 })
	p.seesMany(t, "old", 500)
	see := func() {
		p.sees(t, detection.Detection{ID: "alone"})
		p.sees(t, ofTrack("car", 1))
		time.Sleep(2 * time.Second)
		p.sees(t, ofTrack("car", 2))
	}
	if !late {
		see()
	}
	if backlog {
		time.Sleep(time.Hour)
		tak.set(func() { tak.down = false })
		time.Sleep(16 * time.Second)
	}
	if late {
		see()
	}
	gone := ofTrack("car", 3)
	gone.ID, gone.Retracts = "gone", "car-000002"
	p.sees(t, gone)
	p.sees(t, detection.Detection{ID: "goneAlone", Retracts: "alone"})
	time.Sleep(time.Second)
	if again {
		p.sees(t, ofTrack("car", 4))
	}
	queued, outbox := p.settled()
	place := func(id string) int { return slices.Index(tak.got, id) }
	if queued != 0 || outbox != 0 || place("gone") < 0 || place("goneAlone") < place("alone") || place("alone") < 0 {
		t.Errorf("%d queued, %d owed, order %v", queued, outbox, tak.got[max(0, len(tak.got)-8):])
	}
	if place("car-000002") > place("gone") || !again && place("car-000002") < 0 || again && place("car-000004") < place("gone") {
		t.Errorf("order %v", tak.got[max(0, len(tak.got)-8):])
	}
	stop(t, p)
}

// TestARefusalCostsOnlyTheRefused holds that an event which the server names as one it does not take is a dead letter, and
// that the others of its window count as delivered, once.
func TestARefusalCostsOnlyTheRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, tak := newMemoryStore(), &takServer{down: true, refuses: func(id string) bool { return strings.HasSuffix(id, "7") }}
		p := newPod(t, "pod-a", store, tak)
		p.seesMany(t, "some", 300)
		p.seesMany(t, "all7", 1)
		tak.set(func() { tak.down = false })
		if queued, outbox := p.settled(); queued != 0 || outbox != 0 || len(tak.got) != 271 || len(store.dead) != 30 {
			t.Errorf("%d queued, %d owed, TAK got %d of 271, %d dead letters of 30", queued, outbox, len(tak.got), len(store.dead))
		}
		if got := metric(t, p.registry, "tak_push_success_total"); got != 271 {
			t.Errorf("%g pushed", got)
		}
		stop(t, p)
	})
}
