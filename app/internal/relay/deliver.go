package relay

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

const (
	// failureWindow bounds what one failed dial adds to the failure metric.
	failureWindow = 64
	// backoffFirst and backoffMax bound the pause after a failure. ATAK itself retries each 15 s.
	backoffFirst = 250 * time.Millisecond
	backoffMax   = 15 * time.Second
	// backoffHunting bounds it while the server takes connections and one event after the other is tried alone.
	backoffHunting = 2 * time.Second
	// idlePoll is how often an idle loop looks for work that nobody announced.
	idlePoll = time.Second
)

// deliver pushes the queue to TAK, window by window, for ever: an outage of any length drops nothing.
func (r *Relay) deliver(ctx context.Context) {
	var link Link
	defer func() {
		if link != nil {
			_ = link.Close() // the server has confirmed what was marked delivered; nothing is owed to this link
		}
	}()
	pause := backoff{}
	blame := suspect{}
	r.noteQueued(ctx)
	for ctx.Err() == nil {
		next, err := r.deliverWindow(ctx, link, &blame)
		link = next
		switch {
		case ctx.Err() != nil:
		case err != nil:
			r.takIs(false, err)
			wait(ctx, pause.next(blame.hunting()), nil)
		case blame.lost == 0: // a link that came up but lost its window is no reason to hurry
			pause.reset()
		}
	}
}

// deliverWindow sends one window over link, dialling it when it is nil, and waits for work when there is none.
// It returns the link to go on with, nil after a failure.
func (r *Relay) deliverWindow(ctx context.Context, link Link, blame *suspect) (Link, error) {
	if link == nil {
		fresh, err := r.opts.Dial(ctx)
		if err != nil {
			r.metrics.failed.Add(float64(r.pending()))
			return nil, err
		}
		link = fresh
	}
	r.takIs(true, nil)
	w, err := r.window(ctx, blame, link.Window())
	if err != nil {
		return link, err
	}
	if w.empty() {
		blame.nothingBehind()
		return r.idle(ctx, link, w.wait)
	}
	outcomes, err := r.send(ctx, link, w, blame)
	if err != nil {
		r.lanes.lose(w)
		_ = link.Close() // Send's error is the one that tells what happened
		return nil, err
	}
	if err := r.settle(ctx, w, outcomes); err != nil || blame.hunting() {
		return link, err
	}
	return r.showCameras(ctx, link, w.records)
}

// send sends the window and says what became of its records.
func (r *Relay) send(ctx context.Context, link Link, w *window, blame *suspect) ([]detection.Delivery, error) {
	events, sent, outcomes := r.encode(w.records)
	if len(events) == 0 {
		return outcomes, nil
	}
	err := link.Send(ctx, events)
	var partly Refusal
	if err != nil && !errors.As(err, &partly) {
		r.metrics.failed.Add(float64(len(events)))
		blame.failed(w.records[0].Detection.ID, w.last)
		return nil, err
	}
	taken := len(sent)
	if partly != nil {
		taken -= r.refuse(sent, partly.Refused())
	}
	outcomes = append(outcomes, sent...)
	r.metrics.pushed.Add(float64(taken))
	if taken == 0 { // it says nothing about the events before
		return outcomes, nil
	}
	for _, id := range blame.delivered() {
		r.log.Error("TAK hangs up on this event and takes the next one; it goes to the dead letters", "detection_id", id)
		outcomes = append(outcomes, r.dead(id, "the TAK server hung up on it each time"))
	}
	return outcomes, nil
}

// refuse makes dead letters of the events that the server does not take, and says how many there are.
func (r *Relay) refuse(sent []detection.Delivery, reasons map[int]string) (refused int) {
	for i := range sent {
		reason, ok := reasons[i]
		if !ok {
			continue
		}
		r.log.Error("TAK refuses this event; it goes to the dead letters", "detection_id", sent[i].ID, "reason", reason)
		sent[i] = r.dead(sent[i].ID, reason)
		refused++
	}
	r.metrics.failed.Add(float64(refused))
	return refused
}

