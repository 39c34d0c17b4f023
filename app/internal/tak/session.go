package tak

import (
	"context"
	"errors"
	"sync"
	"time"
)

// session is the Link that a Dialer gives: a link to one endpoint and, while that is not the first, a search for a better
// one, to which it moves between two windows.
type session struct {
	dialer *Dialer
	turn   chan struct{} // holds one token while a window is under way or the link is exchanged
	lost   chan struct{}
	cancel context.CancelFunc
	watch  sync.WaitGroup

	mu     sync.Mutex // guards what follows
	link   Link
	n      int  // its endpoint
	tried  bool // a window was sent over it
	proven bool // a window got through
}

// newSession is called with the dialer's lock held.
func newSession(d *Dialer, link Link, n int) *session {
	ctx, cancel := context.WithCancel(context.Background())
	s := &session{dialer: d, turn: make(chan struct{}, 1), lost: make(chan struct{}), cancel: cancel, link: link, n: n}
	s.watch.Go(func() {
		defer close(s.lost)
		s.follow(ctx)
		s.tellEnd()
	})
	return s
}

func (s *session) present() (Link, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link, s.n
}

// Send implements Link.
func (s *session) Send(ctx context.Context, events [][]byte) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return &Error{Op: opSend, Retryable: true, Err: context.Cause(ctx)}
	}
	link, n := s.present()
	s.mu.Lock()
	s.tried = true
	s.mu.Unlock()
	err := link.Send(ctx, events)
	var refused *RefusedError
	if err == nil || errors.As(err, &refused) {
		s.mu.Lock()
		s.proven = true
		s.mu.Unlock()
		s.dialer.worked(n, link.Status())
	}
	return err
}

// follow returns when the link is lost or ctx ends. Meanwhile it moves to better endpoints.
func (s *session) follow(ctx context.Context) {
	for {
		link, n := s.present()
		var again <-chan time.Time
		if n > 0 {
			again = time.After(s.dialer.opts.ReturnAfter)
		}
		select {
		case <-link.Lost():
			return
		case <-ctx.Done():
			return
		case <-again:
			s.climb(ctx, link, n)
		}
	}
}

// climb tries the endpoints before n and moves to the first that takes a link, unless the present one is lost meanwhile.
func (s *session) climb(ctx context.Context, link Link, n int) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type found struct {
		link Link
		n    int
	}
	better := make(chan found, 1)
	go func() {
		link, n, err := s.dialer.first(ctx, s.dialer.order(n))
		if err == nil && hangs(link) {
			_ = link.Close() // nothing was sent over it
			s.dialer.failed(n, ErrSilent)
			link = nil
		}
		better <- found{link, n}
	}()
	var f found
	select {
	case f = <-better:
	case <-link.Lost():
		cancel()
		if f = <-better; f.link != nil {
			_ = f.link.Close() // nothing was sent over it
		}
		return
	}
	if f.link != nil {
		s.move(ctx, f.link, f.n)
	}
}

// hangs tells whether the server took the connection but does not answer a ping, as it once did.
func hangs(link Link) bool {
	status := link.Status()
	return status.Answered && status.LastPongAt.IsZero()
}

// move exchanges the link when no window is under way.
func (s *session) move(ctx context.Context, link Link, n int) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		_ = link.Close() // nothing was sent over it
		return
	}
	s.mu.Lock()
	old := s.link
	s.link, s.n, s.tried, s.proven = link, n, false, false
	s.mu.Unlock()
	<-s.turn
	_ = old.Close() // what it was sent is confirmed
	s.dialer.opts.Conn.Logger.Info("back at a better TAK endpoint", "component", "tak", "endpoint", s.dialer.sites[n].String())
}

// tellEnd tells the dialer of an endpoint that hangs, or that took a link and then no window. One that has worked until now
// is tried first again.
func (s *session) tellEnd() {
	s.mu.Lock()
	link, n, inVain := s.link, s.n, s.tried && !s.proven
	s.mu.Unlock()
	err := link.Err()
	if err == nil || errors.Is(err, ErrClosed) || errors.Is(err, context.Canceled) {
		return
	}
	var e *Error
	asked := errors.As(err, &e) && e.RetryAfter > 0
	if inVain || asked || errors.Is(err, ErrSilent) || errors.Is(err, ErrUnconfirmed) {
		s.dialer.failed(n, err)
		return
	}
	s.dialer.noteLoss(n, err)
}

// Window implements Link.
func (s *session) Window() int {
	link, _ := s.present()
	return link.Window()
}

// Lost implements Link.
func (s *session) Lost() <-chan struct{} { return s.lost }

// Err implements Link.
func (s *session) Err() error { return s.Status().Err }

// Status implements Link.
func (s *session) Status() Status {
	link, _ := s.present()
	return link.Status()
}

// Close implements Link.
func (s *session) Close() error {
	s.cancel()
	s.watch.Wait()
	s.dialer.leave(s)
	link, _ := s.present()
	return link.Close()
}
