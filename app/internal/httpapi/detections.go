package httpapi

import (
	"context"
	"net/http"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/google/uuid"
)

// The response headers of a detection.
const (
	headerID         = "X-Detection-ID"
	headerFlag       = "X-Confidence-Flag"
	headerDurability = "X-Durability"
)

// createDetection answers 201 when the detection is in the store, 202 when it is on this pod's disk only.
func (a *api) createDetection(x *exchange, r *http.Request) error {
	if err := a.admit(x); err != nil {
		return err
	}
	in, err := a.readInput(x, r)
	if err != nil {
		return err
	}
	x.source, x.cameraID = in.Source, in.CameraID
	accepted, err := a.commit(r.Context(), in, x.identity.Subject)
	if err != nil {
		return err
	}
	x.detectionID, x.flag, x.durability = accepted.Detection.ID, accepted.Detection.Fix.Flag, accepted.Durability
	a.metrics.flags.WithLabelValues(string(x.flag)).Inc()
	status := http.StatusCreated
	if accepted.Durability == detection.InPod {
		status = http.StatusAccepted
	}
	header := x.Header()
	header.Set(headerLocation, detectionsPath+"/"+accepted.Detection.ID)
	header.Set(headerDurability, string(accepted.Durability))
	setDetectionHeaders(header, accepted.Detection)
	if prefersJSON(r.Header.Values(headerAccept), false) {
		return writeJSON(x, status, viewAccepted(accepted))
	}
	return x.blob(status, mediaXML, accepted.Event)
}

// admit refuses before the body is read: what the service has no room for, and a subject that is too fast.
func (a *api) admit(x *exchange) error {
	if a.admission.full() {
		return errOverloaded
	}
	if x.retryAfter = a.subjects.take(x.identity.Subject, a.Now()); x.retryAfter > 0 {
		return &detection.Error{
			Code: detection.CodeRateLimited, Message: "this token's subject reports too many detections; see Retry-After",
		}
	}
	return nil
}

// commit looks for room once more, as many may have been admitted at one time.
func (a *api) commit(ctx context.Context, in detection.Input, subject string) (accepted detection.Accepted, err error) {
	if !a.admission.enter() {
		return detection.Accepted{}, errOverloaded
	}
	committed := false
	defer func() { a.admission.leave(committed) }() // also after a panic
	accepted, err = a.Ingestor.Accept(ctx, in, subject)
	committed = err == nil
	return accepted, err
}

// readInput reads and decodes the body. The bytes count as in flight until both are done.
func (a *api) readInput(x *exchange, r *http.Request) (detection.Input, error) {
	held := &lease{budget: a.inFlight}
	defer held.end()
	body, err := a.readBody(x, r, held)
	if err != nil {
		return detection.Input{}, err
	}
	return detection.ParseInput(body)
}

// getDetection answers with JSON unless the client prefers XML, in which case it gets the CoT event.
func (a *api) getDetection(x *exchange, r *http.Request) error {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil || len(r.PathValue("id")) != len(id.String()) { // uuid.Parse takes braces and urn: too
		return detection.ErrNotFound
	}
	x.detectionID = id.String()
	record, err := a.Finder.Get(r.Context(), x.detectionID)
	if err != nil {
		return err
	}
	setDetectionHeaders(x.Header(), record.Detection)
	if prefersJSON(r.Header.Values(headerAccept), true) {
		return writeJSON(x, http.StatusOK, viewDetection(record.Detection))
	}
	event, err := a.Encode(record.Detection)
	if err != nil {
		return err
	}
	return x.blob(http.StatusOK, mediaXML, event)
}

func setDetectionHeaders(header http.Header, d detection.Detection) {
	header.Set(headerID, d.ID)
	header.Set(headerFlag, string(d.Fix.Flag))
	header.Set(headerVary, headerAccept)
	header.Set(headerCacheControl, "no-store") // where things are is not for caches
}