// window is what to send next. While windows are lost it is the front of the queue, until something gets through: then the
// one event that is the cause can be found.
func (r *Relay) window(ctx context.Context, blame *suspect, limit int) (*window, error) {
	now := r.opts.Now()
	if blame.lost == 0 && !blame.hunting() {
		return r.lanes.next(ctx, now, limit)
	}
	after, size := blame.window(limit)
	return r.lanes.inOrder(ctx, now, after, size)
}

// settle records how the window ended.
func (r *Relay) settle(ctx context.Context, w *window, outcomes []detection.Delivery) error {
	now := r.opts.Now()
	for i := range w.leftOut {
		out := &w.leftOut[i]
		outcomes = append(outcomes, detection.Delivery{ID: out.record.Detection.ID, Outcome: out.outcome, At: now})
	}
	if err := r.opts.Queue.MarkDelivered(ctx, outcomes); err != nil {
		r.lanes.restart() // some of it is sent again, with the same uid
		return err
	}
	r.lanes.settle(w, outcomes, now)
	r.metrics.leftOut(w.leftOut)
	wake(r.unsynced)
	return nil
}

// noteQueued takes in the series of what was queued before this process began.
func (r *Relay) noteQueued(ctx context.Context) {
	for after := int64(0); r.opts.Series != nil; {
		records, last, err := r.opts.Queue.Undelivered(ctx, after, syncBatch)
		if err != nil && ctx.Err() == nil {
			r.log.Warn("read the queue; of some tracks older sightings are sent as well", "error", err)
		}
		if err != nil || len(records) == 0 {
			return
		}
		for i := range records {
			r.lanes.series.note(&records[i].Detection)
		}
		after = last
	}
}

// idle waits for work and notices a link that dies meanwhile.
func (r *Relay) idle(ctx context.Context, link Link, longest time.Duration) (Link, error) {
	select {
	case <-link.Lost():
		_ = link.Close() // it is dead; Err tells of what
		return nil, fmt.Errorf("idle link: %w", link.Err())
	case <-time.After(min(longest, idlePoll)):
	case <-r.undeliver:
	case <-ctx.Done():
	}
	return link, nil
}

// pending is what a failed attempt could have delivered, as far as the failure metric counts it.
func (r *Relay) pending() int64 { return min(r.opts.Queue.Depth().Undelivered, failureWindow) }

// encode renders the events and says what becomes of their records when they are delivered. Those that cannot be encoded
// never will be: they go to the dead letters, not round for ever.
func (r *Relay) encode(records []detection.Record) (events [][]byte, sent, dead []detection.Delivery) {
	now := r.opts.Now()
	for _, record := range records {
		id := record.Detection.ID
		event, err := r.opts.Encode(record.Detection, now)
		if err != nil {
			r.log.Error("encode the CoT event; it goes to the dead letters", "detection_id", id, "error", err)
			dead = append(dead, r.dead(id, err.Error()))
			continue
		}
		events = append(events, event)
		sent = append(sent, detection.Delivery{ID: id, Outcome: detection.Delivered, At: now})
	}
	return events, sent, dead
}

func (r *Relay) dead(id, reason string) detection.Delivery {
	return detection.Delivery{ID: id, Outcome: detection.DeadLettered, At: r.opts.Now(), Reason: reason}
}

func (r *Relay) takIs(up bool, cause error) {
	if r.takDown.Swap(!up) == !up {
		return
	}
	if up {
		r.log.Info("TAK is connected", "queued", r.opts.Queue.Depth().Undelivered)
		wake(r.unsynced) // this pod's rows are its own again: the store must know before others take them
		return
	}
	r.log.Warn("TAK is lost; events are kept and sent when it is back", "error", cause)
}

// backoff doubles a pause up to backoffMax, with jitter so that pods do not come back all at once.
type backoff struct{ last time.Duration }

func (b *backoff) next(hunting bool) time.Duration {
	longest := backoffMax
	if hunting {
		longest = backoffHunting
	}
	b.last = min(max(2*b.last, backoffFirst), longest)
	return b.last/2 + rand.N(b.last/2)
}

func (b *backoff) reset() { b.last = 0 }

// wait returns when the time is over, something arrives on wakeUp or ctx ends.
func wait(ctx context.Context, d time.Duration, wakeUp <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wakeUp:
	case <-ctx.Done():
	}
}
