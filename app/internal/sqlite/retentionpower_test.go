package sqlite

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/detection/storetest"
	"github.com/detection-api/detection-api/app/internal/sqlite/crashvfs"
	"github.com/detection-api/detection-api/app/internal/torture"
)

// retentionUnderPower is a store whose old detections and audit entries are removed, and whose dead letters are settled. Ten
// days pass with each step.
type retentionUnderPower struct {
	synchronous string
	steps       int
}

func (p retentionUnderPower) open(dir string, now func() time.Time, fatal func(error)) (*Store, error) {
	return OpenStore(context.Background(), StoreOptions{
		Options:   Options{Dir: dir, MinFreeBytes: -1, Now: now, Fatal: fatal, synchronous: p.synchronous},
		Retention: Retention{MaxAge: 30 * day, AuditMaxAge: MinAuditAge},
	})
}

func (p retentionUnderPower) work(t *testing.T, dir string, rec *crashvfs.Recorder, first int, _ *rand.Rand) {
	ctx := t.Context()
	var passed atomic.Int64 // days
	passed.Store(int64(first))
	now := func() time.Time {
		return time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(passed.Load()) * day)
	}
	s, err := p.open(dir, now, func(err error) { t.Errorf("fatal: %v", err) })
	if err != nil {
		t.Fatal(err)
	}
	callersWork(t, p.steps, func(n int) error {
		passed.Add(10)
		from := first + n*8
		records := storetest.Records(from, from+4, "pod-a")
		for i := range records {
			records[i].Detection.ReceivedAt = now()
		}
		if err := s.Commit(ctx, records); err != nil {
			return err
		}
		return p.settle(ctx, s, rec, n, from, now())
	})
	if at, err := readFloor(ctx, s.file.readers); err != nil || at.entry.Seq == 0 {
		t.Errorf("the audit trail was not cut: %v, %v", at, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// settle delivers two records, purges one, and leaves the fourth a dead letter, purges it or has it redriven.
func (p retentionUnderPower) settle(ctx context.Context, s *Store, rec *crashvfs.Recorder, n, from int, now time.Time) error {
	order := detection.Order{Operator: "tester", Reason: "power"}
	ids := storetest.IDs(from, from+4)
	err := s.Acknowledge(ctx, storetest.Deliveries(from, from+2, detection.Delivered, now))
	if err != nil {
		return err
	}
	rec.Acknowledge("-"+ids[0], "-"+ids[1])
	if err := s.Acknowledge(ctx, storetest.Deliveries(from+2, from+4, detection.DeadLettered, now)); err != nil {
		return err
	}
	rec.Acknowledge("-" + ids[2])
	if _, err := s.Purge(ctx, ids[2:3], order); err != nil {
		return err
	}
	rec.Acknowledge("p" + ids[2])
	switch {
	case n%10 == 9:
		_, err := s.Sweep(ctx)
		return err
	case n > p.steps/2:
		if _, err := s.Redrive(ctx, ids[3:], order); err != nil {
			return err
		}
		rec.Acknowledge("r" + ids[3])
	default:
		_, err := s.Purge(ctx, ids[3:], order)
		return err
	}
	return nil
}

func (p retentionUnderPower) check(dir string, acknowledged []string) (lost int, err error) {
	var fatal atomic.Pointer[error]
	s, err := retentionUnderPower{synchronous: syncFull}.open(dir, nil, func(err error) { fatal.Store(&err) })
	if err != nil {
		return 0, err
	}
	have, err := readIDs(s.file, `SELECT '+' || id FROM detections JOIN outbox USING (seq)
		UNION ALL SELECT '!' || id FROM detections JOIN dead_letters USING (seq)`)
	if err = errors.Join(err, s.Close()); err != nil {
		return 0, err
	}
	if told := fatal.Load(); told != nil {
		return 0, *told
	}
	for _, token := range acknowledged {
		owed, letter := have["+"+token[1:]], have["!"+token[1:]]
		switch {
		case token[0] == '-' && owed, token[0] == 'p' && (owed || letter), token[0] == 'r' && !owed:
			lost++
		}
	}
	_, err = Inspect(context.Background(), filepath.Join(dir, storeName))
	return lost, err
}

// TestPowerCutsDuringRetention cuts the power while detections and audit entries are removed and operators give orders. After
// each cut every detection that is gone is accounted for, and each order that was answered holds.
func TestPowerCutsDuringRetention(t *testing.T) {
	budget, long := torture.Budget(t)
	seed := torture.Seed(t)
	end := time.Now().Add(budget)
	full, weak := retentionUnderPower{syncFull, 40}, retentionUnderPower{"NORMAL", 40}
	control, total := &cutResult{}, &cutResult{}
	cutGenerations(t, weak, 1, 60, rand.New(rand.NewPCG(seed, 0)), control)
	cutGenerations(t, full, 2, 60, rand.New(rand.NewPCG(seed, 1)), total)
	for round := uint64(2); long && time.Now().Before(end); round++ {
		cutGenerations(t, full, 4, 300, rand.New(rand.NewPCG(seed, round)), total)
	}
	if total.lost.Load() > 0 || control.lost.Load() == 0 {
		t.Errorf("lost %d with FULL, %d with NORMAL", total.lost.Load(), control.lost.Load())
	}
	torture.Report(t, total.result("power cuts, retention and orders", "synchronous=NORMAL", control))
}
