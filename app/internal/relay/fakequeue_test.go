package relay_test

import (
	"context"
	"slices"
	"sync"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// memoryQueue is a Queue in memory.
type memoryQueue struct {
	mu   sync.Mutex
	rows []*row
	last int64 // position of the newest row
	full bool

	refuse bool // ErrFull, and full does not tell
}

type row struct {
	position  int64
	item      detection.Queued
	delivery  *detection.Delivery
	delivered bool
}

func (q *memoryQueue) Put(_ context.Context, items []detection.Queued) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.full || q.refuse {
		return detection.ErrFull
	}
	for _, item := range items {
		if q.find(item.Record.Detection.ID) == nil {
			q.last++
			q.rows = append(q.rows, &row{item: item, position: q.last})
		}
	}
	return nil
}

func (q *memoryQueue) set(f func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	f()
}

func (q *memoryQueue) find(id string) *row {
	for _, r := range q.rows {
		if r.item.Record.Detection.ID == id {
			return r
		}
	}
	return nil
}

func (q *memoryQueue) Unstored(_ context.Context, limit int) (records []detection.Record, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range q.rows {
		if !r.item.Stored && len(records) < limit {
			records = append(records, r.item.Record)
		}
	}
	return records, nil
}

func (q *memoryQueue) MarkStored(_ context.Context, ids []string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, id := range ids {
		q.find(id).item.Stored = true
	}
	return nil
}

func (q *memoryQueue) Undelivered(_ context.Context, after int64, limit int) (records []detection.Record, last int64, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range q.rows {
		if !r.delivered && r.position > after && len(records) < limit {
			records, last = append(records, r.item.Record), r.position
		}
	}
	return records, last, nil
}

func (q *memoryQueue) MarkDelivered(_ context.Context, deliveries []detection.Delivery) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, d := range deliveries {
		r := q.find(d.ID)
		r.delivered, r.delivery = true, &d
	}
	return nil
}

func (q *memoryQueue) Unacknowledged(_ context.Context, limit int) (deliveries []detection.Delivery, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range q.rows {
		if r.delivered && r.item.Stored && len(deliveries) < limit {
			deliveries = append(deliveries, *r.delivery)
		}
	}
	return deliveries, nil
}

func (q *memoryQueue) MarkAcknowledged(_ context.Context, ids []string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.rows = slices.DeleteFunc(q.rows, func(r *row) bool { return slices.Contains(ids, r.item.Record.Detection.ID) })
	return nil
}

func (q *memoryQueue) Depth() detection.QueueDepth {
	q.mu.Lock()
	defer q.mu.Unlock()
	depth := detection.QueueDepth{Full: q.full}
	for _, r := range q.rows {
		if !r.delivered {
			depth.Undelivered++
		}
		if !r.item.Stored {
			depth.Unstored++
		}
	}
	return depth
}
