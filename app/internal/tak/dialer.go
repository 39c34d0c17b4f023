package tak

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// DefaultReturnAfter is how long an endpoint that failed is passed over, and how often better ones than the present are tried.
const DefaultReturnAfter = time.Minute

// DialerOptions say where events can be sent, in order of preference, and as whom.
type DialerOptions struct {
	Endpoints []Endpoint // at least one
	TLS       TLSOptions
	// Method is that of HTTP requests, PUT or POST; empty means PUT.
	Method string
	// ReturnAfter is how long an endpoint that failed is passed over while another one serves. 0 means DefaultReturnAfter.
	ReturnAfter time.Duration
	// Conn has what all connections have in common. Addr, TLS, Window and ExpectPong are set for each.
	Conn Options
}

// Dialer opens links to the first of several endpoints that takes one. Its methods are safe for concurrent use.
type Dialer struct {
	opts        DialerOptions
	credentials *credentials // nil when no endpoint is secure

	mu       sync.Mutex // guards what follows
	sites    []site
	current  *session
	dialling int
	attempts int64
	failures int64
	lastErr  error
	failedAt time.Time
}

// site is what is known of an endpoint.
type site struct {
	Endpoint
	answers bool      // pings; remembered, so that one that hangs later is not taken for one that never does
	rests   time.Time // until then it is tried only after the others
	away    time.Time // until then it is not tried at all, because it said so
	lastErr error     // nil once it works again
}

// isAway tells whether the server asked to be left alone until later. A clock that jumped back does not make that longer.
func (s *site) isAway(now time.Time) bool {
	return now.Before(s.away) && s.away.Sub(now) <= maxRetryAfter
}

// NewDialer makes a Dialer. The error, an *Error, is about the options themselves; Check looks at the files.
func NewDialer(opts DialerOptions) (*Dialer, error) {
	if len(opts.Endpoints) == 0 {
		return nil, &Error{Op: opConnect, Err: errors.New("no endpoint"), Hint: "give at least one"}
	}
	opts.ReturnAfter = cmp.Or(opts.ReturnAfter, DefaultReturnAfter)
	opts.Method = cmp.Or(opts.Method, http.MethodPut)
	if opts.Method != http.MethodPut && opts.Method != http.MethodPost {
		return nil, &Error{Op: "configure HTTP", Err: fmt.Errorf("the method %q", opts.Method), Hint: "use PUT or POST"}
	}
	if err := opts.TLS.check(); err != nil {
		return nil, err
	}
	opts.Conn = opts.Conn.withDefaults()
	d := &Dialer{opts: opts}
	for _, endpoint := range opts.Endpoints {
		d.sites = append(d.sites, site{Endpoint: endpoint, answers: endpoint.Answers})
		if endpoint.secure() && d.credentials == nil {
			d.credentials = &credentials{opts: opts.TLS, log: opts.Conn.Logger.With("component", "tak"), now: opts.Conn.Now}
		}
	}
	return d, nil
}

// Check reads the TLS files and returns an *Error when they are no good. Dial does so each time.
func (d *Dialer) Check() error {
	if d.credentials == nil {
		return nil
	}
	return d.credentials.refresh()
}

// Dial opens a link to the first endpoint that takes one: those that failed of late come last. When it is not the first of
// all, better ones are tried behind the link from time to time, and it moves there between two windows. The error has the
// reason of each endpoint.
func (d *Dialer) Dial(ctx context.Context) (Link, error) {
	d.mu.Lock()
	d.dialling++
	d.mu.Unlock()
	link, n, err := d.first(ctx, d.order(len(d.sites)))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dialling--
	if err != nil {
		return nil, err
	}
	d.current = newSession(d, link, n)
	return d.current, nil
}

// order returns the endpoints before the limit that may be tried now.
func (d *Dialer) order(limit int) []int {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.opts.Conn.Now()
	var fresh, resting []int
	for n := range d.sites[:limit] {
		switch s := &d.sites[n]; {
		case s.isAway(now):
		case now.Before(s.rests):
			resting = append(resting, n)
		default:
			fresh = append(fresh, n)
		}
	}
	return append(fresh, resting...)
}

// first tries the endpoints in turn.
func (d *Dialer) first(ctx context.Context, order []int) (Link, int, error) {
	if len(order) == 0 {
		return nil, 0, d.allAway()
	}
	var reasons []error
	for _, n := range order {
		link, err := d.try(ctx, n)
		if err == nil {
			return link, n, nil
		}
		reasons = append(reasons, err)
		if ctx.Err() != nil {
			break
		}
		d.failed(n, err)
	}
	if len(reasons) == 1 {
		return nil, 0, reasons[0]
	}
	return nil, 0, everyReason(reasons)
}

// everyReason is the errors of several endpoints, in one line.
type everyReason []error

func (e everyReason) Error() string {
	texts := make([]string, len(e))
	for i, err := range e {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (e everyReason) Unwrap() []error { return e }

func (d *Dialer) allAway() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	until := d.sites[0].away
	for _, s := range d.sites[1:] {
		until = earlier(until, s.away)
	}
	return &Error{
		Op: opConnect, Addr: d.sites[0].Addr, Retryable: true, RetryAfter: max(0, until.Sub(d.opts.Conn.Now())),
		Err: fmt.Errorf("every server has asked to be left alone; the first until %s", until.Format(time.RFC3339)),
	}
}

// try opens a link to one endpoint.
func (d *Dialer) try(ctx context.Context, n int) (Link, error) {
	d.mu.Lock()
	d.attempts++
	e, opts := d.sites[n].Endpoint, d.opts.Conn
	opts.Addr, opts.Window, opts.ExpectPong = e.Addr, e.Window, d.sites[n].answers
	d.mu.Unlock()
	if e.secure() {
		cfg, err := d.credentials.config(e.Addr)
		if err != nil {
			return nil, err
		}
		opts.TLS = cfg
	}
	switch e.Scheme {
	case UDP:
		return orNil(dialDatagrams(ctx, e, opts))
	case HTTP, HTTPS:
		fresh := func() (*tls.Config, error) { return d.credentials.config(e.Addr) }
		return orNil(dialWeb(ctx, e, d.opts.Method, opts, fresh))
	}
	return orNil(Dial(ctx, opts))
}

// orNil keeps a nil pointer from becoming a Link.
func orNil[T Link](link T, err error) (Link, error) {
	if err != nil {
		return nil, err
	}
	return link, nil
}

// failed notes that an endpoint did not take a connection, or took it in vain.
func (d *Dialer) failed(n int, err error) {
	now := d.opts.Conn.Now()
	var e *Error
	d.mu.Lock()
	defer d.mu.Unlock()
	s := &d.sites[n]
	s.lastErr, s.rests = err, now.Add(d.opts.ReturnAfter)
	if errors.As(err, &e) && e.RetryAfter > 0 {
		s.away = now.Add(e.RetryAfter)
	}
	d.failures++
	d.lastErr, d.failedAt = err, now
}

// worked notes what a window that got through shows.
func (d *Dialer) worked(n int, status Status) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := &d.sites[n]
	s.answers = s.answers || status.Answered
	s.lastErr, s.rests = nil, time.Time{}
}
