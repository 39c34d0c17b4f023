package httpapi

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"
)

// ServeHTTP is the outermost layer: it turns errors and panics into answers, and counts and logs what came of a request.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{ResponseWriter: w, started: a.Now(), requestID: requestID(r)}
	header := x.Header()
	header.Set(headerRequestID, x.requestID)
	header.Set("X-Content-Type-Options", "nosniff")
	x.err = guard(a.dispatch, x, r)
	begun := x.status != 0
	if x.err != nil && !begun {
		write := func() error { return refuse(x, refusalOf(x.err)) }
		if err := answerThenDrain(x, r, write); err != nil {
			x.err = errors.Join(x.err, err)
		}
	}
	a.record(x, r)
	if panicked(x.err) && begun {
		panic(http.ErrAbortHandler) // half an answer must not look like a whole one
	}
}

func (a *api) dispatch(x *exchange, r *http.Request) error {
	if err := a.authenticate(x, r); err != nil {
		return err
	}
	a.router.ServeHTTP(x, r)
	return x.err
}

// panicError is a panic of a handler. The program goes on; the fault is logged with where it was.
type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", p.value, p.stack) }

func panicked(err error) bool {
	var p *panicError
	return errors.As(err, &p)
}

func guard(next handler, x *exchange, r *http.Request) (err error) {
	defer func() {
		switch value := recover(); value {
		case nil:
		case http.ErrAbortHandler:
			panic(value)
		default:
			err = &panicError{value: value, stack: debug.Stack()}
		}
	}()
	return next(x, r)
}

// record counts and logs what changes something. Of the other requests only those that failed by our fault are logged.
func (a *api) record(x *exchange, r *http.Request) {
	status := x.status
	if panicked(x.err) {
		status = http.StatusInternalServerError // whatever the half of an answer said
	}
	took := a.Now().Sub(x.started)
	what := "request"
	switch {
	case r.Method == http.MethodPost && r.URL.Path == detectionsPath:
		a.metrics.duration.Observe(took.Seconds())
		if a.count(status, x.err); a.summarize(r.Context(), x.err) {
			return
		}
		what = "detection"
	case r.Method == http.MethodPost && r.URL.Path == batchPath:
		if !x.answered {
			a.count(status, x.err)
		}
		if a.summarize(r.Context(), x.err) {
			return
		}
		what = "batch"
	case r.Method == http.MethodDelete && x.detectionID != "":
		what = "retraction"
	case r.Method == http.MethodPost && r.URL.Path == tokenPath && status != http.StatusTooManyRequests:
		what = "token"
	case status < http.StatusInternalServerError || r.URL.Path == readyPath:
		return
	}
	a.log(r.Context(), x, what+" "+verdict(status), status, took)
}

func verdict(status int) string {
	switch {
	case status < http.StatusMultipleChoices:
		return "accepted"
	case status < http.StatusInternalServerError:
		return "refused"
	}
	return "failed"
}

// count counts the answer to one detection.
func (a *api) count(status int, err error) {
	a.metrics.requests.WithLabelValues(strconv.Itoa(status)).Inc()
	if reason := reasonOf(err); reason != "" {
		a.metrics.refused.WithLabelValues(reason).Inc()
	}
}

func (a *api) log(ctx context.Context, x *exchange, message string, status int, took time.Duration) {
	level := levelOf(status)
	if !a.Logger.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 14)
	for _, field := range [...]struct{ key, value string }{
		{"detection_id", x.detectionID},
		{"request_id", x.requestID},
		{"subject", x.identity.Subject},
		{"source", x.source},
		{"camera_id", x.cameraID},
		{"flag", string(x.flag)},
		{"durability", string(x.durability)},
	} {
		if field.value != "" {
			attrs = append(attrs, slog.String(field.key, field.value))
		}
	}
	if x.items > 0 {
		attrs = append(attrs, slog.Int("items", x.items), slog.Int("refused", x.refused))
	}
	attrs = append(attrs, slog.Int("status", status), slog.Float64("duration_ms", float64(took.Microseconds())/1000))
	if x.err != nil {
		attrs = append(attrs, slog.String("error_code", string(refusalOf(x.err).Code)), slog.Any("err", x.err))
	}
	a.Logger.LogAttrs(ctx, level, message, attrs...)
}

// levelOf is error for faults of ours, warn for what an operator has to look at, and info for what a client did.
func levelOf(status int) slog.Level {
	switch {
	case status == http.StatusInternalServerError:
		return slog.LevelError
	case status > http.StatusInternalServerError:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// requestID takes over the id that a proxy or client has given, if it is short and plain, and makes one up otherwise.
func requestID(r *http.Request) string {
	const maxLength = 64
	given := r.Header.Get(headerRequestID)
	if given == "" || len(given) > maxLength {
		return rand.Text()
	}
	for _, b := range []byte(given) {
		if (b < '0' || b > '9') && (b < 'A' || b > 'Z') && (b < 'a' || b > 'z') && b != '-' && b != '_' && b != '.' {
			return rand.Text()
		}
	}
	return given
}
