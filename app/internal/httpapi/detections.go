package httpapi

import (
	"context"
	"net/http"
	"strings"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// The response headers of a detection.
const (
	headerID         = "X-Detection-ID"
	headerFlag       = "X-Confidence-Flag"
	headerDurability = "X-Durability"
	headerReplay     = "Idempotent-Replay" // "true": it had been accepted before
)

// createDetection answers 201 when the detection is in the store, 202 when it is on this pod's disk only, and 200 with the
// first one when it is a repetition.
func (a *api) createDetection(x *exchange, r *http.Request) error {
	if err := a.admit(x); err != nil {
		return err
	}
	key, err := keyOf(r)
	if err != nil {
		return err
	}
	in, err := a.readInput(x, r)
	if err != nil {
		return err
	}
	in.IdempotencyKey = detection.IdempotencyKey(x.identity.Subject, key)
	x.source, x.cameraID = in.Source, in.CameraID
	accepted, err := a.commit(r.Context(), in, x.identity.Subject)
	if err != nil {
		return err
	}
	x.detectionID, x.flag, x.durability = accepted.Detection.ID, accepted.Detection.Fix.Flag, accepted.Durability
	a.metrics.flags.WithLabelValues(string(x.flag)).Inc()
	status := statusOf(accepted)
	header := x.Header()
	if accepted.Repeated {
		header.Set(headerReplay, "true")
	}
	header.Set(headerLocation, detectionsPath+"/"+accepted.Detection.ID)
	header.Set(headerDurability, string(accepted.Durability))
	setDetectionHeaders(header, accepted.Detection)
	if prefersJSON(r.Header.Values(headerAccept), false) {
		return writeJSON(x, status, viewAccepted(accepted))
	}
	return x.blob(status, mediaXML, accepted.Event)
}

func statusOf(accepted detection.Accepted) int {
	switch {
	case accepted.Repeated:
		return http.StatusOK
	case accepted.Durability == detection.InPod:
		return http.StatusAccepted
	}
	return http.StatusCreated
}

// maxKeyBytes bounds an Idempotency-Key. Clients send a UUID as a rule.
const maxKeyBytes = 255

// keyOf returns the client's own name for its request, "" when it gives none.
func keyOf(r *http.Request) (string, error) {
	values := r.Header.Values(headerKey)
	if len(values) == 0 {
		return "", nil
	}
	key := values[0]
	unfit := func(c rune) bool { return c <= ' ' || c > '~' }
	if len(values) > 1 || key == "" || len(key) > maxKeyBytes || strings.ContainsFunc(key, unfit) {
		message := "must be 1 to 255 visible characters of ASCII, and be there once"
		return "", &detection.Error{Code: codeParameter, Field: headerKey, Message: message}
	}
	return key, nil
}

// errTooFast refuses what a subject reports beyond its rate.
var errTooFast = &detection.Error{
	Code: detection.CodeRateLimited, Message: "this token's subject reports too many detections; see Retry-After",
}

// admit refuses before the body is read: what the service has no room for, and a subject that is too fast.
func (a *api) admit(x *exchange) error {
	if a.admission.full() {
		return errOverloaded
	}
	if x.retryAfter = a.subjects.take(x.identity.Subject, 1, a.Now()); x.retryAfter > 0 {
		return errTooFast
	}
	return nil
}

// commit looks for room once more, as many may have been admitted at one time.
func (a *api) commit(ctx context.Context, in detection.Input, subject string) (accepted detection.Accepted, err error) {
	if !a.admission.enter(1) {
		return detection.Accepted{}, errOverloaded
	}
	committed := 0
	defer func() { a.admission.leave(1, committed) }() // also after a panic
	accepted, err = a.Ingestor.Accept(ctx, in, subject)
	if err == nil {
		committed = 1
	}
	return accepted, err
}

// readInput reads and decodes the body as it comes in.
func (a *api) readInput(x *exchange, r *http.Request) (detection.Input, error) {
	if err := checkMediaType(r); err != nil {
		return detection.Input{}, err
	}
	held := &lease{budget: a.inFlight}
	defer held.end()
	body, err := a.openBody(x, r, held, maxReportHeldBytes)
	if err != nil {
		return detection.Input{}, err
	}
	in, err := detection.ReadInput(body, detection.ReadOptions{Pictures: a.Pictures})
	return in, a.bodyError(err)
}

func setDetectionHeaders(header http.Header, d detection.Detection) {
	header.Set(headerID, d.ID)
	header.Set(headerFlag, string(d.Fix.Flag))
	header.Set(headerVary, headerAccept)
	header.Set(headerCacheControl, "no-store") // where things are is not for caches
}
