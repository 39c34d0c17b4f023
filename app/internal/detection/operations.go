package detection

import (
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Operations are what the people who run a store may do with it beside what the service does by itself. Every method is
// safe for concurrent use; each is atomic and durable when it returns nil, and may be repeated. Errors are as for Store.
type Operations interface {
	// DeadLetters returns up to limit dead letters in the order in which their detections were accepted. It starts after
	// the detection with id after (empty, or not known: from the start).
	DeadLetters(ctx context.Context, after string, limit int) ([]DeadLetter, error)
	// Redrive makes dead letters owed to TAK again, at their old place in the order and held by nobody, and audits the
	// order. Ids that are no dead letters are ignored; count is how many there were.
	Redrive(ctx context.Context, ids []string, order Order) (count int, err error)
	// Purge gives the delivery of dead letters up for good and audits the order. The detections stay in the record.
	// Ids that are no dead letters are ignored; count is how many there were.
	Purge(ctx context.Context, ids []string, order Order) (count int, err error)
	// Audit returns up to limit entries of the audit trail whose number is greater than after, in order.
	Audit(ctx context.Context, after int64, limit int) ([]AuditEntry, error)
}

// DeadLetter is a detection whose delivery to TAK was given up.
type DeadLetter struct {
	ID         string    `json:"detection_id"`
	ReceivedAt time.Time `json:"received_at"` // when the detection was accepted
	At         time.Time `json:"at"`          // when its delivery was given up
	Reason     string    `json:"reason"`
}

// AuditEntry is one entry of the audit trail.
type AuditEntry struct {
	Seq         int64     `json:"seq"`                    // 1 for the first, without gaps
	DetectionID string    `json:"detection_id,omitempty"` // empty when the entry is about more than one
	Event       string    `json:"event"`
	At          time.Time `json:"at"`
	Detail      string    `json:"detail,omitempty"`
	Hash        string    `json:"hash"` // SHA-256 over the entry and the hash of the one before, lower-case hex
}

// Order says who wants something done to the record, and why. Both go into the audit trail.
type Order struct {
	Operator string `json:"operator"`
	Reason   string `json:"reason"`
}

// maxOrderBytes bounds each part of an Order.
const maxOrderBytes = 500

// Check refuses an order that says nothing, or what a line of text cannot hold.
func (o Order) Check() error {
	for field, text := range map[string]string{"operator": o.Operator, "reason": o.Reason} {
		switch {
		case strings.TrimSpace(text) == "":
			return Invalid(field, "must not be empty: it goes into the audit trail")
		case len(text) > maxOrderBytes:
			return Invalid(field, "must not be longer than %d bytes, has %d", maxOrderBytes, len(text))
		case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
			return Invalid(field, "must be one line of text")
		}
	}
	return nil
}
