package httpapi

import (
	"sync"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// errOverloaded refuses a detection that would have to wait too long for its commit.
var errOverloaded = &detection.Error{
	Code: detection.CodeOverloaded, Message: "more detections come in than can be stored; try again after the time in Retry-After",
}

// admission bounds the detections that are being committed. By Little's law what is in progress, divided by the rate at
// which it is committed, is the time it takes: so no more than the measured rate times the wait that is aimed at is let
// in. The rate is that of the times in which there was something to commit, since in between nothing is measured. It counts from the end of the body on: a slow upload waits for nobody here, and its bytes are bounded elsewhere.
type admission struct {
	targetWait time.Duration // 0: no bound
	floor      int
	now        func() time.Time

	mu         sync.Mutex
	inProgress int
	measured   window
	until      time.Time // to which it was measured
}

// full says that a detection would be refused now, so that its body need not be read.
func (a *admission) full() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.isFull()
}

// enter reserves a place for each of n detections, which leave gives back, or reports that there is none. Those of a batch
// are let in together when there is room for one: they are committed in one group, and a large batch would never find room
// for all of it beside others.
func (a *admission) enter(n int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.isFull() {
		return false
	}
	a.measure(0)
	a.inProgress += n
	return true
}

// leave gives the places of n detections back, of which so many were committed.
func (a *admission) leave(n, committed int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.measure(committed)
	a.inProgress -= n
}

// measure notes commits, and that it was busy until now if anything was in progress.
func (a *admission) measure(committed int) (now time.Time) {
	now = a.now()
	busy := time.Duration(0)
	if a.inProgress > 0 {
		busy = max(0, now.Sub(a.until))
	}
	a.measured.add(now, committed, busy, a.inProgress)
	a.until = now
	return now
}

func (a *admission) isFull() bool {
	return a.targetWait > 0 && a.inProgress >= a.limit()
}

// limit is never less than the floor: an idle service has no rate to go by, and one that commits groups needs some company
// in each to be fast at all. When a crowd has waited for as long as it is measured the rate is to be trusted, and much less
// will do: while a group takes less than the target, the limit grows by itself. Something in progress all the time is not
// enough for that: it may be one quick detection after the other, and then a pause of the disk.
func (a *admission) limit() int {
	rate, crowd := a.measured.perSecond(a.measure(0))
	floor := a.floor
	if few := max(1, floor/8); crowd >= float64(few) {
		floor = few
	}
	return max(floor, int(rate*a.targetWait.Seconds()))
}

// state is what the metrics show: the limit, 0 for none, and what is in progress.
func (a *admission) state() (limit, inProgress int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.targetWait > 0 {
		limit = a.limit()
	}
	return limit, a.inProgress
}
