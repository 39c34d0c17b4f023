package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

const (
	// recentEvents is how many entries are kept for all streams together: some MB. A stream that falls further behind reads
	// the record itself.
	recentEvents = 2048
	followLimit  = 256
	followWait   = 5 * time.Second
	followRetry  = time.Second // after an error
)

// event is an entry of the record as it goes to every stream that selects it.
type event struct {
	seq       int64
	detection *detection.Detection
	text      []byte
}

// follower reads what is new in the record once for all streams, while there are any.
type follower struct {
	catalogue detection.Catalogue
	logger    *slog.Logger

	mu      sync.Mutex
	readers int
	stop    context.CancelFunc // of the loop that reads, while there are readers
	// recent is every entry after the position since up to the position to.
	recent    []event
	since, to int64
	wake      chan struct{} // closed when there is more
}

// join begins to follow from the newest position on, which the first one says. Each join ends with a leave.
func (f *follower) join(newest int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readers++
	if f.readers > 1 {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	f.stop, f.recent, f.since, f.to, f.wake = stop, nil, newest, newest, make(chan struct{})
	go f.run(ctx, newest)
}

func (f *follower) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readers--
	if f.readers == 0 {
		f.stop()
		f.recent = nil
	}
}

// run reads until ctx ends. An error is logged when it begins, not for each attempt.
func (f *follower) run(ctx context.Context, position int64) {
	failing := false
	for ctx.Err() == nil {
		entries, err := f.catalogue.Follow(ctx, position, followLimit, followWait)
		if err != nil {
			if !failing && ctx.Err() == nil {
				f.logger.LogAttrs(ctx, slog.LevelWarn, "streams cannot follow the record", slog.Any("err", err))
			}
			failing = true
			pause(ctx)
			continue
		}
		failing = false
		if len(entries) > 0 {
			position = entries[len(entries)-1].Seq
			f.add(ctx, eventsOf(entries, f.logger), position)
		}
	}
}

func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(followRetry):
	}
}

func (f *follower) add(ctx context.Context, events []event, to int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Err() != nil {
		return // another loop may be on its way already
	}
	recent := append(f.recent, events...)
	if surplus := len(recent) - recentEvents; surplus > 0 {
		f.since = recent[surplus-1].seq
		recent = append(make([]event, 0, 2*recentEvents), recent[surplus:]...)
	}
	f.recent, f.to = recent, to
	close(f.wake)
	f.wake = make(chan struct{})
}

// after returns the entries after a position and up to which position they go, with what is closed when there are more. When
// behind, what is kept begins at the position to only. What it returns must not be changed.
func (f *follower) after(position int64) (events []event, to int64, behind bool, wake <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if position < f.since {
		return nil, f.since, true, f.wake
	}
	first := len(f.recent)
	for first > 0 && f.recent[first-1].seq > position {
		first--
	}
	return f.recent[first:len(f.recent):len(f.recent)], max(position, f.to), false, f.wake
}

func eventsOf(entries []detection.Entry, logger *slog.Logger) []event {
	events := make([]event, 0, len(entries))
	for i := range entries {
		text, err := eventText(&entries[i])
		if err != nil { // no value that was stored can be that odd
			logger.Error("an entry of the record cannot be streamed", "seq", entries[i].Seq, "err", err)
			continue
		}
		events = append(events, event{entries[i].Seq, &entries[i].Detection, text})
	}
	return events
}

// retractionEvent is what a stream says of a retraction.
type retractionEvent struct {
	ID           string    `json:"detection_id"`
	RetractionID string    `json:"retraction_id"`
	RetractedAt  time.Time `json:"retracted_at"`
	Reason       string    `json:"reason,omitempty"`
}

// eventText writes an entry as a server-sent event (HTML, section 9.2.6). JSON has no line breaks.
func eventText(e *detection.Entry) ([]byte, error) {
	d := &e.Detection
	name, data := "detection", any(nil)
	if d.Retracts != "" {
		name, data = "retraction", retractionEvent{d.Retracts, d.ID, d.ReceivedAt, d.Reason}
	} else {
		data = featureOf(d, e.RetractedAt)
	}
	text, err := json.Marshal(data)
	if err != nil {
		return nil, fmt.Errorf("encode entry %d: %w", e.Seq, err)
	}
	return fmt.Appendf(nil, "id: %d\nevent: %s\ndata: %s\n\n", e.Seq, name, text), nil
}
