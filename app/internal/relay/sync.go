package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// syncBatch is how many rows go to the store in one call.
const syncBatch = 256

// syncStore keeps the store informed: what it missed while it was away, what was delivered, and that this pod is alive.
// One goroutine does all of it, so that a row is never claimed while its acknowledgement is under way.
func (r *Relay) syncStore(ctx context.Context) {
	pause := backoff{}
	var leaseDue time.Time
	var told string // the last complaint, so that a lasting fault is one line in the log
	for ctx.Err() == nil {
		var err error
		if now := r.opts.Now(); !now.Before(leaseDue) {
			if err = r.renewAndClaim(ctx); err == nil {
				leaseDue = now.Add(r.opts.Lease / 3)
			}
		}
		if err == nil {
			err = r.flush(ctx)
		}
		if err == nil {
			r.storeIs(true, nil)
			told = ""
			pause.reset()
			wait(ctx, min(idlePoll, r.opts.Lease/3), r.unsynced)
			continue
		}
		switch {
		case ctx.Err() != nil: // stopping is no fault of the store
		case isUnavailable(err):
			r.storeIs(false, err)
		case told != err.Error():
			told = err.Error()
			r.log.Error("bring the store up to date; will try again", "error", err)
		}
		wait(ctx, min(pause.next(), time.Second), nil)
	}
}

// renewAndClaim extends this pod's lease and adopts what nobody delivers: rows of vanished pods, and its own from before
// a restart. A pod with a backlog of its own adopts nothing: it could not deliver it sooner than it delivers its own.
func (r *Relay) renewAndClaim(ctx context.Context) error {
	call, cancel := context.WithTimeout(ctx, r.opts.StoreTimeout)
	defer cancel()
	if err := r.opts.Store.Renew(call, r.opts.Owner, r.opts.Lease); err != nil {
		return fmt.Errorf("renew the lease: %w", err)
	}
	if r.opts.Dial == nil {
		return nil
	}
	after := ""
	for {
		depth := r.opts.Queue.Depth()
		if depth.Undelivered >= syncBatch || depth.Full {
			return nil
		}
		records, err := r.claim(ctx, after)
		if err != nil || len(records) < syncBatch {
			return err
		}
		after = records[len(records)-1].Detection.ID
	}
}

func (r *Relay) claim(ctx context.Context, after string) ([]detection.Record, error) {
	call, cancel := context.WithTimeout(ctx, r.opts.StoreTimeout)
	defer cancel()
	records, err := r.opts.Store.Claim(call, r.opts.Owner, after, syncBatch)
	if err != nil || len(records) == 0 {
		return nil, err
	}
	items := make([]detection.Queued, len(records))
	for i, record := range records {
		items[i] = detection.Queued{Record: record, Stored: true}
	}
	if err := r.opts.Queue.Put(ctx, items); err != nil {
		return nil, fmt.Errorf("queue claimed records: %w", err)
	}
	wake(r.undeliver)
	return records, nil
}

// flush brings the store up to date with the queue.
func (r *Relay) flush(ctx context.Context) error {
	for {
		n, err := r.flushUnstored(ctx)
		if err != nil {
			return err
		}
		m, err := r.flushDeliveries(ctx)
		if err != nil {
			return err
		}
		if n < syncBatch && m < syncBatch {
			return nil
		}
	}
}

func (r *Relay) flushUnstored(ctx context.Context) (int, error) {
	records, err := r.opts.Queue.Unstored(ctx, syncBatch)
	if err != nil || len(records) == 0 {
		return 0, err
	}
	call, cancel := context.WithTimeout(ctx, r.opts.StoreTimeout)
	defer cancel()
	if err := r.opts.Store.Commit(call, records); err != nil {
		return 0, fmt.Errorf("commit queued records: %w", err)
	}
	ids := make([]string, len(records))
	for i, record := range records {
		ids[i] = record.Detection.ID
	}
	return len(records), r.opts.Queue.MarkStored(ctx, ids)
}

func (r *Relay) flushDeliveries(ctx context.Context) (int, error) {
	deliveries, err := r.opts.Queue.Unacknowledged(ctx, syncBatch)
	if err != nil || len(deliveries) == 0 {
		return 0, err
	}
	call, cancel := context.WithTimeout(ctx, r.opts.StoreTimeout)
	defer cancel()
	if err := r.opts.Store.Acknowledge(call, deliveries); err != nil {
		return 0, fmt.Errorf("acknowledge deliveries: %w", err)
	}
	ids := make([]string, len(deliveries))
	for i, delivery := range deliveries {
		ids[i] = delivery.ID
	}
	if err := r.opts.Queue.MarkAcknowledged(ctx, ids); err != nil {
		return 0, err
	}
	r.metrics.synced.Add(float64(len(ids)))
	return len(deliveries), nil
}

// handOver gives the store what this pod still holds and then the right to deliver it. Without a store the queue stays
// on disk for the next start in this place.
func (r *Relay) handOver(ctx context.Context) error {
	pause := backoff{}
	for {
		err := r.flush(ctx)
		if err == nil {
			err = r.opts.Store.Release(ctx, r.opts.Owner)
		}
		if err == nil {
			return nil
		}
		unstored := r.opts.Queue.Depth().Unstored
		if unstored == 0 {
			r.log.Warn("give up the lease; others deliver when it ends by itself", "lease", r.opts.Lease.String(), "error", err)
			return nil
		}
		wait(ctx, min(pause.next(), time.Second), nil)
		if ctx.Err() != nil {
			return fmt.Errorf("hand over to the store (%d records are only in this pod's queue): %w", unstored, err)
		}
	}
}

func (r *Relay) storeIs(up bool, cause error) {
	if r.storeDown.Swap(!up) == !up {
		return
	}
	if up {
		r.log.Info("the store is back", "unstored", r.opts.Queue.Depth().Unstored)
		return
	}
	r.log.Warn("the store cannot be used; detections stay in this pod's queue", "error", cause)
}

func isUnavailable(err error) bool { return errors.Is(err, detection.ErrUnavailable) }
