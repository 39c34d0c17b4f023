package tak

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Link is a way to one TAK server, whatever the transport. Its methods are safe for concurrent use; windows go one after the
// other. A link that is lost stays lost.
type Link interface {
	// Send delivers the events in order; Status().Mode() says what that means. After a *RefusedError all but the refused ones
	// are delivered; after any other error none counts as delivered, though all may have been.
	Send(ctx context.Context, events [][]byte) error
	// Window returns how many events the next Send should take at most.
	Window() int
	// Lost is closed as soon as the link is known to be lost.
	Lost() <-chan struct{}
	// Err returns why the link was lost, or nil while it is up.
	Err() error
	Status() Status
	Close() error
}

// RefusedError means that some events of a window will never be taken. All others of the window are delivered and the link
// is still up.
type RefusedError struct {
	Endpoint string
	Reasons  map[int]string // by the index in the window
}

func (e *RefusedError) Error() string {
	first := slices.Min(slices.Collect(maps.Keys(e.Reasons)))
	return fmt.Sprintf("%s refuses %d events; event %d of the window: %s", e.Endpoint, len(e.Reasons), first, e.Reasons[first])
}

// Refused returns Reasons, for callers that know only the method.
func (e *RefusedError) Refused() map[int]string { return e.Reasons }

// refusedOrNil returns the error of a window of which these were refused.
func refusedOrNil(endpoint string, reasons map[int]string) error {
	if len(reasons) == 0 {
		return nil
	}
	return &RefusedError{Endpoint: endpoint, Reasons: reasons}
}

// tether is what the links that are not a stream have in common: turns, an end with a reason, and a status.
type tether struct {
	now    func() time.Time
	hangUp func()        // closes what is below
	turn   chan struct{} // holds one token while a window is under way
	lost   chan struct{}
	closed sync.Once

	mu    sync.Mutex // guards state
	state Status
}

func newTether(now func() time.Time, addr string, mode Mode, hangUp func()) *tether {
	at := now()
	return &tether{
		now: now, hangUp: hangUp, turn: make(chan struct{}, 1), lost: make(chan struct{}),
		state: Status{Addr: addr, ConnectedAt: at, LastByteAt: at, fixed: mode},
	}
}

// begin waits for the turn. The caller calls end when it has had it.
func (t *tether) begin(ctx context.Context) (end func(), err error) {
	select {
	case <-t.lost:
		return nil, t.Err()
	default:
	}
	select {
	case t.turn <- struct{}{}:
		return func() { <-t.turn }, nil
	case <-t.lost:
		return nil, t.Err()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// fail ends the link for a reason and returns the reason for which it was ended first.
func (t *tether) fail(reason error) error {
	t.closed.Do(func() {
		t.note(func(s *Status) { s.Err = reason })
		close(t.lost)
		t.hangUp()
	})
	return t.Err()
}

func (t *tether) note(change func(*Status)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.state)
}

func (t *tether) wrote() { t.note(func(s *Status) { s.LastWriteAt = t.now() }) }
func (t *tether) heard() { t.note(func(s *Status) { s.LastByteAt = t.now() }) }

// Lost is closed as soon as the link is known to be lost.
func (t *tether) Lost() <-chan struct{} { return t.lost }

// Err returns why the link was lost, or nil while it is up.
func (t *tether) Err() error { return t.Status().Err }

// Status returns a snapshot.
func (t *tether) Status() Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state
}
