package sqlite

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/detection/storetest"
	"github.com/detection-api/detection-api/app/internal/sqlite/crashvfs"
)

// TestQueueSyncsOnlyWhatIsNowhereElse counts the syncs of the log: none for copies of what the store has and for marks, one
// for each record that is only here, also right after and before the others.
func TestQueueSyncsOnlyWhatIsNowhereElse(t *testing.T) {
	dir := t.TempDir()
	rec, err := crashvfs.Record(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	q := openQueue(t, QueueOptions{Options: Options{Dir: dir}})
	ctx := t.Context()
	if err := q.Put(ctx, storetest.Queued(0, 1, false)); err != nil {
		t.Fatal(err) // the first transaction of a log syncs its header
	}
	for n, step := range []struct {
		name  string
		syncs int
		run   func() error
	}{
		{"copies", 0, func() error { return q.Put(ctx, storetest.Queued(10, 20, true)) }},
		{"the only one", 1, func() error { return q.Put(ctx, storetest.Queued(20, 21, false)) }},
		{"the only one again", 1, func() error { return q.Put(ctx, storetest.Queued(21, 22, false)) }},
		{"one of two", 1, func() error {
			return q.Put(ctx, append(storetest.Queued(22, 23, true), storetest.Queued(23, 24, false)...))
		}},
		{"marks", 0, func() error {
			return errors.Join(q.MarkStored(ctx, storetest.IDs(20, 24)),
				q.MarkDelivered(ctx, storetest.Deliveries(10, 20, detection.Delivered, time.Now())),
				q.MarkAcknowledged(ctx, storetest.IDs(10, 20)))
		}},
		{"the only one after marks", 1, func() error { return q.Put(ctx, storetest.Queued(24, 25, false)) }},
	} {
		q.file.writer.walBytes.Store(math.MinInt64 / 2) // no checkpoint: it would sync too
		before := syncsOf(rec.Log())
		if err := step.run(); err != nil {
			t.Fatalf("step %d, %s: %v", n, step.name, err)
		}
		if got := syncsOf(rec.Log()) - before; got != step.syncs {
			t.Errorf("%s: %d syncs of the log, want %d", step.name, got, step.syncs)
		}
	}
}

// copiesUnderPower is a queue in which copies and marks, which are not synced, are mixed with what is nowhere else.
type copiesUnderPower struct{ queueUnderPower }

func (p copiesUnderPower) work(t *testing.T, dir string, rec *crashvfs.Recorder, first int, _ *rand.Rand) {
	q, err := p.open(dir, func(err error) { t.Errorf("fatal: %v", err) })
	if err != nil {
		t.Fatal(err)
	}
	callersWork(t, p.steps, func(n int) error {
		from := first + 8*n
		if err := q.Put(t.Context(), storetest.Queued(from+1, from+3, true)); err != nil {
			return err
		}
		if err := q.Put(t.Context(), storetest.Queued(from, from+1, false)); err != nil {
			return err
		}
		rec.Acknowledge(storetest.ID(from))
		if n%10 == 5 {
			pressCheckpoint(q.file, n/10)
		}
		return q.MarkDelivered(t.Context(), storetest.Deliveries(from, from+2, detection.Delivered, time.Now()))
	})
	if err := q.Close(); err != nil {
		t.Error(err)
	}
}

// TestPowerCutCostsNoneThatIsNowhereElse cuts the power all over such a run. The control asks for no syncs at all.
func TestPowerCutCostsNoneThatIsNowhereElse(t *testing.T) {
	for _, c := range []struct {
		synchronous string
		mustLose    bool
	}{{syncFull, false}, {"NORMAL", true}} {
		random := rand.New(rand.NewPCG(1, 2))
		subject := copiesUnderPower{queueUnderPower{c.synchronous, 40}}
		log := recordRun(t, subject, t.TempDir(), 0, random)
		result := &cutResult{}
		cutAll(t, subject, log, nil, spread(len(log), 80, random), random.Uint64(), result)
		if lost := result.lost.Load(); (lost > 0) != c.mustLose {
			t.Errorf("%s: %d of %d lost; want a loss: %v", c.synchronous, lost, result.acknowledged.Load(), c.mustLose)
		}
	}
}

func syncsOf(log crashvfs.Log) (n int) {
	for _, e := range log {
		if e.Kind == crashvfs.Sync && e.Name == "queue.db-wal" {
			n++
		}
	}
	return n
}
