package detection

import (
	"context"
	"time"

	"github.com/detection-api/detection-api/app/internal/geo"
)

// Catalogue is how the record is looked through. Every method is safe for concurrent use; errors are as for Store.
type Catalogue interface {
	// Find returns up to limit of the detections that q selects, the latest accepted first. It starts below the position
	// before; 0 means from the end. Retractions are no detections.
	Find(ctx context.Context, q Query, before int64, limit int) ([]Entry, error)
	// Follow returns up to limit entries of the record after a position, in the order of acceptance, retractions too. Where
	// there is none it waits for the first one, for as long as wait, and then returns none. Positions may be missing: what
	// retention has removed.
	Follow(ctx context.Context, after int64, limit int, wait time.Duration) ([]Entry, error)
	// Last returns the position of the newest entry, 0 when there is none.
	Last(ctx context.Context) (int64, error)
	// Trail returns the audit entries of one detection, in order; ErrNotFound when there is none.
	Trail(ctx context.Context, id string) ([]AuditEntry, error)
}

// Query selects detections. Fields that are zero select all.
type Query struct {
	Within *Box
	// From and Until bound the time when the image was taken, both inclusive.
	From, Until time.Time
	Class       string // exactly as reported
	Camera      string
	Flag        geo.Flag
	Track       string // id of a track
	Retracted   bool   // those that were retracted as well
}

// Box is an area in degrees. West may be greater than East: then it crosses the antimeridian (RFC 7946 section 5.2).
type Box struct{ West, South, East, North float64 }

// Entry is one detection in the record.
type Entry struct {
	Seq         int64     `json:"seq"` // its position: rises in the order of acceptance
	Detection   Detection `json:"detection"`
	RetractedAt time.Time `json:"retracted_at,omitzero"` // when it was taken back; zero: it was not
}
