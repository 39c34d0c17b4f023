package sqlite

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/detection-api/detection-api/app/internal/detection/storetest"
	"github.com/detection-api/detection-api/app/internal/sqlite/crashvfs"
)

// TestAnIOErrorSetsNoQueueAside lets each read of a start fail once: that says nothing about the database, which must be
// there, whole, the next time.
func TestAnIOErrorSetsNoQueueAside(t *testing.T) {
	dir := scratchDir(t)
	subject := queueUnderPower{synchronous: syncFull}
	q, err := subject.open(dir, func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(q.Put(t.Context(), storetest.Queued(0, 100, false)), q.Close()); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for n, touched := 1, true; touched; n++ {
		rec, err := crashvfs.Record(dir, true)
		if err != nil {
			t.Fatal(err)
		}
		run := &faultRun{nth: n, rec: rec}
		run.start(rand.New(rand.NewPCG(1, 1)))
		if q, err := subject.open(dir, run.die); err == nil {
			run.file = q.file
			_ = q.Close()
		} else {
			failed++
		}
		touched = run.failed.Load()
		run.release()
		if aside, _ := filepath.Glob(filepath.Join(dir, "*"+asideMark+"*")); len(aside) > 0 {
			t.Fatalf("call %d failed, and the queue was set aside: %v", n, aside)
		}
	}
	if lost, err := subject.check(dir, storetest.IDs(0, 100)); lost > 0 || err != nil || failed == 0 {
		t.Errorf("after %d starts that failed: %d lost, %v", failed, lost, err)
	}
}

// TestAFailedDiskIsLeftAlone holds that nothing is carried from the log into the database once a sync has failed: neither by
// the checkpoint of each second nor by Close.
func TestAFailedDiskIsLeftAlone(t *testing.T) {
	dir := scratchDir(t)
	s, err := storeUnderPower{synchronous: syncFull}.open(dir, func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	defer s.file.writers.Close()
	path := filepath.Join(dir, storeName)
	if err := s.Commit(context.Background(), storetest.Records(0, 10, "pod-a")); err != nil {
		t.Fatal(err)
	}
	s.file.writer.walBytes.Store(math.MinInt64 / 2) // no checkpoint before it fails
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s.file.writer.die(errors.New("checkpoint: input/output error"))
	s.file.writer.walBytes.Store(1)
	for range 3 { // the first one has been dealt with when there is room for the third
		s.file.checkpointer.kick <- struct{}{}
	}
	_ = s.Close()
	after, err := os.ReadFile(path)
	if err != nil || string(after) != string(before) || sizeOf(path+"-wal") == 0 {
		t.Errorf("the database changed or the log of %d bytes went: %v", sizeOf(path+"-wal"), err)
	}
	again := openStore(t, StoreOptions{Options: Options{Dir: dir}}) // the lock was given back
	if stats, err := again.Stats(t.Context()); err != nil || stats.Detections != 10 {
		t.Errorf("Stats = %+v, %v", stats, err)
	}
}
