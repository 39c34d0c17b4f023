package sqlite

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/detection-api/detection-api/app/internal/detection"
)

var _ detection.Queue = (*Queue)(nil)

// errQueue is not detection.ErrUnavailable: that one speaks of the store.
var errQueue = &detection.Error{Code: detection.CodeUnavailable, Message: "this pod's queue cannot be used"}

const (
	// defaultMaxQueueBytes is 1 GiB: some 500,000 detections.
	defaultMaxQueueBytes = 1 << 30
	pageBytes            = 4096
	// reopenTenths of the cap must be undershot before a full queue takes records again, so that it does not flap.
	reopenTenths = 9
	// copyTenths of the cap may be taken by records that the store has too. The rest is for those that are nowhere else:
	// a long outage of TAK alone must not make a pod refuse detections that the store would take.
	copyTenths = 5
)

// Queue is what this pod has accepted and not yet handed on.
type Queue struct {
	file     *file
	backlog  *backlog
	maxBytes int64
	reserved atomic.Int64 // bytes of Put calls under way
	full     atomic.Bool
	setAside []string

	unreadable sync.Map // positions of items that cannot be decoded and were told
}

// QueueOptions shape a Queue.
type QueueOptions struct {
	Options
	// MaxBytes is how much the queue may hold: the pages in use, without the write-ahead log (up to 32 MiB more). Records
	// that the store has are refused from half of it on. Default 1 GiB. On an emptyDir it must be below the sizeLimit, or the whole pod is evicted.
	MaxBytes int64
}

