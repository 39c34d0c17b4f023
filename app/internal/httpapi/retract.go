package httpapi

import (
	"context"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// Retractor takes detections back. What it accepted is durable when it returns; a repetition is answered with the first one.
type Retractor interface {
	Retract(ctx context.Context, target detection.Detection, reason, by string) (detection.Accepted, error)
}

// maxReasonBytes is what the audit trail takes.
const maxReasonBytes = 500

// retracted is the answer of a retraction.
type retracted struct {
	ID           string               `json:"detection_id"`
	RetractionID string               `json:"retraction_id"`
	RetractedAt  time.Time            `json:"retracted_at"`
	Reason       string               `json:"reason,omitempty"`
	Durability   detection.Durability `json:"durability"`
}

// retractDetection answers 200 when the retraction is in the store, 202 when it is on this pod's disk only. It does not
// matter whether it was retracted before.
func (a *api) retractDetection(x *exchange, r *http.Request) error {
	reason, err := reasonOfRetraction(r)
	if err != nil {
		return err
	}
	s, err := a.find(x, r)
	if err != nil {
		return err
	}
	accepted, err := a.Retractor.Retract(r.Context(), s.Detection, reason, x.identity.Subject)
	if err != nil {
		return err
	}
	done := s.retraction
	if done == nil {
		done = &accepted.Detection
	}
	x.durability = accepted.Durability
	status := http.StatusOK
	if accepted.Durability == detection.InPod {
		status = http.StatusAccepted
	}
	x.Header().Set(headerCacheControl, "no-store")
	x.Header().Set(headerDurability, string(accepted.Durability))
	return writeJSON(x, status, retracted{s.ID, done.ID, done.ReceivedAt, done.Reason, accepted.Durability})
}

func reasonOfRetraction(r *http.Request) (string, error) {
	q := queryOf(r)
	reason, _ := q.text("reason")
	if len(reason) > maxReasonBytes || strings.ContainsFunc(reason, unicode.IsControl) {
		q.refuse("reason", "must be one line of at most %d bytes", maxReasonBytes)
	}
	return reason, q.finish()
}
