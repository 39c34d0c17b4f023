package server

import (
	"context"
	"errors"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/sqlite"
)

// finder looks in the store and then in this pod's queue, where a detection is that the store has not got yet. What
// another pod has in its queue it does not see.
type finder struct {
	store detection.Store
	queue *sqlite.Queue
}

func (f finder) Get(ctx context.Context, id string) (detection.Record, error) {
	record, err := f.store.Get(ctx, id)
	if !errors.Is(err, detection.ErrNotFound) && !errors.Is(err, detection.ErrUnavailable) {
		return record, err
	}
	if queued, queueErr := f.queue.Get(ctx, id); queueErr == nil {
		return queued, nil
	}
	return record, err
}