// OpenQueue opens opts.Dir/queue.db or makes it. A file that is damaged is set aside under another name, never emptied.
// Close must be called.
func OpenQueue(ctx context.Context, opts QueueOptions) (*Queue, error) {
	opts.setDefaults()
	if opts.MaxBytes <= 0 {
		opts.MaxBytes = defaultMaxQueueBytes
	}
	q := &Queue{backlog: &backlog{}, maxBytes: opts.MaxBytes}
	var err error
	q.file, err = openFile(ctx, opts.Options, "queue.db", q.backlog, func(path string) error {
		if err := saveDamagedLog(ctx, path, opts.Now(), opts.Logger); err != nil {
			return err
		}
		if err := setAsideIfDamaged(ctx, path, opts.Now(), opts.Logger); err != nil {
			return err
		}
		q.setAside = listSetAside(path)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return q, nil
}

// Close commits what is under way, empties the log and gives the file free.
func (q *Queue) Close() error { return q.file.close() }

// SetAside returns the paths of damaged queues in the directory, set aside now or at an earlier start: each holds
// detections that were acknowledged and may not have been handed on.
func (q *Queue) SetAside() []string { return slices.Clone(q.setAside) }

// Ready returns nil while the queue can take records; the error says why it cannot.
func (q *Queue) Ready(ctx context.Context) error {
	err := q.file.ready(ctx)
	if err == nil && q.isFull() {
		err = detection.ErrFull
	}
	return translate("queue", errQueue, err)
}

// Depth implements detection.Queue.
func (q *Queue) Depth() detection.QueueDepth {
	b := q.backlog
	return detection.QueueDepth{
		Undelivered: b.undelivered.Load(),
		Unstored:    b.unstored.Load(),
		Bytes:       b.pages.Load()*pageBytes + sizeOf(q.file.path+"-wal"),
		Full:        q.isFull(),
	}
}

// isFull has hysteresis: a queue that has refused a record stays full until a tenth of the cap is free.
func (q *Queue) isFull() bool {
	used := q.backlog.usedPages.Load() * pageBytes
	if used >= q.maxBytes {
		q.full.Store(true)
	} else if used < q.maxBytes/10*reopenTenths {
		q.full.Store(false)
	}
	return q.full.Load()
}

// reserve counts bytes against the cap until they are committed, so that concurrent callers cannot pass it together.
// copies says that the store has all that they hold.
func (q *Queue) reserve(bytes int64, copies bool) (release func(), err error) {
	if err := q.file.space.check(); err != nil {
		return nil, err
	}
	held := q.reserved.Add(bytes)
	release = func() { q.reserved.Add(-bytes) }
	used := q.backlog.usedPages.Load() * pageBytes
	if q.isFull() || used+held > q.maxBytes {
		release()
		q.full.Store(true)
		return nil, fmt.Errorf("%d of %d bytes used: %w", used, q.maxBytes, detection.ErrFull)
	}
	if copies && used+held > q.maxBytes/10*copyTenths {
		release()
		return nil, fmt.Errorf("%d of %d bytes used, no room for a copy of what the store has: %w", used, q.maxBytes, detection.ErrFull)
	}
	return release, nil
}

// item is a queued record as the writer needs it.
type item struct {
	id     string
	stored bool
	state  int
	body   []byte
}

// Put implements detection.Queue.
func (q *Queue) Put(ctx context.Context, items []detection.Queued) error {
	rows, bytes, err := encodeItems(items)
	if err != nil || len(rows) == 0 {
		return err
	}
	copies := !slices.ContainsFunc(rows, func(row item) bool { return !row.stored })
	release, err := q.reserve(bytes, copies)
	if err != nil {
		return translate("queue records", errQueue, err)
	}
	defer release()
	o := &op{rows: len(rows), bytes: bytes, repeatable: copies, run: func() error {
		for i := range rows {
			if err := q.backlog.insert(&rows[i]); err != nil {
				return err
			}
		}
		return nil
	}}
	return translate("queue records", errQueue, q.file.writer.do(ctx, o))
}

func encodeItems(items []detection.Queued) (rows []item, bytes int64, err error) {
	rows = make([]item, 0, len(items))
	for i := range items {
		in := &items[i]
		if in.Record.Detection.ID == "" {
			return nil, 0, detection.Invalid("detection_id", "must not be empty")
		}
		row := item{id: in.Record.Detection.ID, stored: in.Stored, state: stateOwed}
		if !in.Record.Deliver {
			row.state = stateNothingOwed
		}
		if row.stored && row.state == stateNothingOwed {
			continue // nothing is open about it
		}
		if row.body, err = in.Record.AppendJSON(nil); err != nil {
			return nil, 0, err
		}
		row.body = seal(row.body)
		rows = append(rows, row)
		bytes += int64(len(row.body)) + rowOverheadBytes
	}
	return rows, bytes, nil
}

// MarkStored implements detection.Queue.
func (q *Queue) MarkStored(ctx context.Context, ids []string) error {
	ids = slices.Clone(ids)
	return q.mark(ctx, "mark records stored", len(ids), func() error {
		for _, id := range ids {
			if err := q.backlog.store(id); err != nil {
				return err
			}
		}
		return q.backlog.sweep()
	})
}

// MarkDelivered implements detection.Queue.
func (q *Queue) MarkDelivered(ctx context.Context, deliveries []detection.Delivery) error {
	deliveries = slices.Clone(deliveries)
	return q.mark(ctx, "mark records delivered", len(deliveries), func() error {
		for i := range deliveries {
			if err := q.backlog.deliver(&deliveries[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// MarkAcknowledged implements detection.Queue. An id that is still owed to TAK or to the store stays.
func (q *Queue) MarkAcknowledged(ctx context.Context, ids []string) error {
	ids = slices.Clone(ids)
	return q.mark(ctx, "take records off", len(ids), func() error {
		for _, id := range ids {
			if _, err := q.backlog.remove.Exec(id); err != nil {
				return err
			}
		}
		return nil
	})
}

// markBytes is about what changing n rows adds to the log.
func markBytes(n int) int64 { return int64(n) * rowOverheadBytes }

// mark changes n rows. A power cut may undo it: then the store is told again what it knows and TAK gets an event again with
// the same uid, but nothing is forgotten.
func (q *Queue) mark(ctx context.Context, doing string, n int, run func() error) error {
	if n == 0 {
		return nil
	}
	o := &op{rows: n, bytes: markBytes(n), repeatable: true, run: run}
	return translate(doing, errQueue, q.file.writer.do(ctx, o))
}
