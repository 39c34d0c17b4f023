package relay_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// memoryStore is a Store in memory that can be switched off. Only what the relay uses does anything.
type memoryStore struct {
	mu      sync.Mutex
	down    bool
	full    bool
	order   []string
	records map[string]detection.Record
	outbox  map[string]string // id -> owner
	alive   map[string]bool
	dead    []string

	outcomes map[detection.Outcome]int
	refuse   string        // id of a record that is refused, and whatever comes with it
	slow     time.Duration // how long a Commit takes
	lag      time.Duration // how long after it the answer comes
	renewed  []time.Time
}

func newMemoryStore() *memoryStore {
	return &memoryStore{records: map[string]detection.Record{}, outbox: map[string]string{}, alive: map[string]bool{}, outcomes: map[detection.Outcome]int{}}
}

func (s *memoryStore) locked(f func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return detection.ErrUnavailable
	}
	f()
	return nil
}

// known is what RepeatOf is to be: the id, where the store has it, or the detection that has the key.
func (s *memoryStore) known(d detection.Detection) string {
	if _, ok := s.records[d.ID]; ok {
		return d.ID
	}
	if d.IdempotencyKey == "" {
		return ""
	}
	for id, r := range s.records {
		if r.Detection.IdempotencyKey == d.IdempotencyKey {
			return id
		}
	}
	return ""
}

func (s *memoryStore) Commit(ctx context.Context, records []detection.Record) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", detection.ErrUnavailable, ctx.Err())
	case <-time.After(s.slow):
	}
	for _, r := range records {
		if r.Detection.ID == s.refuse {
			return detection.Invalid("detection_id", "is refused")
		}
	}
	full := false
	err := s.locked(func() {
		if full = s.full; full {
			return
		}
		for i, r := range records {
			id := r.Detection.ID
			if records[i].RepeatOf = s.known(r.Detection); records[i].RepeatOf != "" {
				continue
			}
			s.records[id] = r
			s.order = append(s.order, id)
			if r.Deliver {
				s.outbox[id] = r.Owner
			}
		}
	})
	time.Sleep(s.lag)
	if full {
		return detection.ErrFull
	}
	return err
}

func (s *memoryStore) Acknowledge(_ context.Context, deliveries []detection.Delivery) error {
	return s.locked(func() {
		for _, d := range deliveries {
			if _, owed := s.outbox[d.ID]; !owed { // it was sent twice, which is harmless
				continue
			}
			s.outcomes[d.Outcome]++
			delete(s.outbox, d.ID)
			if d.Outcome == detection.DeadLettered {
				s.dead = append(s.dead, d.ID)
			}
		}
	})
}

func (s *memoryStore) Renew(_ context.Context, owner string, lease time.Duration) error {
	return s.locked(func() {
		s.alive[owner] = lease > 0
		s.renewed = append(s.renewed, time.Now())
	})
}

func (s *memoryStore) Claim(_ context.Context, owner, after string, limit int) (claimed []detection.Record, err error) {
	err = s.locked(func() {
		for _, id := range s.order {
			held, owed := s.outbox[id]
			if !owed || id <= after || len(claimed) == limit || (held != owner && s.alive[held]) {
				continue
			}
			s.outbox[id] = owner
			claimed = append(claimed, s.records[id])
		}
	})
	return claimed, err
}

func (s *memoryStore) Release(_ context.Context, owner string) error {
	return s.locked(func() {
		delete(s.alive, owner)
		for id, held := range s.outbox {
			if held == owner {
				s.outbox[id] = ""
			}
		}
	})
}

func (s *memoryStore) Get(_ context.Context, id string) (record detection.Record, err error) {
	err = s.locked(func() { record = s.records[id] })
	return record, err
}

func (s *memoryStore) Stats(context.Context) (stats detection.StoreStats, err error) {
	err = s.locked(func() {
		stats = detection.StoreStats{Detections: int64(len(s.records)), Outbox: int64(len(s.outbox)), DeadLetters: int64(len(s.dead))}
	})
	return stats, err
}

func (s *memoryStore) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

var errRefused = errors.New("connection refused")

// takServer is a TAK server that can be down, and can die in the middle of a window.
type takServer struct {
	mu       sync.Mutex
	down     bool
	dieAfter int // events of the next window that arrive before the connection breaks; 0: it does not break
	got      []string
	hangsUp  func(event string) bool // on such an event; nil: on none
	slow     time.Duration           // of each window
	refuses  func(event string) bool // says so of such an event; nil: of none
}

// refusal is what the server says of some events of a window.
type refusal map[int]string

func (r refusal) Error() string           { return "some are refused" }
func (r refusal) Refused() map[int]string { return r }

func (s *takServer) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// events are those that arrived so far.
func (s *takServer) events() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

// count says how many of the events that arrived begin so.
func (s *takServer) count(prefix string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range s.got {
		if strings.HasPrefix(id, prefix) {
			n++
		}
	}
	return n
}

func (s *takServer) unique() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := slices.Clone(s.got)
	slices.Sort(ids)
	return len(slices.Compact(ids))
}

func (s *takServer) Send(_ context.Context, events [][]byte) error {
	if len(events) > 0 {
		time.Sleep(s.slow)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	refused := refusal{}
	for i, event := range events {
		if s.dieAfter > 0 && i == s.dieAfter {
			s.dieAfter, s.down = 0, true
		}
		if s.down || s.hangsUp != nil && s.hangsUp(string(event)) {
			return errRefused
		}
		if s.refuses != nil && s.refuses(string(event)) {
			refused[i] = "does not like it"
			continue
		}
		s.got = append(s.got, string(event))
	}
	if len(refused) > 0 {
		return fmt.Errorf("send: %w", refused)
	}
	if s.down {
		return errRefused
	}
	return nil
}

func (s *takServer) Window() int           { return 64 }
func (s *takServer) Lost() <-chan struct{} { return nil }
func (s *takServer) Err() error            { return nil }
func (s *takServer) Close() error          { return nil }
