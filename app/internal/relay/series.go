package relay

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

const (
	// maxSeries bounds the series that are kept in mind, some 200 bytes each. What belongs to others is sent as it comes.
	maxSeries = 100_000
	// maxHeld bounds the records in memory whose series was sent just now.
	maxHeld = 4096
)

// sighting says which record of a series is the newer one.
type sighting struct {
	id         string
	receivedAt int64 // microseconds since 1970
}

func sightingOf(d *detection.Detection) sighting {
	return sighting{id: d.ID, receivedAt: d.ReceivedAt.UnixMicro()}
}

// after is a total order. Acceptance decides: a track knows more with each sighting, in whatever order they were made.
func (s sighting) after(other sighting) bool {
	if s.receivedAt != other.receivedAt {
		return s.receivedAt > other.receivedAt
	}
	return s.id > other.id
}

// series knows what is queued and what was sent of each series, a track as a rule. note is safe for concurrent use, the
// rest belongs to the goroutine that delivers.
type series struct {
	of    func(detection.Detection) string // nil: there are none
	every time.Duration

	mu         sync.Mutex
	newest     map[string]sighting // by series: the newest that is owed to TAK
	retracting map[string][]string // by series: ids of the retractions that are owed to TAK
	sent       map[string]sending  // by series: the newest that was sent

	held map[string]detection.Record // by series: what waits until it may be sent again
}

type sending struct {
	sighting
	at time.Time
}

func newSeries(of func(detection.Detection) string, every time.Duration) *series {
	return &series{
		of: of, every: every, newest: map[string]sighting{}, retracting: map[string][]string{},
		sent: map[string]sending{}, held: map[string]detection.Record{},
	}
}

func (s *series) name(d *detection.Detection) string {
	if s.of == nil {
		return ""
	}
	return s.of(*d)
}

// note takes in that a record is being queued.
func (s *series) note(d *detection.Detection) {
	name := s.name(d)
	if name == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.Retracts != "" {
		if !slices.Contains(s.retracting[name], d.ID) {
			s.retracting[name] = append(s.retracting[name], d.ID)
		}
		return
	}
	this := sightingOf(d)
	if sent, was := s.sent[name]; was && !this.after(sent.sighting) {
		return // it was sent already
	}
	known, ok := s.newest[name]
	if ok && this.after(known) || !ok && len(s.newest) < maxSeries {
		s.newest[name] = this
	}
}

// verdict is what is to be done with a record.
type verdict int

const (
	send      verdict = iota
	hold              // its series was sent just now
	supersede         // a newer one of its series is sent instead, or was sent
	expire            // it has waited for too long
)

// judge says what to do with a record that is not a retraction.
func (s *series) judge(d *detection.Detection, now time.Time) verdict {
	name := s.name(d)
	if name == "" {
		return send
	}
	this := sightingOf(d)
	s.mu.Lock()
	defer s.mu.Unlock()
	newest, pending := s.newest[name]
	sent, was := s.sent[name]
	switch {
	case pending && newest.after(this), was && sent.after(this):
		return supersede
	case s.due(name, now):
		return send
	}
	held, holding := s.held[name]
	if holding && sightingOf(&held.Detection).after(this) {
		return supersede
	}
	if !holding && len(s.held) >= maxHeld {
		return send
	}
	return hold
}

// due says that the series may be sent now, by a clock that may have been set back.
func (s *series) due(name string, now time.Time) bool {
	sent, was := s.sent[name]
	since := now.Sub(sent.at)
	return !was || since >= s.every || since < 0
}

// keep holds a record back, and returns the one that it takes the place of.
func (s *series) keep(record detection.Record) (older detection.Record, replaced bool) {
	name := s.name(&record.Detection)
	older, replaced = s.held[name]
	s.held[name] = record
	return older, replaced && older.Detection.ID != record.Detection.ID
}

// holds says that the record waits in memory for its time.
func (s *series) holds(d *detection.Detection) bool {
	held, ok := s.held[s.name(d)]
	return ok && held.Detection.ID == d.ID
}

// release takes out what is held of the series of d.
func (s *series) release(d *detection.Detection) (record detection.Record, ok bool) {
	name := s.name(d)
	record, ok = s.held[name]
	delete(s.held, name)
	return record, ok
}

// releaseDue takes out up to limit of the held records whose time has come, oldest first, and says when the next one's will.
func (s *series) releaseDue(now time.Time, limit int) (records []detection.Record, next time.Duration) {
	next = idlePoll
	for name, record := range s.held {
		if s.due(name, now) {
			records = append(records, record)
		} else {
			next = min(next, s.sent[name].at.Add(s.every).Sub(now))
		}
	}
	slices.SortFunc(records, func(a, b detection.Record) int {
		if sightingOf(&a.Detection).after(sightingOf(&b.Detection)) {
			return 1
		}
		return -1
	})
	if len(records) > limit {
		records, next = records[:limit], 0
	}
	for i := range records {
		delete(s.held, s.name(&records[i].Detection))
	}
	return records, next
}

// retracted says that a retraction of d's series is still owed to TAK.
func (s *series) retracted(d *detection.Detection) bool {
	name := s.name(d)
	if name == "" {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.retracting[name]) > 0
}

// settle takes in how a record ended.
func (s *series) settle(d *detection.Detection, outcome detection.Outcome, now time.Time) {
	name := s.name(d)
	if name == "" {
		return
	}
	if s.holds(d) {
		delete(s.held, name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.Retracts != "" {
		left := slices.DeleteFunc(s.retracting[name], func(id string) bool { return id == d.ID })
		if s.retracting[name] = left; len(left) == 0 {
			delete(s.retracting, name)
		}
		return
	}
	this := sightingOf(d)
	if s.newest[name] == this {
		delete(s.newest, name)
	}
	if outcome != detection.Delivered {
		return
	}
	if sent, was := s.sent[name]; was && sent.after(this) {
		this = sent.sighting
	}
	if _, was := s.sent[name]; was || len(s.sent) < maxSeries {
		s.sent[name] = sending{this, now}
	}
}

// forget takes in that a record will never be sent. There are few of them: it looks at every series.
func (s *series) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.newest, func(_ string, newest sighting) bool { return newest.id == id })
	for name, ids := range s.retracting {
		if slices.Contains(ids, id) {
			delete(s.retracting, name)
		}
	}
}

// tidy drops what says nothing any more. behind says that older records of any series may still be owed to TAK, and idle
// that none at all is.
func (s *series) tidy(now time.Time, behind, idle bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.sent {
		if s.due(name, now) && (!behind || len(s.sent) > maxSeries/2) {
			delete(s.sent, name)
		}
	}
	if idle {
		clear(s.newest)
		clear(s.retracting)
	}
}
