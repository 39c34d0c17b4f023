package detection

import (
	"context"
	"time"
)

// Store keeps detections for good. Every method is safe for concurrent use; each is atomic and durable when it returns nil.
// Errors are or wrap ErrFull, ErrUnavailable or ErrNotFound where those apply.
type Store interface {
	// Commit inserts the records in order, with their audit entries and, for those with Deliver, an outbox row held by
	// Owner. A record whose id, or whose idempotency key, is there already is left as it is and gets its RepeatOf: Commit
	// may be repeated. A record that retracts another one marks that one.
	Commit(ctx context.Context, records []Record) error
	// Acknowledge takes the outbox rows of the deliveries off and audits the outcome. Unknown ids are ignored.
	Acknowledge(ctx context.Context, deliveries []Delivery) error
	// Renew says that owner is alive; its outbox rows are its own until the lease ends, which for a lease of 0 is at once.
	Renew(ctx context.Context, owner string, lease time.Duration) error
	// Claim hands owner up to limit undelivered records, oldest first: its own, unowned ones and those of owners whose
	// lease has ended. It starts after the record with id after (empty: from the start). They are owner's from then on.
	Claim(ctx context.Context, owner, after string, limit int) ([]Record, error)
	// Release gives up all of owner's rows, so that others may claim them at once.
	Release(ctx context.Context, owner string) error
	// Get returns the record with the id, or ErrNotFound.
	Get(ctx context.Context, id string) (Record, error)
	// Stats counts what is stored. It is cheap enough for each scrape.
	Stats(ctx context.Context) (StoreStats, error)
}

// StoreStats are the counts of a store.
type StoreStats struct {
	Detections  int64 `json:"detections"`
	Outbox      int64 `json:"outbox"`       // owed to TAK
	DeadLetters int64 `json:"dead_letters"` // given up, an operator decides
}

// Queued is a record in a pod's queue with what is still open about it.
type Queued struct {
	Record Record
	Stored bool // the store has it
}

// Queue holds what this pod has accepted and the store or TAK has not confirmed yet. It survives a crash of the process.
// A row goes when the store has it and knows how its delivery ended. Only what the store does not have survives a power cut
// for certain: the store hands out the rest again, and tells of what was done already.
type Queue interface {
	// Put adds the items, in order, durably when one of them is not stored. Ids that are there already are left as they are. ErrFull: nothing was added.
	// Items that are all stored may be refused earlier than others, as they can be claimed from the store again.
	Put(ctx context.Context, items []Queued) error
	// Unstored returns up to limit of the oldest records that the store does not have.
	Unstored(ctx context.Context, limit int) ([]Record, error)
	// MarkStored records that the store has the ids.
	MarkStored(ctx context.Context, ids []string) error
	// Undelivered returns up to limit of the oldest records owed to TAK whose position is greater than after, with the
	// position of the last one. Positions rise in the order of acceptance.
	Undelivered(ctx context.Context, after int64, limit int) (records []Record, last int64, err error)
	// MarkDelivered records the outcomes.
	MarkDelivered(ctx context.Context, deliveries []Delivery) error
	// Unacknowledged returns up to limit outcomes that the store has not confirmed, of records it has.
	Unacknowledged(ctx context.Context, limit int) ([]Delivery, error)
	// MarkAcknowledged takes the rows off: stored, delivered and confirmed.
	MarkAcknowledged(ctx context.Context, ids []string) error
	// Depth is what is waiting, in constant time.
	Depth() QueueDepth
}

// QueueDepth is how much a queue holds.
type QueueDepth struct {
	Undelivered int64 // owed to TAK
	Unstored    int64 // not in the store yet
	Bytes       int64 // on disk
	Full        bool  // Put would be refused
}
