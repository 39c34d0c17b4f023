package relay

import (
	"sync"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

const (
	// liveFor is how long what this pod has accepted is live: it goes to TAK before what waited longer, and the rate of the
	// backlog does not bind it.
	liveFor = time.Minute
	// maxLive bounds the live records in memory, some 2 KB each. What is beyond is in the queue.
	maxLive = 4096
)

// fresh is a record that this pod has just accepted.
type fresh struct {
	record detection.Record
	at     time.Time
}

// live is the lane of what this pod has just accepted, in that order. All of it is in the queue as well, where it is found
// again when this lane drops it. Its methods are safe for concurrent use.
type live struct {
	mu      sync.Mutex
	items   []fresh
	ids     map[string]struct{} // of the items, and of those that are being queued
	dropped bool                // the queue has something that was here
}

func newLive() *live { return &live{ids: map[string]struct{}{}} }

// expect says that the items are being queued, and are not to be looked for in the backlog.
func (l *live) expect(items []detection.Queued) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range items {
		if items[i].Record.Deliver {
			l.ids[items[i].Record.Detection.ID] = struct{}{}
		}
	}
}

// add takes the items in that were expected and are in the queue now.
func (l *live) add(items []detection.Queued, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range items {
		if _, expected := l.ids[items[i].Record.Detection.ID]; expected {
			l.items = append(l.items, fresh{items[i].Record, now})
		}
	}
	for len(l.items) > maxLive || len(l.items) > 0 && aged(l.items[0].at, now) {
		l.drop()
	}
}

// aged says that what came at a time is not live any more, by a clock that may have been set back.
func aged(at, now time.Time) bool {
	age := now.Sub(at)
	return age > liveFor || age < -liveFor
}

func (l *live) drop() {
	l.dropped = true
	delete(l.ids, l.items[0].record.Detection.ID)
	l.items = l.items[1:]
}

// next takes the first item out. ok is false when there is none.
func (l *live) next(now time.Time) (item fresh, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.items) > 0 {
		if aged(l.items[0].at, now) {
			l.drop()
			continue
		}
		item, l.items = l.items[0], l.items[1:]
		id := item.record.Detection.ID
		if _, here := l.ids[id]; here { // or it was sent from the queue
			delete(l.ids, id)
			return item, true
		}
	}
	return fresh{}, false
}

// putBack puts items back to where they came from.
func (l *live) putBack(items []fresh) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, item := range items {
		l.ids[item.record.Detection.ID] = struct{}{}
	}
	l.items = append(items[:len(items):len(items)], l.items...)
}

// has says that the record is to be sent from here.
func (l *live) has(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, here := l.ids[id]
	return here
}

// forget removes records: they were sent from the queue, or could not be queued.
func (l *live) forget(ids ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		delete(l.ids, id)
	}
}

// announce says that the queue has something that was never here.
func (l *live) announce() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropped = true
}

// takeDropped says whether something was dropped since the last call.
func (l *live) takeDropped() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	dropped := l.dropped
	l.dropped = false
	return dropped
}
