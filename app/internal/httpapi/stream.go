package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

const (
	streamPath  = apiPath + "/stream"
	mediaEvents = "text/event-stream"
	// heartbeat keeps a quiet stream from looking dead to proxies, most of which give up after 60 s, and finds out clients
	// that have gone.
	heartbeat = 15 * time.Second
	// streamWriteTimeout is how long a client may take what is sent. It holds nothing but its connection meanwhile, and finds
	// its place again by Last-Event-ID.
	streamWriteTimeout = 10 * time.Second
	reconnectDelay     = 3 * time.Second // of clients, told to them
)

// errStreams refuses a stream beyond what the service has room for.
var errStreams = &detection.Error{Code: detection.CodeOverloaded, Message: "too many streams are open; try again later"}

// stream is one client that follows the record.
type stream struct {
	api       *api
	x         *exchange
	control   *http.ResponseController
	selection detection.Query
	position  int64 // up to which the client has what it selects
}

// streamDetections sends what comes into the record as server-sent events, from now on or after a position.
func (a *api) streamDetections(x *exchange, r *http.Request) error {
	if choose(r.Header.Values(headerAccept), mediaEvents) == "" {
		return notAcceptable(mediaEvents)
	}
	s := &stream{api: a, x: x, control: http.NewResponseController(x)}
	after, resumes, err := s.read(r)
	if err != nil {
		return err
	}
	if a.streams.Add(1) > int64(a.MaxStreams) {
		a.streams.Add(-1)
		return errStreams
	}
	defer a.streams.Add(-1)
	newest, err := a.Catalogue.Last(r.Context())
	if err != nil {
		return err
	}
	s.position = newest
	if resumes {
		s.position = min(after, newest)
	}
	if err := s.begin(r.Method == http.MethodHead); err != nil || r.Method == http.MethodHead {
		return err
	}
	a.follower.join(newest)
	defer a.follower.leave()
	return s.run(r.Context())
}

// read returns after which position the client wants to go on. What its browser remembers counts more than the address,
// which stays the same when it connects again.
func (s *stream) read(r *http.Request) (after int64, resumes bool, err error) {
	q := queryOf(r)
	s.selection = q.filter()
	after, resumes = q.since()
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		after, err = strconv.ParseInt(last, 10, 64)
		if err != nil || after < 0 {
			q.refuse("Last-Event-ID", "must be the id of an event of this stream")
		}
		resumes = true
	}
	return after, resumes, q.finish()
}

func (s *stream) begin(headOnly bool) error {
	header := s.x.Header()
	header.Set(headerContentType, mediaEvents)
	header.Set(headerCacheControl, "no-store")
	header.Set("X-Accel-Buffering", "no") // for nginx, which would keep events back
	s.x.WriteHeader(http.StatusOK)
	if headOnly {
		return nil
	}
	return s.send(fmt.Appendf(nil, "retry: %d\n\n", reconnectDelay.Milliseconds()))
}

// run sends until the client is gone, its token has ended or the service stops.
func (s *stream) run(ctx context.Context) error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	var expired <-chan time.Time
	if at := s.x.identity.ExpiresAt; !at.IsZero() {
		expired = time.After(at.Sub(s.api.Now()))
	}
	for {
		wake, err := s.catchUp(ctx)
		if err != nil {
			return ignoreGone(err)
		}
		select {
		case <-wake:
		case <-beat.C:
			err = s.send(fmt.Appendf(nil, ": heartbeat\nid: %d\n\n", s.position))
		case <-expired:
			return s.end("token_expired")
		case <-s.api.Stopping:
			return s.end("shutdown")
		case <-ctx.Done():
			return nil
		}
		if err != nil {
			return ignoreGone(err)
		}
	}
}

// end says why, as far as the client still listens.
func (s *stream) end(reason string) error {
	return ignoreGone(s.send(fmt.Appendf(nil, "event: end\ndata: {\"reason\":%q}\n\n", reason)))
}

// catchUp sends all that there is and returns what is closed when there may be more.
func (s *stream) catchUp(ctx context.Context) (<-chan struct{}, error) {
	for !s.over(ctx) {
		events, to, behind, wake := s.api.follower.after(s.position)
		if !behind {
			return wake, s.sendAll(events, to)
		}
		entries, err := s.api.Catalogue.Follow(ctx, s.position, followLimit, 0)
		switch {
		case errors.Is(err, detection.ErrUnavailable):
			return closedLater(), nil
		case err != nil && ctx.Err() == nil:
			return nil, err
		case len(entries) == 0: // what was there has been removed
			s.position = to
			continue
		}
		if err := s.sendAll(eventsOf(entries, s.api.Logger), entries[len(entries)-1].Seq); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// over says that there is no need to catch up any more. Why is found out by run.
func (s *stream) over(ctx context.Context) bool {
	select {
	case <-s.api.Stopping:
		return true
	default:
	}
	at := s.x.identity.ExpiresAt
	return ctx.Err() != nil || !at.IsZero() && !s.api.Now().Before(at)
}

func closedLater() <-chan struct{} {
	c := make(chan struct{})
	time.AfterFunc(followRetry, func() { close(c) })
	return c
}

func (s *stream) sendAll(events []event, to int64) error {
	sent := false
	for _, e := range events {
		if !selects(&s.selection, e.detection) {
			continue
		}
		if err := s.write(e.text); err != nil {
			return err
		}
		s.position, sent = e.seq, true
	}
	s.position = to
	if !sent {
		return nil
	}
	return s.flush()
}

func (s *stream) send(text []byte) error {
	if err := s.write(text); err != nil {
		return err
	}
	return s.flush()
}

// goneError says that the client has hung up or takes nothing: no fault of ours, and nobody is left to tell.
type goneError struct{ error }

func ignoreGone(err error) error {
	if errors.As(err, &goneError{}) {
		return nil
	}
	return err
}

func (s *stream) write(text []byte) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(streamWriteTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return goneError{err}
	}
	if _, err := s.x.Write(text); err != nil {
		return goneError{err}
	}
	return nil
}

func (s *stream) flush() error {
	if err := s.control.Flush(); err != nil {
		return goneError{err}
	}
	return nil
}
