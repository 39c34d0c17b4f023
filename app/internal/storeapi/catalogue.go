package storeapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
)

var _ detection.Catalogue = (*Client)(nil)

const (
	// maxWait bounds how long one request of Follow waits at the server; the client asks again.
	maxWait = 20 * time.Second
	// maxFollowers wait at the server at most. They do not count among the calls in flight, as they take no work.
	maxFollowers = 256
)

// findRequest is a detection.Query as JSON.
type findRequest struct {
	Within    *[4]float64 `json:"within,omitempty"` // west, south, east, north
	From      time.Time   `json:"from,omitzero"`
	Until     time.Time   `json:"until,omitzero"`
	Class     string      `json:"class,omitempty"`
	Camera    string      `json:"camera,omitempty"`
	Flag      string      `json:"flag,omitempty"`
	Track     string      `json:"track,omitempty"`
	Retracted bool        `json:"retracted,omitempty"`
	Before    int64       `json:"before,omitempty"`
	Limit     int         `json:"limit"`
}

type entriesResponse struct {
	Entries []detection.Entry `json:"entries"`
}

type lastResponse struct {
	Seq int64 `json:"seq"`
}

func (r findRequest) query() detection.Query {
	q := detection.Query{
		From: r.From, Until: r.Until, Class: r.Class, Camera: r.Camera, Flag: geo.Flag(r.Flag), Track: r.Track, Retracted: r.Retracted,
	}
	if w := r.Within; w != nil {
		q.Within = &detection.Box{West: w[0], South: w[1], East: w[2], North: w[3]}
	}
	return q
}

// routeCatalogue adds the calls that look through the record, when the store has them.
func (s *server) routeCatalogue(mux *http.ServeMux) {
	catalogue := s.opts.Catalogue
	if catalogue == nil {
		return
	}
	mux.Handle("POST "+pathFind, s.guard(call(func(ctx context.Context, in findRequest) (entriesResponse, error) {
		entries, err := catalogue.Find(ctx, in.query(), in.Before, min(in.Limit, maxClaim))
		return entriesResponse{entries}, err
	})))
	mux.Handle("GET "+pathLast, s.guard(func(r *http.Request) (any, error) {
		seq, err := catalogue.Last(r.Context())
		return lastResponse{seq}, err
	}))
	mux.Handle("GET "+pathTrail, s.guard(func(r *http.Request) (any, error) {
		entries, err := catalogue.Trail(r.Context(), r.URL.Query().Get("id"))
		return auditResponse{entries}, err
	}))
	followers := make(chan struct{}, maxFollowers)
	mux.Handle("GET "+pathFollow, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.follow(w, r, followers) }))
}

// follow is guard for a call that waits: it has a time of its own, and room of its own.
func (s *server) follow(w http.ResponseWriter, r *http.Request, followers chan struct{}) {
	if !s.authorized(r) {
		s.refuse(w, r, &detection.Error{Code: detection.CodeUnauthorized, Message: "a valid store token is needed"})
		return
	}
	var in [3]int64
	for i, name := range [...]string{"after", "limit", "wait_ms"} {
		var err error
		if in[i], err = number(r, name); err != nil {
			s.refuse(w, r, err)
			return
		}
	}
	select {
	case followers <- struct{}{}:
		defer func() { <-followers }()
	default:
		s.refuse(w, r, &detection.Error{Code: detection.CodeUnavailable, Message: "too many follow the record"})
		return
	}
	wait := min(time.Duration(min(in[2], maxWait.Milliseconds()))*time.Millisecond, maxWait)
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(wait + s.opts.Timeout)) // the server's is for small calls
	ctx, cancel := context.WithTimeout(r.Context(), wait+s.opts.Timeout)
	defer cancel()
	entries, err := s.opts.Catalogue.Follow(ctx, in[0], int(min(in[1], maxClaim)), wait)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.answer(w, entriesResponse{entries})
}

// Find implements detection.Catalogue. The store returns at most 10,000 entries a call.
func (c *Client) Find(ctx context.Context, q detection.Query, before int64, limit int) ([]detection.Entry, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	if limit <= 0 {
		return nil, nil
	}
	in := findRequest{
		From: q.From, Until: q.Until, Class: q.Class, Camera: q.Camera, Flag: string(q.Flag), Track: q.Track, Retracted: q.Retracted,
		Before: before, Limit: limit,
	}
	if b := q.Within; b != nil {
		in.Within = &[4]float64{b.West, b.South, b.East, b.North}
	}
	var out entriesResponse
	err := c.post(ctx, "find in the store", pathFind, in, &out)
	return out.Entries, searchable(err)
}

// Follow implements detection.Catalogue. The store returns at most 10,000 entries a call.
func (c *Client) Follow(ctx context.Context, after int64, limit int, wait time.Duration) ([]detection.Entry, error) {
	if limit <= 0 {
		return nil, nil
	}
	end := time.Now().Add(wait)
	for {
		left := min(max(time.Until(end), 0), maxWait)
		query := url.Values{
			"after": {strconv.FormatInt(after, 10)}, "limit": {strconv.Itoa(limit)}, "wait_ms": {strconv.FormatInt(left.Milliseconds(), 10)},
		}
		var out entriesResponse
		began := time.Now()
		err := c.sendWithin(ctx, left+c.timeout, http.MethodGet, pathFollow+"?"+query.Encode(), nil, &out)
		if err != nil {
			return nil, fmt.Errorf("follow the store: %w", searchable(err))
		}
		early := time.Since(began) < left/2 // the store is about to stop
		if len(out.Entries) > 0 || early || time.Until(end) < time.Millisecond {
			return out.Entries, nil
		}
	}
}

// Last implements detection.Catalogue.
func (c *Client) Last(ctx context.Context) (int64, error) {
	var out lastResponse
	if err := c.send(ctx, http.MethodGet, pathLast, nil, &out); err != nil {
		return 0, fmt.Errorf("read the store's newest position: %w", searchable(err))
	}
	return out.Seq, nil
}

// Trail implements detection.Catalogue.
func (c *Client) Trail(ctx context.Context, id string) ([]detection.AuditEntry, error) {
	var out auditResponse
	if err := c.send(ctx, http.MethodGet, pathTrail+"?"+url.Values{"id": {id}}.Encode(), nil, &out); err != nil {
		return nil, fmt.Errorf("read a trail of the store: %w", searchable(err))
	}
	return out.Entries, nil
}

// searchable says so when the store does not have the call: it is of a release before.
func searchable(err error) error {
	if errors.Is(err, errNoSuchCall) {
		return &detection.Error{
			Code: detection.CodeUnavailable, Message: "the store is of an older release, in which nothing can be searched; update it",
			Err: err,
		}
	}
	return err
}
