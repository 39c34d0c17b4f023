package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

const (
	// syncBatch is how many rows go to the store in one call.
	syncBatch = 256
	// adoptBelow is the backlog from which on a pod adopts nothing. It is more than two windows to a slow server, or a pod
	// under steady load would never adopt.
	adoptBelow = 4 * syncBatch
)

// syncStore keeps the store informed: what it missed while it was away, what was delivered, and that this pod is alive.
// One goroutine does all of it, so that a row is never claimed while its acknowledgement is under way.
func (r *Relay) syncStore(ctx context.Context) {
	pause := backoff{}
	held := holding{}
	adopting := false // nobody has looked yet whether there is something to adopt, or not to the end
	var told string   // the last complaint, so that a lasting fault is one line in the log
	for ctx.Err() == nil {
		renewed, err := r.hold(ctx, &held)
		if renewed {
			adopting = r.opts.Dial != nil
		}
		if err == nil && adopting && held.mayAdopt(r.opts.Now()) {
			adopting, err = r.adopt(ctx)
		}
		if !isUnavailable(err) { // what cannot be adopted is no reason to keep back what the store is owed
			err = errors.Join(err, r.flush(ctx, held.due))
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
			clear(r.refused) // it may come back as a version that takes them
			r.storeIs(false, err)
		case told != err.Error():
			told = err.Error()
			r.log.Error("bring the store up to date; will try again", "error", err)
		}
		wait(ctx, min(pause.next(false), time.Second), nil)
	}
}

// adopt claims what nobody delivers: rows of vanished pods, and its own from before a restart. A pod with a backlog of its
// own adopts nothing, as it could not deliver it sooner than it delivers its own, nor does one that does not reach TAK, as
// another may. more says that there may be rows left, to be looked for as soon as that has changed.
func (r *Relay) adopt(ctx context.Context) (more bool, err error) {
	after := ""
	for {
		depth := r.opts.Queue.Depth()
		if depth.Undelivered >= adoptBelow || depth.Full || r.takDown.Load() {
			return true, nil
		}
		records, err := r.claim(ctx, after)
		if errors.Is(err, detection.ErrFull) { // no room for them; the next renewal looks again
			return false, nil
		}
		if err != nil || len(records) < syncBatch {
			return err != nil, err
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
	items := make([]detection.Queued, 0, len(records))
	for _, record := range records {
		if !r.accepting.has(record.Detection.ID) { // if it is not queued after all, the next renewal finds it
			items = append(items, detection.Queued{Record: record, Stored: true})
		}
	}
	if err := r.opts.Queue.Put(ctx, items); err != nil {
		return nil, fmt.Errorf("queue claimed records: %w", err)
	}
	for i := range items {
		r.lanes.series.note(&items[i].Record.Detection)
	}
	r.lanes.live.announce()
	wake(r.undeliver)
	return records, nil
}

// flush brings the store up to date with the queue. With a long backlog it breaks off at until, to go on when the lease
// has been renewed; a zero until means to the end.
func (r *Relay) flush(ctx context.Context, until time.Time) error {
	for {
		n, err := r.flushUnstored(ctx)
		if isUnavailable(err) {
			return err
		}
		m, ackErr := r.flushDeliveries(ctx) // also when the store takes no new records: this is what makes room
		if err := errors.Join(err, ackErr); err != nil {
			return err
		}
		if n < syncBatch && m < syncBatch {
			return nil
		}
		if !until.IsZero() && !r.opts.Now().Before(until) {
			wake(r.unsynced)
			return nil
		}
	}
}

func (r *Relay) flushUnstored(ctx context.Context) (int, error) {
	records, err := r.opts.Queue.Unstored(ctx, syncBatch+len(r.refused))
	if err != nil {
		return 0, err
	}
	records = slices.DeleteFunc(records, func(record detection.Record) bool { return r.refused[record.Detection.ID] })
	if len(records) == 0 {
		return 0, nil
	}
	stored, err := r.commitQueued(ctx, records)
	if len(stored) == 0 {
		return 0, err
	}
	if markErr := r.opts.Queue.MarkStored(ctx, stored); markErr != nil {
		return len(stored), errors.Join(err, markErr)
	}
	for _, record := range records { // those that are not owed to TAK leave the queue now
		if !record.Deliver && slices.Contains(stored, record.Detection.ID) {
			r.metrics.synced.Inc()
		}
	}
	return len(stored), err
}

// commitQueued commits the records and returns the ids of those that the store has then. One that it refuses does not keep
// the others out: it stays in the queue, counted as not stored, and is left alone as long as the store is the same.
func (r *Relay) commitQueued(ctx context.Context, records []detection.Record) (stored []string, err error) {
	call, cancel := context.WithTimeout(ctx, r.opts.StoreTimeout)
	defer cancel()
	if err = r.opts.Store.Commit(call, records); err == nil {
		err = r.commitWithoutKeys(call, records)
	}
	switch {
	case err == nil:
		for _, record := range records {
			stored = append(stored, record.Detection.ID)
		}
		return stored, nil
	case isUnavailable(err), errors.Is(err, detection.ErrFull), ctx.Err() != nil:
		return nil, fmt.Errorf("commit queued records: %w", err)
	case len(records) == 1:
		id := records[0].Detection.ID
		r.refused[id] = true
		r.log.Error("the store refuses a queued record; it stays in the queue", "detection_id", id, "error", err)
		return nil, nil
	}
	half := len(records) / 2
	first, err := r.commitQueued(ctx, records[:half])
	if err != nil {
		return first, err
	}
	second, err := r.commitQueued(ctx, records[half:])
	return append(first, second...), err
}

// commitWithoutKeys commits once more those whose idempotency key the store knows from another detection. They were accepted
// while it could not be asked, and what was accepted is kept; the key stays with the one that had it first.
func (r *Relay) commitWithoutKeys(ctx context.Context, records []detection.Record) error {
	var keyless []detection.Record
	for _, record := range records {
		d := record.Detection
		if d.IdempotencyKey == "" || d.Retracts != "" || record.RepeatOf == "" || record.RepeatOf == d.ID {
			continue
		}
		r.log.Warn("an idempotency key was used for two detections; both are kept", "detection_id", d.ID, "first", record.RepeatOf)
		d.IdempotencyKey = ""
		keyless = append(keyless, detection.Record{Detection: d, Deliver: record.Deliver, Owner: record.Owner})
	}
	if len(keyless) == 0 {
		return nil
	}
	return r.opts.Store.Commit(ctx, keyless)
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
		err := r.flush(ctx, time.Time{})
		if err == nil {
			err = r.opts.Store.Release(ctx, r.opts.Owner)
		}
		unstored := r.opts.Queue.Depth().Unstored
		if err == nil && unstored > 0 {
			return fmt.Errorf("hand over to the store: %d records cannot be stored and are only in this pod's queue", unstored)
		}
		if err == nil {
			return nil
		}
		if unstored == 0 {
			r.log.Warn("give up the lease; others deliver when it ends by itself", "lease", r.opts.Lease.String(), "error", err)
			return nil
		}
		wait(ctx, min(pause.next(false), time.Second), nil)
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
