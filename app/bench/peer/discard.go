package peer

import (
	"context"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// Discard is a detection.Store that keeps nothing and says yes at once.
type Discard struct{}

var _ detection.Store = Discard{}

// Commit implements detection.Store.
func (Discard) Commit(context.Context, []detection.Record) error { return nil }

// Acknowledge implements detection.Store.
func (Discard) Acknowledge(context.Context, []detection.Delivery) error { return nil }

// Renew implements detection.Store.
func (Discard) Renew(context.Context, string, time.Duration) error { return nil }

// Claim implements detection.Store.
func (Discard) Claim(context.Context, string, string, int) ([]detection.Record, error) {
	return nil, nil
}

// Release implements detection.Store.
func (Discard) Release(context.Context, string) error { return nil }

// Get implements detection.Store.
func (Discard) Get(context.Context, string) (detection.Record, error) {
	return detection.Record{}, detection.ErrNotFound
}

// Stats implements detection.Store.
func (Discard) Stats(context.Context) (detection.StoreStats, error) {
	return detection.StoreStats{}, nil
}

// DiscardQueue is a detection.Queue that keeps nothing.
type DiscardQueue struct{}

var _ detection.Queue = DiscardQueue{}

// Put implements detection.Queue.
func (DiscardQueue) Put(context.Context, []detection.Queued) error { return nil }

// Unstored implements detection.Queue.
func (DiscardQueue) Unstored(context.Context, int) ([]detection.Record, error) { return nil, nil }

// MarkStored implements detection.Queue.
func (DiscardQueue) MarkStored(context.Context, []string) error { return nil }

// Undelivered implements detection.Queue.
func (DiscardQueue) Undelivered(_ context.Context, after int64, _ int) ([]detection.Record, int64, error) {
	return nil, after, nil
}

// MarkDelivered implements detection.Queue.
func (DiscardQueue) MarkDelivered(context.Context, []detection.Delivery) error { return nil }

// Unacknowledged implements detection.Queue.
func (DiscardQueue) Unacknowledged(context.Context, int) ([]detection.Delivery, error) {
	return nil, nil
}

// MarkAcknowledged implements detection.Queue.
func (DiscardQueue) MarkAcknowledged(context.Context, []string) error { return nil }

// Depth implements detection.Queue.
func (DiscardQueue) Depth() detection.QueueDepth { return detection.QueueDepth{} }
