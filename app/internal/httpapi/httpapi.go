// Package httpapi is the HTTP side of the serve role: routes, bearer tokens, limits, content negotiation, the table from
// error codes to status codes, metrics and the log line of each request. It knows no database, no TAK and no geometry.
package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/httpapi/openapi"
	"github.com/prometheus/client_golang/prometheus"
)

// The limits when Options leaves them 0.
const (
	DefaultMaxBodyBytes     = 16 << 20 // a photo of some 12 MB in base64
	DefaultMaxInFlightBytes = 64 << 20
	// DefaultMinInProgress is about what the store's group commit takes at once under load: fewer would not be committed sooner.
	DefaultMinInProgress = 256
	DefaultMaxBatchItems = 1000
	// DefaultTokenRate lets a client that restarts again and again have its tokens, and nobody try secrets out: 32 random
	// bits would take centuries.
	DefaultTokenRate = 0.5
	// DefaultMaxStreams is what costs little: each has a connection, and some kB beside it.
	DefaultMaxStreams = 128
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
	// MaxInFlightBytes bounds what is held of bodies at one time, which is at most 128 KiB of one detection and 4 MiB of a
	// batch, whatever their pictures; what would exceed it is refused with 503. 0: DefaultMaxInFlightBytes. Less than one
	// body: one body. Decoding needs up to three times as much memory.
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

	// MaxBatchItems bounds one batch; 0: DefaultMaxBatchItems.
	MaxBatchItems int
	// ReadRate is how many requests a second one subject may make to read, and ten seconds' worth of them at once. 0: no limit.
	ReadRate float64
	// TokenRate is how many tokens a second one client may ask for, and one address ten times as many, as there may be a
	// proxy behind it; ten seconds' worth at once. 0: DefaultTokenRate.
	TokenRate float64
	// MaxStreams bounds the streams that are open at one time; 0: DefaultMaxStreams.
	MaxStreams int

	// Authenticate returns whose bearer token it is, or an error, which only the log gets to see. nil: nobody has one.
	Authenticate func(bearer string) (Identity, error)
	// Issue gives a client with this id and secret a token, with the roles in scope or, when that is empty, with all it has.
	// ErrNoClient: the credentials are wrong. An *detection.Error with CodeForbidden: it lacks one of the roles. nil: there
	// are no clients.
	Issue     func(ctx context.Context, id, secret string, scope []Role) (Grant, error)
	Ingestor  Ingestor
	Batch     BatchIngestor
	Retractor Retractor
	// Pictures returns what keeps the next picture; nil: pictures are hashed and not kept.
	Pictures  func() (detection.PictureWriter, error)
	Finder    Finder
	Catalogue detection.Catalogue
	// Encode returns the CoT event, XML, of a detection that was committed earlier.
	Encode func(d detection.Detection) ([]byte, error)
	// Ready says whether this pod can accept work. It is asked for each GET /ready. nil: always.
	Ready func() Readiness
	// TAKStatus is what is to be told of the link to TAK; nil: there is none.
	TAKStatus func() any
	// Stopping is closed when the service winds down: streams end then, so that their clients go elsewhere. nil: never.
	Stopping <-chan struct{}
}

// api carries what the handlers share.
type api struct {
	Options
	metrics   metrics
	inFlight  *budget
	admission *admission
	subjects  *subjects // who report
	readers   *subjects
	clients   *subjects // who ask for tokens
	addresses *subjects
	streams   atomic.Int64
	follower  *follower
	docs      []byte // the page of the documentation
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
	if opts.MaxBatchItems <= 0 {
		opts.MaxBatchItems = DefaultMaxBatchItems
	}
	if opts.TokenRate <= 0 {
		opts.TokenRate = DefaultTokenRate
	}
	if opts.MaxStreams <= 0 {
		opts.MaxStreams = DefaultMaxStreams
	}
	a := &api{
		Options:   opts,
		inFlight:  newBudget(max(opts.MaxInFlightBytes, min(opts.MaxBodyBytes, maxBatchHeldBytes))),
		admission: &admission{targetWait: opts.TargetWait, floor: opts.MinInProgress, now: opts.Now},
		subjects:  newSubjects(opts.SubjectRate, maxSubjects),
		readers:   newSubjects(opts.ReadRate, maxSubjects),
		clients:   newSubjects(opts.TokenRate, maxSubjects),
		addresses: newSubjects(10*opts.TokenRate, maxSubjects),
		follower:  &follower{catalogue: opts.Catalogue, logger: opts.Logger},
	}
	var err error
	if a.docs, err = openapi.Page(); err != nil {
		panic(err) // it is built in, and a test has shown it
	}
	a.metrics = newMetrics(opts.Registerer, a)
	a.open = map[string]bool{}
	routes := a.routes()
	for i, r := range routes {
		a.open[r.path] = r.role == ""
		routes[i] = a.authorize(r)
	}
	a.router = newRouter(routes)
	return a
}
