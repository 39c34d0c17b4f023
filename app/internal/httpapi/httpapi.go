// Package httpapi is the HTTP side of the serve role: routes, bearer tokens, limits, content negotiation, the table from
// error codes to status codes, metrics and the log line of each request. It knows no database, no TAK and no geometry.
package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/prometheus/client_golang/prometheus"
)

// The limits when Options leaves them 0.
const (
	DefaultMaxBodyBytes     = 16 << 20 // a photo of some 12 MB in base64
	DefaultMaxInFlightBytes = 64 << 20
	// DefaultMinInProgress is about what the store's group commit takes at once under load: fewer would not be committed sooner.
	DefaultMinInProgress = 256
)

// Ingestor commits detections. What it accepted is durable when it returns.
type Ingestor interface {
	Accept(ctx context.Context, in detection.Input, reportedBy string) (detection.Accepted, error)
}

// Finder looks committed detections up. It returns detection.ErrNotFound when no detection has the id.
type Finder interface {
	Get(ctx context.Context, id string) (detection.Record, error)
}

// Options is what the API needs. Everything is required unless it says what its zero value means.
type Options struct {
	Logger     *slog.Logger
	Registerer prometheus.Registerer // for the API's own metrics; New panics when they are registered already
	Gatherer   prometheus.Gatherer   // what /metrics shows
	Now        func() time.Time      // nil: time.Now

	// MaxBodyBytes bounds one request body; 0: DefaultMaxBodyBytes.
	MaxBodyBytes int64
	// MaxInFlightBytes bounds the bodies that are held at one time; what would exceed it is refused with 503. 0:
	// DefaultMaxInFlightBytes. Less than one body: one body. Decoding needs up to three times as much memory.
	MaxInFlightBytes int64
	// TargetWait is the longest time that a detection should wait for its commit: more than are committed in that time, at
	// the rate of the last seconds, are refused with 503. 0: no bound.
	TargetWait time.Duration
	// MinInProgress is how many detections may be in progress at any rate, and an eighth of it after seconds without a pause,
	// when the rate is known well; 0: DefaultMinInProgress.
	MinInProgress int
	// SubjectRate is how many detections a second one subject may report, and ten seconds' worth of them at once; more are
	// refused with 429. 0: no limit.
	SubjectRate float64

	// Authenticate returns whose bearer token it is, or an error, which only the log gets to see. nil: nobody has one.
	Authenticate func(bearer string) (Identity, error)
	Ingestor     Ingestor
	Finder       Finder
	// Encode returns the CoT event, XML, of a detection that was committed earlier.
	Encode func(d detection.Detection) ([]byte, error)
	// Ready says whether this pod can accept work. It is asked for each GET /ready. nil: always.
	Ready func() Readiness
}

// api carries what the handlers share.
type api struct {
	Options
	metrics   metrics
	inFlight  *budget
	admission *admission
	subjects  *subjects
	refusals  refusals
	router    http.Handler
	open      map[string]bool // the paths that need no token
}

// New returns the handler of all routes.
func New(opts Options) http.Handler {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.MaxBodyBytes <= 0 {
		opts.MaxBodyBytes = DefaultMaxBodyBytes
	}
	if opts.MaxInFlightBytes <= 0 {
		opts.MaxInFlightBytes = DefaultMaxInFlightBytes
	}
	if opts.MinInProgress <= 0 {
		opts.MinInProgress = DefaultMinInProgress
	}
	a := &api{
		Options:   opts,
		inFlight:  newBudget(max(opts.MaxInFlightBytes, opts.MaxBodyBytes+1)),
		admission: &admission{targetWait: opts.TargetWait, floor: opts.MinInProgress, now: opts.Now},
		subjects:  newSubjects(opts.SubjectRate, maxSubjects),
	}
	a.metrics = newMetrics(opts.Registerer, a.admission)
	a.open = map[string]bool{}
	routes := a.routes()
	for i, r := range routes {
		a.open[r.path] = r.role == ""
		routes[i] = a.authorize(r)
	}
	a.router = newRouter(routes)
	return a
}
