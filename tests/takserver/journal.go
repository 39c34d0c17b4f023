package takserver

import (
	"maps"
	"sync"
	"time"
)

// maxUIDs bounds the uids that are told apart. Beyond, an event counts in Total only.
const maxUIDs = 1_000_000

// Counts are what came since the start or the last reset. Pings and hellos are not in Total.
type Counts struct {
	Unique    int `json:"unique"`    // distinct uids
	Total     int `json:"total"`     // events, repeated ones included
	Malformed int `json:"malformed"` // not an event, or one without what every event must have
	Problems  int `json:"problems"`  // events with Event.Problems
	Truncated int `json:"truncated"` // connections that ended within an event
	Dropped   int `json:"dropped"`   // events that are not kept any more
	Pings     int `json:"pings"`
	Hellos    int `json:"hellos"`

	Connections int `json:"connections"` // open now
	Accepted    int `json:"accepted"`    // since the start
}

// journal keeps the last events in a ring.
type journal struct {
	now func() time.Time
	max int

	mu     sync.Mutex
	ring   []Event
	seq    int // of the last event
	first  int // the number that the first event after the last reset has
	uids   map[string]int
	counts Counts
}

func newJournal(limit int, now func() time.Time) *journal {
	return &journal{now: now, max: limit, first: 1, uids: map[string]int{}}
}

func (j *journal) add(e Event) Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seq++
	j.counts.Total++
	if len(e.Problems) > 0 {
		j.counts.Problems++
	}
	if _, known := j.uids[e.UID]; known || len(j.uids) < maxUIDs {
		j.uids[e.UID]++
	}
	e.Seq, e.ReceivedAt, e.Count = j.seq, j.now().UTC(), j.uids[e.UID]
	e.First = e.Count == 1
	if len(j.ring) < j.max {
		j.ring = append(j.ring, e)
		return e
	}
	j.ring[(j.seq-j.first)%j.max] = e
	j.counts.Dropped++
	return e
}

func (j *journal) since(since int) []Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	oldest := j.seq - len(j.ring) + 1
	from := max(oldest, since+1)
	events := make([]Event, 0, max(0, j.seq-from+1))
	for seq := from; seq <= j.seq; seq++ {
		events = append(events, j.ring[(seq-j.first)%j.max])
	}
	return events
}

func (j *journal) uidCounts() map[string]int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.uids)
}

func (j *journal) snapshot() Counts {
	j.mu.Lock()
	defer j.mu.Unlock()
	counts := j.counts
	counts.Unique = len(j.uids)
	return counts
}

func (j *journal) reset() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ring, j.uids, j.counts, j.first = nil, map[string]int{}, Counts{}, j.seq+1
}

func (j *journal) malformed() { j.count(func(c *Counts) { c.Malformed++ }) }
func (j *journal) truncated() { j.count(func(c *Counts) { c.Truncated++ }) }
func (j *journal) ping()      { j.count(func(c *Counts) { c.Pings++ }) }
func (j *journal) hello()     { j.count(func(c *Counts) { c.Hellos++ }) }

func (j *journal) count(change func(*Counts)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change(&j.counts)
}
