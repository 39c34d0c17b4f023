package relay_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/torture"
)

const (
	outage         = 7 * 24 * time.Hour
	outageEach     = 10 * time.Minute // between two detections, on average
	outagePoison   = 50               // one detection in so many cannot be encoded
	outageHangsUp  = 97               // the server hangs up on one in so many
	outageDeadLine = 24 * time.Hour   // for all to arrive after the outage
)

// outcome is where the detections of an outage are in the end.
type outcome struct{ accepted, delivered, dead, dropped int }

// event is a detection that is accepted during an outage.
type event struct {
	id      string
	at      time.Duration // since the outage began
	poison  bool          // it cannot be encoded
	refused bool          // the server hangs up on it
}

func drawEvents(random *rand.Rand) (events []event) {
	for at := time.Duration(0); at < outage; at += 1 + time.Duration(random.Int64N(int64(2*outageEach))) {
		events = append(events, event{
			id: fmt.Sprintf("id-%06d", len(events)), at: at,
			poison: random.IntN(outagePoison) == 0, refused: random.IntN(outageHangsUp) == 0,
		})
	}
	return events
}

// surviveOutage lives through a week without TAK with the relay, and mends it.
func surviveOutage(t *testing.T, events []event) (o outcome) {
	t.Helper()
	refused := map[string]bool{}
	store, tak := newMemoryStore(), &takServer{down: true}
	tak.hangsUp = func(id string) bool { return refused[id] }
	p := newPod(t, "pod-a", store, tak)
	began := time.Now()
	for _, e := range events {
		refused[e.id] = e.refused
	}
	for _, e := range events {
		time.Sleep(time.Until(began.Add(e.at)))
		d := detection.Detection{ID: e.id}
		if e.poison {
			d.ObjectClass = "poison"
		}
		if got, err := p.one(t.Context(), d); err != nil || got != detection.InStore {
			t.Fatalf("accept %s: %q, %v", e.id, got, err)
		}
	}
	time.Sleep(time.Until(began.Add(outage)))
	tak.set(func() { tak.down = false })
	time.Sleep(outageDeadLine)
	p.accept(t, len(events), 20, detection.InStore) // an event is only blamed when one behind it gets through
	time.Sleep(outageDeadLine)
	queued, outbox := p.settled()
	if queued != 0 || outbox != 0 {
		t.Errorf("%d queued, %d owed a day after the outage", queued, outbox)
	}
	stop(t, p)
	return where(store, tak, events)
}

func where(store *memoryStore, tak *takServer, events []event) outcome {
	o := outcome{accepted: len(events)}
	delivered, dead := map[string]bool{}, map[string]bool{}
	for _, id := range tak.got {
		delivered[id] = true
	}
	for _, id := range store.dead {
		dead[id] = true
	}
	for _, e := range events {
		switch bad := e.poison || e.refused; {
		case !bad && delivered[e.id]:
			o.delivered++
		case bad && dead[e.id]:
			o.dead++
		default: // also a sound one among the dead letters, or poison that counts as delivered
			o.dropped++
		}
	}
	return o
}

// giveUp lives through the same week with senders that try so often and then drop the event, and counts what is dropped.
func giveUp(events []event, tries int, interval time.Duration) (dropped int) {
	tak := &takServer{down: true}
	began := time.Now()
	var sending sync.WaitGroup
	for _, e := range events {
		time.Sleep(time.Until(began.Add(e.at)))
		sending.Go(func() {
			for n := 0; n < tries && tak.Send(context.Background(), [][]byte{[]byte(e.id)}) != nil; n++ {
				time.Sleep(interval)
			}
		})
	}
	time.Sleep(time.Until(began.Add(outage)))
	tak.set(func() { tak.down = false })
	sending.Wait()
	return len(events) - tak.unique()
}

// TestAWeekWithoutTAK accepts detections for seven days while TAK is away, some of which cannot be encoded and some of which
// make the server hang up. In the end each sound one has arrived, each other one is a dead letter, and none is dropped. The
// positive controls are the same week with what peers do by default.
func TestAWeekWithoutTAK(t *testing.T) {
	budget, long := torture.Budget(t)
	random, end := rand.New(rand.NewPCG(torture.Seed(t), 0)), time.Now().Add(budget)
	var sum outcome
	rounds, timedOut, received := 0, 0, 0
	for more := true; more && !t.Failed(); more = long && time.Now().Before(end) {
		events := drawEvents(random)
		synctest.Test(t, func(t *testing.T) {
			o := surviveOutage(t, events)
			sum.accepted += o.accepted
			sum.delivered += o.delivered
			sum.dead += o.dead
			sum.dropped += o.dropped
			timedOut += giveUp(events, 10, 30*time.Second) // the OpenTelemetry collector: 300 s, then the data is dropped
			received += giveUp(events, 3, 5*time.Second)   // goqite: a message is received three times, five seconds apart
		})
		rounds++
	}
	if sum.dropped > 0 || sum.dead == 0 || sum.delivered == 0 {
		t.Errorf("%+v; want none dropped", sum)
	}
	if timedOut == 0 || received == 0 {
		t.Errorf("the controls dropped %d and %d", timedOut, received)
	}
	torture.Report(t, torture.Result{
		What: "seven days without TAK, with poison, on a fake clock", Rounds: rounds, Acknowledged: sum.accepted, Lost: sum.dropped,
		Control: fmt.Sprintf("giving up after 300 s dropped %d, after 3 tries %d", timedOut, received),
		Notes:   fmt.Sprintf("%d delivered, %d dead letters", sum.delivered, sum.dead),
	})
}
