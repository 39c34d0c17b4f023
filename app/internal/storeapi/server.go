package storeapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// ServerOptions shape a server. Zero values mean the defaults.
type ServerOptions struct {
	Store detection.Store
	// Token is the secret that clients present as a bearer token. With an empty one every call is refused.
	Token string
	// Logger. Default: none.
	Logger *slog.Logger
	// Gatherer is what /metrics shows. Default: nothing.
	Gatherer prometheus.Gatherer
	// Ready is what /ready asks. Default: always ready.
	Ready func(context.Context) error
	// Timeout bounds each call; a client may ask for less. Default 10 s.
	Timeout time.Duration
	// MaxInFlight is how many calls are worked on at once; more are refused at once, before their body is read.
	// Default 256.
	MaxInFlight int
	// Operations are what operators do with the store. Default: those calls do not exist.
	Operations detection.Operations
	// Catalogue is how the record is looked through. Default: those calls do not exist.
	Catalogue detection.Catalogue
	// Copy makes a copy of the store's database. Default: that call does not exist.
	Copy func(context.Context) (*Copy, error)
	// Verified is told of a copy that a backup job has kept and verified. Default: that call does not exist.
	Verified func(context.Context, Backup) error
}

type server struct {
	opts     ServerOptions
	token    [sha256.Size]byte
	inFlight chan struct{}
}

// NewServer returns the handler of a store: the calls of detection.Store, and /health, /ready and /metrics without a token.
func NewServer(opts ServerOptions) http.Handler {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Ready == nil {
		opts.Ready = func(context.Context) error { return nil }
	}
	if opts.Timeout <= 0 {
		opts.Timeout = 10 * time.Second
	}
	if opts.MaxInFlight <= 0 {
		opts.MaxInFlight = 256
	}
	s := &server{opts: opts, token: sha256.Sum256([]byte(opts.Token)), inFlight: make(chan struct{}, opts.MaxInFlight)}
	mux := http.NewServeMux()
	s.routes(mux)
	s.routeOperations(mux)
	s.routeCatalogue(mux)
	s.routeBackup(mux)
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { s.answer(w, map[string]string{"status": "ok"}) })
	mux.HandleFunc("GET /ready", s.ready)
	if opts.Gatherer != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(opts.Gatherer, promhttp.HandlerOpts{}))
	}
	return mux
}

func (s *server) routes(mux *http.ServeMux) {
	store := s.opts.Store
	mux.Handle("POST "+pathCommit, s.guard(call(func(ctx context.Context, in commitRequest) (commitResponse, error) {
		err := store.Commit(ctx, in.Records)
		return commitResponse{repeatsOf(in.Records)}, err
	})))
	mux.Handle("POST "+pathAcknowledge, s.guard(call(func(ctx context.Context, in acknowledgeRequest) (empty, error) {
		return empty{}, store.Acknowledge(ctx, in.Deliveries)
	})))
	mux.Handle("POST "+pathRenew, s.guard(call(func(ctx context.Context, in renewRequest) (empty, error) {
		return empty{}, store.Renew(ctx, in.Owner, in.lease())
	})))
	mux.Handle("POST "+pathClaim, s.guard(call(func(ctx context.Context, in claimRequest) (claimResponse, error) {
		records, err := store.Claim(ctx, in.Owner, in.After, min(in.Limit, maxClaim))
		return claimResponse{Records: records}, err
	})))
	mux.Handle("POST "+pathRelease, s.guard(call(func(ctx context.Context, in releaseRequest) (empty, error) {
		return empty{}, store.Release(ctx, in.Owner)
	})))
	mux.Handle("GET "+pathDetection, s.guard(func(r *http.Request) (any, error) {
		return store.Get(r.Context(), r.URL.Query().Get("id"))
	}))
	mux.Handle("GET "+pathStats, s.guard(func(r *http.Request) (any, error) { return store.Stats(r.Context()) }))
}

// repeatsOf returns nil when there are none.
func repeatsOf(records []detection.Record) (repeats []string) {
	for i := range records {
		if id := records[i].RepeatOf; id != "" {
			if repeats == nil {
				repeats = make([]string, len(records))
			}
			repeats[i] = id
		}
	}
	return repeats
}

// call decodes the body, for a function of the store that takes one.
func call[In, Out any](run func(context.Context, In) (Out, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		var in In
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			var tooLarge *http.MaxBytesError
			if errors.As(err, &tooLarge) {
				return nil, &detection.Error{Code: detection.CodeTooLarge, Message: "the body is too large", Err: err}
			}
			return nil, &detection.Error{Code: detection.CodeMalformed, Message: "the body is not the JSON that this call takes", Err: err}
		}
		return run(r.Context(), in)
	}
}

// guard lets a call through if it has the token and there is room, and bounds its time and its body.
func (s *server) guard(run func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.authorized(r) {
			s.refuse(w, r, &detection.Error{Code: detection.CodeUnauthorized, Message: "a valid store token is needed"})
			return
		}
		select {
		case s.inFlight <- struct{}{}:
			defer func() { <-s.inFlight }()
		default:
			s.refuse(w, r, &detection.Error{Code: detection.CodeUnavailable, Message: "the store is busy"})
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), s.timeout(r))
		defer cancel()
		r = r.WithContext(ctx)
		r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
		out, err := run(r)
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		s.answer(w, out)
	})
}

// authorized compares hashes, so that the time it takes tells nothing about the token, not even its length.
func (s *server) authorized(r *http.Request) bool {
	given, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	sum := sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(sum[:], s.token[:]) == 1 && found && s.opts.Token != ""
}

func (s *server) timeout(r *http.Request) time.Duration {
	ms, err := strconv.Atoi(r.Header.Get(headerTimeout))
	if err != nil || ms <= 0 {
		return s.opts.Timeout
	}
	return min(time.Duration(ms)*time.Millisecond, s.opts.Timeout)
}

func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), time.Second)
	defer cancel()
	if err := s.opts.Ready(ctx); err != nil {
		s.refuse(w, r, err)
		return
	}
	s.answer(w, map[string]string{"status": "ready"})
}

func (s *server) answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(body); err != nil {
		s.opts.Logger.Debug("write answer", "error", err) // the client has gone
	}
}

// refuse answers with the code and message of the first *detection.Error in err; anything else stays in the log.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	body := errorResponse{Code: detection.CodeInternal, Message: "the store failed; its log says why"}
	var e *detection.Error
	if errors.As(err, &e) {
		body = errorResponse{Code: e.Code, Message: e.Message, Field: e.Field}
	}
	status := statusOf(body.Code)
	if status >= http.StatusInternalServerError {
		s.opts.Logger.Warn("store call failed", "path", r.URL.Path, "status", status, "error", err)
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may have gone
}
