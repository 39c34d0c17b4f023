package httpapi

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
	"github.com/labstack/echo/v4"
)

// exchange is what is known of one request for its log line. Empty fields are not logged.
type exchange struct {
	started     time.Time
	requestID   string
	subject     string
	detectionID string
	source      string
	cameraID    string
	flag        geo.Flag
	durability  detection.Durability
	err         error         // the whole error, for the log only
	retryAfter  time.Duration // of a subject that was too fast
}

const exchangeKey = "exchange"

func exchangeOf(c echo.Context) *exchange { return c.Get(exchangeKey).(*exchange) }

// observe is the outermost layer: it turns errors and panics into answers, and counts and logs what came of a request.
func (a *api) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		x := &exchange{started: a.Now(), requestID: requestID(c.Request())}
		c.Set(exchangeKey, x)
		header := c.Response().Header()
		header.Set(echo.HeaderXRequestID, x.requestID)
		header.Set(echo.HeaderXContentTypeOptions, "nosniff")
		x.err = guard(next, c)
		committed := c.Response().Committed
		if x.err != nil && !committed {
			write := func() error { return refuse(c, x, refusalOf(x.err)) }
			if err := answerThenDrain(c, write); err != nil {
				x.err = errors.Join(x.err, err)
			}
		}
		a.record(c, x)
		if panicked(x.err) && committed {
			panic(http.ErrAbortHandler) // half an answer must not look like a whole one
		}
		return nil
	}
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

func guard(next echo.HandlerFunc, c echo.Context) (err error) {
	defer func() {
		switch value := recover(); value {
		case nil:
		case http.ErrAbortHandler:
			panic(value)
		default:
			err = &panicError{value: value, stack: debug.Stack()}
		}
	}()
	return next(c)
}

// record counts and logs a report of a detection. Of the other requests only those that failed by our fault are logged.
func (a *api) record(c echo.Context, x *exchange) {
	status := c.Response().Status
	if panicked(x.err) {
		status = http.StatusInternalServerError // whatever the half of an answer said
	}
	took := a.Now().Sub(x.started)
	r := c.Request()
	if r.Method != http.MethodPost || r.URL.Path != detectionsPath {
		if status >= http.StatusInternalServerError && r.URL.Path != readyPath {
			a.log(c, x, "request failed", status, took)
		}
		return
	}
	a.metrics.requests.WithLabelValues(strconv.Itoa(status)).Inc()
	a.metrics.duration.Observe(took.Seconds())
	if reason := reasonOf(x.err); reason != "" {
		a.metrics.refused.WithLabelValues(reason).Inc()
		if a.summarize(c, reason) {
			return
		}
	}
	message := "detection accepted"
	if status >= http.StatusMultipleChoices {
		message = "detection refused"
	}
	a.log(c, x, message, status, took)
}

func (a *api) log(c echo.Context, x *exchange, message string, status int, took time.Duration) {
	ctx, level := c.Request().Context(), levelOf(status)
	if !a.Logger.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 12)
	for _, field := range [...]struct{ key, value string }{
		{"detection_id", x.detectionID},
		{"request_id", x.requestID},
		{"subject", x.subject},
		{"source", x.source},
		{"camera_id", x.cameraID},
		{"flag", string(x.flag)},
		{"durability", string(x.durability)},
	} {
		if field.value != "" {
			attrs = append(attrs, slog.String(field.key, field.value))
		}
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
	given := r.Header.Get(echo.HeaderXRequestID)
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
