package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/detection/storetest"
	"github.com/detection-api/detection-api/app/internal/groupcommit"
	"github.com/detection-api/detection-api/app/internal/sqlite/crashvfs"
)

// callersWork runs count steps in the hands of several callers.
func callersWork(t *testing.T, count int, step func(n int) error) {
	t.Helper()
	var next atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for n := int(next.Add(1)) - 1; n < count; n = int(next.Add(1)) - 1 {
				if err := step(n); err != nil {
					t.Errorf("step %d: %v", n, err)
				}
			}
		})
	}
	all.Wait()
}

// pressCheckpoint asks for a checkpoint: at even n beside the writer, at odd n by it.
func pressCheckpoint(f *file, n int) {
	if f.writer.walBytes.Add(1); n%2 == 0 {
		f.writer.walPressing()
	} else {
		f.writer.wantCheckpoint.Store(true)
	}
}

type storeUnderPower struct {
	synchronous string
	steps       int
}

func (p storeUnderPower) open(dir string, fatal func(error)) (*Store, error) {
	return OpenStore(context.Background(), StoreOptions{Options: Options{Dir: dir, MinFreeBytes: -1, Fatal: fatal, synchronous: p.synchronous}})
}

func (p storeUnderPower) work(t *testing.T, dir string, rec *crashvfs.Recorder, first int, random *rand.Rand) {
	ctx := t.Context()
	s, err := p.open(dir, func(err error) { t.Errorf("fatal: %v", err) })
	if err != nil {
		t.Fatal(err)
	}
	pages := 1 + random.IntN(4)
	callersWork(t, p.steps, func(n int) error {
		from := first + n*8
		to := from + 1 + n%pages
		if err := s.Commit(ctx, storetest.Records(from, to, "pod-a")); err != nil {
			return err
		}
		rec.Acknowledge(storetest.IDs(from, to)...)
		switch n % 10 {
		case 3:
			if err := s.Acknowledge(ctx, storetest.Deliveries(from, from+1, detection.Delivered, time.Now())); err != nil {
				return err
			}
			rec.Acknowledge("-" + storetest.ID(from))
		case 5:
			pressCheckpoint(s.file, n/10)
		case 7:
			return copyOnce(ctx, s)
		}
		return nil
	})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func copyOnce(ctx context.Context, s *Store) error {
	c, err := s.Copy(ctx)
	if errors.Is(err, ErrCopyRuns) {
		return nil
	}
	if err != nil {
		return err
	}
	return c.Close()
}

func (p storeUnderPower) check(dir string, acknowledged []string) (lost int, err error) {
	var fatal atomic.Pointer[error]
	s, err := storeUnderPower{synchronous: syncFull}.open(dir, func(err error) { fatal.Store(&err) })
	if err != nil {
		return 0, err
	}
	have, err := readIDs(s.file, "SELECT id FROM detections UNION ALL SELECT '+' || id FROM detections JOIN outbox USING (seq)")
	if err = errors.Join(err, s.Close()); err != nil {
		return 0, err
	}
	if told := fatal.Load(); told != nil {
		return 0, *told
	}
	if sizeOf(filepath.Join(dir, storeName+copySuffix)) > 0 {
		return 0, errors.New("what was left of a copy is still there")
	}
	for _, id := range acknowledged {
		if delivered, ok := strings.CutPrefix(id, "-"); ok {
			if have["+"+delivered] {
				lost++
			}
		} else if !have[id] {
			lost++
		}
	}
	_, err = Inspect(context.Background(), filepath.Join(dir, storeName))
	return lost, err
}

func readIDs(f *file, query string) (map[string]bool, error) {
	rows, err := f.readers.Query(query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	have := map[string]bool{}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		have[id] = true
	}
	return have, rows.Err()
}

type queueUnderPower struct {
	synchronous string
	steps       int
}

func (p queueUnderPower) open(dir string, fatal func(error)) (*Queue, error) {
	return OpenQueue(context.Background(), QueueOptions{Options: Options{Dir: dir, MinFreeBytes: -1, Fatal: fatal, synchronous: p.synchronous}})
}

func (p queueUnderPower) work(t *testing.T, dir string, rec *crashvfs.Recorder, first int, random *rand.Rand) {
	ctx := t.Context()
	q, err := p.open(dir, func(err error) { t.Errorf("fatal: %v", err) })
	if err != nil {
		t.Fatal(err)
	}
	pages := 1 + random.IntN(4)
	callersWork(t, p.steps, func(n int) error {
		from := first + n*8
		to := from + 1 + n%pages
		if err := q.Put(ctx, storetest.Queued(from, to, false)); err != nil {
			return err
		}
		ids := storetest.IDs(from, to)
		switch n % 10 {
		case 3: // gone: the store has it and TAK too
			return errors.Join(q.MarkStored(ctx, ids),
				q.MarkDelivered(ctx, storetest.Deliveries(from, to, detection.Delivered, time.Now())), q.MarkAcknowledged(ctx, ids))
		case 5:
			pressCheckpoint(q.file, n/10)
		}
		rec.Acknowledge(ids...)
		return nil
	})
	if err := q.Close(); err != nil {
		t.Error(err)
	}
}

func (p queueUnderPower) check(dir string, acknowledged []string) (lost int, err error) {
	var fatal atomic.Pointer[error]
	q, err := queueUnderPower{synchronous: syncFull}.open(dir, func(err error) { fatal.Store(&err) })
	if err != nil {
		return 0, err
	}
	if len(q.SetAside()) > 0 {
		return 0, errors.Join(fmt.Errorf("set aside %v", q.SetAside()), q.Close())
	}
	have, err := readIDs(q.file, "SELECT id FROM items UNION ALL SELECT integrity_check FROM pragma_integrity_check")
	if err = errors.Join(err, q.Close()); err != nil {
		return 0, err
	}
	if told := fatal.Load(); told != nil {
		return 0, *told
	}
	if !have["ok"] {
		return 0, fmt.Errorf("integrity check: %v", have)
	}
	for _, id := range acknowledged {
		if !have[id] {
			lost++
		}
	}
	return lost, nil
}

// trust makes a writer acknowledge whatever COMMIT says.
func trust(w *writer) {
	w.group.Close()
	w.group = groupcommit.New(groupcommit.Options[*op]{}, func(ops []*op) error {
		_ = w.batch(ops)
		return nil
	})
}

type trustingStore struct{ storeUnderPower }

func (p trustingStore) use(f *faultRun, dir string) {
	if s, err := p.open(dir, f.die); err == nil {
		trust(s.file.writer)
		f.file = s.file
		useStore(f, s)
	}
}

type trustingQueue struct{ queueUnderPower }

func (p trustingQueue) use(f *faultRun, dir string) {
	if q, err := p.open(dir, f.die); err == nil {
		trust(q.file.writer)
		f.file = q.file
		useQueue(f, q)
	}
}

func (p storeUnderPower) use(f *faultRun, dir string) {
	if s, err := p.open(dir, f.die); err == nil {
		f.file = s.file
		useStore(f, s)
	}
}

func (p queueUnderPower) use(f *faultRun, dir string) {
	if q, err := p.open(dir, f.die); err == nil {
		f.file = q.file
		useQueue(f, q)
	}
}

func useStore(f *faultRun, s *Store) {
	ctx := context.Background()
	for n := range 6 {
		f.change(storetest.IDs(2*n, 2*n+2), func() error { return s.Commit(ctx, storetest.Records(2*n, 2*n+2, "pod-a")) })
		switch n {
		case 1:
			f.change([]string{"-" + storetest.ID(0)}, func() error {
				return s.Acknowledge(ctx, storetest.Deliveries(0, 1, detection.Delivered, time.Now()))
			})
		case 2:
			_ = copyOnce(ctx, s)
		case 3, 4:
			pressCheckpoint(s.file, n)
		}
		_, _ = s.Get(ctx, storetest.ID(0))
	}
	_ = s.Close()
}

func useQueue(f *faultRun, q *Queue) {
	ctx := context.Background()
	for n := range 6 {
		f.change(storetest.IDs(2*n, 2*n+2), func() error { return q.Put(ctx, storetest.Queued(2*n, 2*n+2, false)) })
		switch n {
		case 1:
			f.change(nil, func() error { return q.MarkStored(ctx, storetest.IDs(0, 1)) })
		case 3, 4:
			pressCheckpoint(q.file, n)
		}
		_, _ = q.Unstored(ctx, 1)
	}
	_ = q.Close()
}

// changer is a subject that takes records one at a time.
type changer interface {
	powerSubject
	change(t *testing.T, dir string) (change func(n int) error, stop func())
}

func (p storeUnderPower) change(t *testing.T, dir string) (change func(n int) error, stop func()) {
	t.Helper()
	s, err := p.open(dir, func(err error) { t.Errorf("fatal: %v", err) })
	if err != nil {
		t.Fatal(err)
	}
	change = func(n int) error {
		pressCheckpoint(s.file, n)
		return s.Commit(context.Background(), storetest.Records(n, n+1, "pod-a"))
	}
	return change, func() { _ = s.Close() }
}

func (p queueUnderPower) change(t *testing.T, dir string) (change func(n int) error, stop func()) {
	t.Helper()
	q, err := p.open(dir, func(err error) { t.Errorf("fatal: %v", err) })
	if err != nil {
		t.Fatal(err)
	}
	change = func(n int) error {
		pressCheckpoint(q.file, n)
		return q.Put(context.Background(), storetest.Queued(n, n+1, false))
	}
	return change, func() { _ = q.Close() }
}
