package httpapi

import "time"

const (
	windowSlots  = 10
	slotDuration = 500 * time.Millisecond
	// minBusy keeps a few quick commits from being taken for what the store can do.
	minBusy = 100 * time.Millisecond
)

// window sums what happened over the last 5 s or so. It has no lock.
type window struct {
	started time.Time
	newest  int64 // number of the slot that now lies in, since started
	slots   [windowSlots]slot
}

type slot struct {
	committed int
	busy      time.Duration // in which something was in progress
	waited    time.Duration // by all that was in progress, together
}

func (w *window) add(now time.Time, committed int, busy time.Duration, inProgress int) {
	w.advance(now)
	s := &w.slots[w.newest%windowSlots]
	s.committed += committed
	s.busy += busy
	s.waited += busy * time.Duration(inProgress)
}

// perSecond is the rate at which commits were made while there was something to commit. When that was all the time, crowd is how
// many were in progress on average, else 0.
func (w *window) perSecond(now time.Time) (rate, crowd float64) {
	w.advance(now)
	var sum slot
	for _, s := range w.slots {
		sum.committed += s.committed
		sum.busy += s.busy
		sum.waited += s.waited
	}
	rate = float64(sum.committed) / max(sum.busy, minBusy).Seconds()
	if sum.busy >= (windowSlots-1)*slotDuration {
		crowd = sum.waited.Seconds() / sum.busy.Seconds()
	}
	return rate, crowd
}

// advance empties the slots that are over. When the clock was set back it starts anew: what it summed has no time any more.
func (w *window) advance(now time.Time) {
	number := int64(now.Sub(w.started) / slotDuration)
	if number < w.newest || w.started.IsZero() {
		*w = window{started: now}
		return
	}
	for n := max(w.newest+1, number-windowSlots+1); n <= number; n++ {
		w.slots[n%windowSlots] = slot{}
	}
	w.newest = number
}
