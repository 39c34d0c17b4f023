package relay_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/relay"
)

// withTracks makes a track the series.
func withTracks(every time.Duration) func(*relay.Options) {
	return func(o *relay.Options) {
		o.SeriesEvery = every
		o.Series = func(d detection.Detection) string {
			if d.Track == nil {
				return ""
			}
			return d.Track.ID
		}
	}
}

func ofTrack(track string, n int) detection.Detection {
	return detection.Detection{ID: fmt.Sprintf("%s-%06d", track, n), Track: &detection.Track{ID: track}}
}

// TestOnlyTheNewestOfATrackIsSent holds that a backlog of tracks costs TAK one event for each, and that all are settled.
func TestOnlyTheNewestOfATrackIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, tak := newMemoryStore(), &takServer{down: true}
		p := newPod(t, "pod-a", store, tak, withTracks(0))
		for i := range 1000 {
			time.Sleep(time.Second)
			p.sees(t, ofTrack(fmt.Sprintf("track%d", i%10), i))
		}
		time.Sleep(time.Hour)
		if age := p.State().Oldest; age < 4500*time.Second || age > 4700*time.Second {
			t.Errorf("the oldest is %v old, want 4599 s", age)
		}
		tak.set(func() { tak.down = false })
		if queued, outbox := p.settled(); queued != 0 || outbox != 0 {
			t.Errorf("%d queued, %d owed", queued, outbox)
		}
		slices.Sort(tak.got)
		for i, id := range tak.got {
			if want := fmt.Sprintf("track%d-%06d", i, 990+i); id != want {
				t.Errorf("TAK got %s, want %s", id, want)
			}
		}
		if len(tak.got) != 10 || store.outcomes[detection.Superseded] != 990 || metric(t, p.registry, "tak_push_superseded_total") != 990 {
			t.Errorf("TAK got %d of 10; %d superseded of 990", len(tak.got), store.outcomes[detection.Superseded])
		}
		if p.State().Oldest != 0 {
			t.Errorf("the oldest of nothing is %v old", p.State().Oldest)
		}
		stop(t, p)
	})
}

// TestATrackDoesNotGoBack holds that what a backlog has of a track is not sent after a newer sighting was.
func TestATrackDoesNotGoBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, tak := newMemoryStore(), &takServer{down: true}
		p := newPod(t, "pod-a", store, tak, withTracks(0), func(o *relay.Options) { o.BacklogRate = 10 })
		p.seesMany(t, "old", 500)
		p.sees(t, ofTrack("car", 1))
		time.Sleep(time.Hour)
		tak.set(func() { tak.down = false })
		time.Sleep(16 * time.Second)
		p.sees(t, ofTrack("car", 2))
		time.Sleep(time.Second)
		if got := tak.events(); tak.count("car") != 1 || !slices.Contains(got, "car-000002") {
			t.Errorf("%d of the track were sent, %s last", tak.count("car"), got[len(got)-1])
		}
		if queued, outbox := p.settled(); queued != 0 || outbox != 0 || tak.count("car") != 1 {
			t.Errorf("%d queued, %d owed, %d of the track sent, want the last one", queued, outbox, tak.count("car"))
		}
		stop(t, p)
	})
}

// TestATrackIsSentNoMoreThanOnceInAWhile holds the cap, also for the last one, which comes when the time is over. Others
// are not held back.
func TestATrackIsSentNoMoreThanOnceInAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, tak := newMemoryStore(), &takServer{}
		p := newPod(t, "pod-a", store, tak, withTracks(10*time.Second))
		synctest.Wait()
		sent := func() int { return tak.count("car") }
		for i := range 100 {
			p.sees(t, ofTrack("car", i))
			p.sees(t, detection.Detection{ID: fmt.Sprintf("other-%06d", i)})
			time.Sleep(time.Second)
			if want := (i+1)/10 + 1; sent() > want || sent() < want-1 {
				t.Errorf("%d events in %d s, want one in 10 s", sent(), i+1)
			}
			if got := tak.count("other"); got != i+1 {
				t.Errorf("%d of %d others: they waited", got, i+1)
			}
		}
		time.Sleep(11 * time.Second)
		if got := tak.events(); got[len(got)-1] != "car-000099" {
			t.Errorf("the last one sent is %s, want the last one seen", got[len(got)-1])
		}
		if queued, outbox := p.settled(); queued != 0 || outbox != 0 || sent()+store.outcomes[detection.Superseded] != 100 {
			t.Errorf("%d queued, %d owed, %d sent, %d superseded", queued, outbox, sent(), store.outcomes[detection.Superseded])
		}
		stop(t, p)
	})
}

// TestTracksThroughFailures draws what goes wrong and what is seen, and holds that of each track the last one arrives, that
// each detection has one outcome in the store, and that nothing is left.
func TestTracksThroughFailures(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 5))
			store, tak := newMemoryStore(), &takServer{}
			p := newPod(t, "pod-a", store, tak, withTracks(5*time.Second), func(o *relay.Options) { o.BacklogRate = 50 })
			last := map[string]string{}
			for i := range 2000 {
				switch random.IntN(60) {
				case 0:
					tak.set(func() { tak.down = !tak.down })
				case 1:
					tak.set(func() { tak.dieAfter = 1 + random.IntN(20) })
				case 2:
					store.set(func() { store.down = !store.down })
				case 3:
					time.Sleep(time.Duration(random.IntN(200)) * time.Second)
				}
				track := fmt.Sprintf("t%02d", random.IntN(20))
				d := ofTrack(track, i)
				last[track] = d.ID
				p.sees(t, d)
				time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
			}
			tak.set(func() { tak.down, tak.dieAfter = false, 0 })
			store.set(func() { store.down = false })
			queued, outbox := p.settled()
			if settled := store.outcomes[detection.Superseded] + store.outcomes[detection.Delivered]; queued != 0 || outbox != 0 || settled != 2000 {
				t.Errorf("seed %d: %d queued, %d owed, %d of 2000 have an outcome", seed, queued, outbox, settled)
			}
			for track, id := range last {
				if !slices.Contains(tak.got, id) {
					t.Errorf("seed %d: the last one of %s did not arrive", seed, track)
				}
			}
			stop(t, p)
		})
	}
}

// TestTracksAfterARestart holds that a pod which finds a backlog in its queue sends only the newest of each track as well.
func TestTracksAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, tak := newMemoryStore(), &takServer{}
		queue := &memoryQueue{}
		for i := range 600 {
			d := ofTrack(fmt.Sprintf("track%d", i%3), i)
			d.ReceivedAt = time.Now().Add(time.Duration(i) * time.Millisecond)
			record := detection.Record{Detection: d, Deliver: true, Owner: "pod-a"}
			if err := store.Commit(t.Context(), []detection.Record{record}); err != nil {
				t.Fatal(err)
			}
			if err := queue.Put(t.Context(), []detection.Queued{{Record: record, Stored: true}}); err != nil {
				t.Fatal(err)
			}
		}
		store.alive["pod-a"] = true
		p := newPod(t, "pod-a", store, tak, withTracks(0), func(o *relay.Options) { o.Queue = queue })
		if _, outbox := p.settled(); outbox != 0 || len(tak.got) != 3 {
			t.Errorf("TAK got %d of 3, %d owed", len(tak.got), outbox)
		}
		stop(t, p)
	})
}
