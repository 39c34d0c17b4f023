package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// The reasons why a sound detection is refused.
const (
	reasonAdmission = "admission"       // too many in progress for the rate at which they are committed
	reasonBytes     = "bytes_in_flight" // too many bytes of bodies at one time
	reasonSubject   = "subject_rate"    // its subject is too fast
	reasonFull      = "storage_full"    // no room on the disk or in the queue
	reasonAway      = "unavailable"     // neither the store nor the queue took it in time
)

var reasons = []string{reasonAdmission, reasonBytes, reasonSubject, reasonFull, reasonAway}

// reasonOf returns why the error refuses a sound detection, or "" when it does not.
func reasonOf(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, errOverloaded):
		return reasonAdmission
	case errors.Is(err, errBusy):
		return reasonBytes
	}
	switch refusalOf(err).Code {
	case detection.CodeRateLimited:
		return reasonSubject
	case detection.CodeStorageFull:
		return reasonFull
	case detection.CodeUnavailable:
		return reasonAway
	}
	return ""
}

// summaryInterval is how often the log has a line of what a limit refuses, instead of one for each.
const summaryInterval = 10 * time.Second

// refusals are those of the limits that were not logged yet. A line for each would cost more than the refusal, just when
// there is nothing to spare.
type refusals struct {
	mu     sync.Mutex
	logged time.Time
	count  map[string]int
}

// summarize reports whether the refusal is told in a summary and not in a line of its own.
func (a *api) summarize(ctx context.Context, err error) bool {
	reason := reasonOf(err)
	if reason != reasonAdmission && reason != reasonBytes && reason != reasonSubject {
		return false
	}
	counts := a.refusals.add(reason, a.Now())
	if counts == nil {
		return true
	}
	attrs := make([]slog.Attr, 0, len(counts))
	for _, reason := range reasons {
		if n := counts[reason]; n > 0 {
			attrs = append(attrs, slog.Int(reason, n))
		}
	}
	a.Logger.LogAttrs(ctx, slog.LevelWarn, "detections were refused by a limit", attrs...)
	return true
}

// add counts a refusal, and returns all those since the last time if that was long enough ago.
func (r *refusals) add(reason string, now time.Time) map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.count == nil {
		r.count = map[string]int{}
	}
	r.count[reason]++
	if since := now.Sub(r.logged); since >= 0 && since < summaryInterval {
		return nil
	}
	counts := r.count
	r.logged, r.count = now, nil
	return counts
}
