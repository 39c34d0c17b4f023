package httpapi

import "time"

const (
	windowSlots  = 10
	slotDuration = 500 * time.Millisecond
)

// window counts events over the last 5 s or so. It has no lock.
type window struct {
	started time.Time
	newest  int64 // number of the slot that now lies in, since started
	counts  [windowSlots]int64
}

func (w *window) add(now time.Time) {
	w.advance(now)
	w.counts[w.newest%windowSlots]++
}

// perSecond is the mean rate over the window, or over the time since the start while that is shorter.
func (w *window) perSecond(now time.Time) float64 {
	w.advance(now)
	var sum int64
	for _, n := range w.counts {
		sum += n
	}
	elapsed := now.Sub(w.started)
	if w.newest >= windowSlots {
		elapsed -= time.Duration(w.newest-windowSlots+1) * slotDuration
	}
	return float64(sum) / max(elapsed, slotDuration).Seconds()
}

// advance empties the slots that are over. When the clock was set back it starts anew: what it counted has no time any more.
func (w *window) advance(now time.Time) {
	slot := int64(now.Sub(w.started) / slotDuration)
	if slot < w.newest || w.started.IsZero() {
		*w = window{started: now}
		return
	}
	for n := max(w.newest+1, slot-windowSlots+1); n <= slot; n++ {
		w.counts[n%windowSlots] = 0
	}
	w.newest = slot
}
