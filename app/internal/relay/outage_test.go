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
	"github.com/detection-api/detection-api/app/internal/relay"
	"github.com/detection-api/detection-api/app/internal/torture"
)

const (
	outage          = 7 * 24 * time.Hour
	outageEach      = 10 * time.Minute // between two detections
	outagePoison    = 50               // one detection in so many cannot be encoded
	outageHangsUp   = 97               // the server hangs up on one in so many
	outageDeadLine  = 24 * time.Hour   // for all to arrive after the outage
	giveUpAfter     = 5 * time.Minute  // retry.max_elapsed_time of the OpenTelemetry collector's exporters
	giveUpInterval  = 30 * time.Second // retry.max_interval of the same
	maxReceives     = 3                // of goqite, unless told otherwise
	receiveInterval = 5 * time.Second  // goqite's time-out of a message, unless told otherwise
)

// outcome is where the detections of an outage are in the end.
type outcome struct{ accepted, delivered, dead, dropped int }

// events draws what is accepted during an outage: which of it is poison, and at what offset.
type event struct {
	id      string
	at      time.Duration
	poison  bool
	refused bool
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
		time.Sleep(time.Until(began.Add(e.at)))
		d := detection.Detection{ID: e.id}
		if e.poison {
			d.ObjectClass = "poison"
		}
		refused[e.id] = e.refused && !e.poison
		if got, err := p.Accept(t.Context(), d); err != nil || got != detection.InStore {
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

// giveUp retries each event as the OpenTelemetry collector's exporters do, and counts those that it drops.
func giveUp(events []event) (dropped int) {
	for _, e := range events {
		tried := e.at
		for tried-e.at < giveUpAfter && tried < outage {
			tried += giveUpInterval
		}
		if tried < outage {
			dropped++
		}
	}
	return dropped
}

// receiveThrice hands each event out as a queue with a limit of receives does, and counts those that it keeps from its user.
func receiveThrice(events []event) (dropped int) {
	for _, e := range events {
		if e.at+maxReceives*receiveInterval < outage {
			dropped++
		}
	}
	return dropped
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
		})
		timedOut += giveUp(events)
		received += receiveThrice(events)
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
		Control: fmt.Sprintf("a model of giving up after %v drops %d, one of %d receives %d", giveUpAfter, timedOut, maxReceives, received),
		Notes:   fmt.Sprintf("%d delivered, %d dead letters", sum.delivered, sum.dead),
	})
}
