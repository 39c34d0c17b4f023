package relay

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// fixedQueue owes TAK these records.
type fixedQueue struct {
	detection.Queue
	records []detection.Record
}

func (q fixedQueue) Undelivered(_ context.Context, after int64, limit int) ([]detection.Record, int64, error) {
	from := min(int(after), len(q.records))
	to := min(from+limit, len(q.records))
	return q.records[from:to], int64(to), nil
}

// TestARetractionDoesNotOvertakeWhatGrewOld has a detection that is live for a minute and its retraction, which is a little
// younger, at the moment when the first goes the way of the backlog and the other is still live.
func TestARetractionDoesNotOvertakeWhatGrewOld(t *testing.T) {
	now := time.Now()
	item := func(id, retracts string, age time.Duration) detection.Queued {
		d := detection.Detection{ID: id, Retracts: retracts, ReceivedAt: now.Add(-age)}
		return detection.Queued{Record: detection.Record{Detection: d, Deliver: true}}
	}
	seen, gone := item("seen", "", liveFor+time.Millisecond), item("gone", "seen", liveFor-time.Millisecond)
	l := lanes{
		queue: fixedQueue{records: []detection.Record{seen.Record, gone.Record}}, live: newLive(), series: newSeries(nil, 0),
		lookAt: now.Add(lookEvery),
	}
	for _, queued := range []detection.Queued{seen, gone} {
		l.live.expect([]detection.Queued{queued})
		l.live.add([]detection.Queued{queued}, queued.Record.Detection.ReceivedAt)
	}
	w, err := l.next(t.Context(), now, 64)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, record := range w.records {
		ids = append(ids, record.Detection.ID)
	}
	if want := []string{"seen", "gone"}; !slices.Equal(ids, want) {
		t.Errorf("the window has %q, want %q", ids, want)
	}
}
