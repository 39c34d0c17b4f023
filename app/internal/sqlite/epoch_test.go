package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/detection/storetest"
	"github.com/detection-api/detection-api/app/internal/torture"
)

// race is a writer that goes on until it cannot, while another one opens the same file.
type race struct {
	store *Store
	fatal chan error
	next  atomic.Int64 // records acknowledged
	stop  atomic.Bool
	ended chan error
}

func startRace(t *testing.T, dir string, unfenced bool) *race {
	t.Helper()
	r := &race{fatal: make(chan error, 1), ended: make(chan error, 1)}
	r.store = openRacer(t, dir, unfenced, func(err error) { r.fatal <- err })
	go func() {
		var err error
		for err == nil && !r.stop.Load() {
			n := int(r.next.Load())
			if err = r.store.Commit(context.Background(), storetest.Records(n, n+1, "old")); err == nil {
				r.next.Add(1)
				_, err = r.store.Stats(context.Background()) // a gap for the other one
			}
		}
		r.ended <- err
	}()
	return r
}

func openRacer(t *testing.T, dir string, unfenced bool, fatal func(error)) *Store {
	t.Helper()
	return openStore(t, StoreOptions{Options: Options{
		Dir: dir, MinFreeBytes: -1, Fatal: fatal, unlocked: true, unfenced: unfenced,
	}})
}

// committedBy counts an owner's detections.
func committedBy(t *testing.T, s *Store, owner string) (n int64) {
	t.Helper()
	if err := s.file.readers.QueryRow("SELECT count(*) FROM detections WHERE owner = ?", owner).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// raceOnce returns how many records the old writer acknowledged in all, how many of them are missing, and how many it
// committed after the new one was open.
func raceOnce(t *testing.T, unfenced bool) (acknowledged, lost, late int64) {
	t.Helper()
	dir := scratchDir(t)
	old := startRace(t, dir, unfenced)
	for old.next.Load() < 2 {
		runtime.Gosched()
	}
	now := openRacer(t, dir, unfenced, func(err error) { t.Errorf("the new writer was stopped: %v", err) })
	before := committedBy(t, now, "old")
	if unfenced {
		for goal := old.next.Load() + 2; old.next.Load() < goal; {
			runtime.Gosched()
		}
		old.stop.Store(true)
	}
	if err := <-old.ended; !unfenced {
		holdStopped(t, old, err)
		if err := now.Commit(t.Context(), storetest.Records(1_000_000, 1_000_001, "new")); err != nil {
			t.Errorf("the new writer cannot commit: %v", err)
		}
	}
	after := committedBy(t, now, "old")
	acknowledged = old.next.Load()
	if err := errors.Join(old.store.Close(), now.Close()); err != nil {
		t.Error(err)
	}
	if !unfenced {
		if _, err := Inspect(t.Context(), filepath.Join(dir, storeName)); err != nil {
			t.Error(err)
		}
	}
	return acknowledged, max(0, acknowledged-after), after - before
}

func holdStopped(t *testing.T, old *race, err error) {
	t.Helper()
	if !errors.Is(err, errSuperseded) || !errors.Is(err, detection.ErrUnavailable) {
		t.Errorf("the old writer ended with %v", err)
	}
	if told := <-old.fatal; !errors.Is(told, errSuperseded) {
		t.Errorf("Fatal was told %v", told)
	}
	if err := old.store.Ready(t.Context()); err == nil {
		t.Error("the old writer says that it is ready")
	}
}

// TestTwoWritersOnOneFile opens a second writer, past the lock file, while the first one commits without a pause: the first
// commits nothing from then on and its process is told to end. The positive control does not look at the epoch.
func TestTwoWritersOnOneFile(t *testing.T) {
	budget, long := torture.Budget(t)
	end := time.Now().Add(budget)
	result := torture.Result{What: "two writers on one file"}
	least := 80
	if long {
		least = 200
	}
	for result.Rounds < least || time.Now().Before(end) {
		acknowledged, lost, late := raceOnce(t, false)
		result.Rounds++
		result.Acknowledged += int(acknowledged)
		result.Lost += int(lost)
		if lost > 0 || late > 0 || t.Failed() {
			t.Fatalf("race %d: %d acknowledged records are missing, %d were committed under the old epoch", result.Rounds, lost, late)
		}
	}
	var late int64
	for range 5 {
		_, _, n := raceOnce(t, true)
		late += n
	}
	if late == 0 {
		t.Error("without the epoch nothing was committed by the old writer either: the test proves nothing")
	}
	result.Control = fmt.Sprintf("without the epoch the old writer committed %d more in 5 races", late)
	torture.Report(t, result)
}
