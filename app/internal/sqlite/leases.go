package sqlite

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// steady is time that only passes, whatever the clock is set to. With time.Now it is the system's monotonic clock; with a
// clock that has no such reading, a step back counts as nothing, and a step forward as time.
type steady struct {
	now func() time.Time

	mu     sync.Mutex
	last   time.Time
	passed time.Duration
}

// elapsed is how much time has passed since the first call.
func (s *steady) elapsed() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if d := now.Sub(s.last); d > 0 && !s.last.IsZero() {
		s.passed += d
	}
	s.last = now
	return s.passed
}

// leases says which owners are alive. A lease is measured in time that passes here, never by the wall clock: a clock that is
// set back must not keep the rows of a vanished pod, and where one lease ends nobody else's does. Only the writer's
// goroutine uses it. When a transaction fails it may know a lease that the table does not: that one is only not kept over a
// restart.
type leases struct {
	clock *steady
	ends  map[string]time.Duration
}

func newLeases(clock *steady) *leases { return &leases{clock: clock, ends: map[string]time.Duration{}} }

func (l *leases) renew(owner string, lease time.Duration) { l.ends[owner] = l.clock.elapsed() + lease }

func (l *leases) live() []string {
	names, now := []string{}, l.clock.elapsed()
	for name, end := range l.ends {
		if end > now {
			names = append(names, name)
		}
	}
	return names
}

// forget returns the owners whose lease has ended and knows them no more.
func (l *leases) forget() []string {
	var names []string
	now := l.clock.elapsed()
	for name, end := range l.ends {
		if end <= now {
			names = append(names, name)
			delete(l.ends, name)
		}
	}
	return names
}

// Renew implements detection.Store. It forgets owners whose lease has ended.
func (s *Store) Renew(ctx context.Context, owner string, lease time.Duration) error {
	if owner == "" {
		return detection.Invalid("owner", "must not be empty")
	}
	return s.change(ctx, "renew lease of "+owner, func() error {
		s.leases.renew(owner, lease)
		for _, gone := range s.leases.forget() {
			if _, err := s.execute(`DELETE FROM owners WHERE owner = ?`, gone); err != nil {
				return err
			}
		}
		if lease <= 0 {
			_, err := s.execute(`DELETE FROM owners WHERE owner = ?`, owner)
			return err
		}
		_, err := s.execute(`INSERT INTO owners (owner, lease_until, lease) VALUES (?, ?, ?)
			ON CONFLICT (owner) DO UPDATE SET lease_until = excluded.lease_until, lease = excluded.lease`,
			owner, s.now().Add(lease).UnixMicro(), lease.Microseconds())
		return err
	})
}

// Release implements detection.Store.
func (s *Store) Release(ctx context.Context, owner string) error {
	return s.change(ctx, "release rows of "+owner, func() error {
		delete(s.leases.ends, owner)
		if _, err := s.execute(`DELETE FROM owners WHERE owner = ?`, owner); err != nil {
			return err
		}
		_, err := s.execute(`UPDATE outbox SET owner = '' WHERE owner = ?`, owner)
		return err
	})
}

// keepLeases gives the owners who were alive when the store went down a lease again. They could not renew it meanwhile.
func (s *Store) keepLeases(ctx context.Context, grace time.Duration) error {
	return s.change(ctx, "read leases", func() error {
		rows, err := s.file.writer.conn.QueryContext(context.Background(), `SELECT owner, lease FROM owners`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var (
				owner string
				lease int64 // microseconds
			)
			if err := rows.Scan(&owner, &lease); err != nil {
				return fmt.Errorf("read an owner: %w", err)
			}
			s.leases.renew(owner, max(grace, time.Duration(lease)*time.Microsecond))
		}
		return rows.Err()
	})
}

// change runs rare statements in the writer's next transaction.
func (s *Store) change(ctx context.Context, doing string, run func() error) error {
	return translate(doing, detection.ErrUnavailable, s.file.writer.do(ctx, &op{rows: 1, bytes: rowOverheadBytes, run: run}))
}

// execute runs one statement that is too rare to be prepared, inside the writer's transaction, and returns how many rows it
// changed.
func (s *Store) execute(text string, args ...any) (int64, error) {
	return changed(s.file.writer.conn.ExecContext(context.Background(), text, args...))
}
