package sqlite

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	sqlite3 "github.com/mattn/go-sqlite3"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/detection/storetest"
	"github.com/detection-api/detection-api/app/internal/sqlite/crashvfs"
	"github.com/detection-api/detection-api/app/internal/torture"
)

// patience is how long a run with a failing disk may take before it is said to hang.
const patience = time.Minute

// faultSubject is a kind of database whose disk fails.
type faultSubject interface {
	powerSubject
	// use opens the database, changes it and closes it, whatever fails. Each change goes through f.change.
	use(f *faultRun, dir string)
}

// fault says which calls fail, and how.
type fault struct {
	full    bool // writes for lack of room; otherwise all calls with an I/O error
	forEver bool // all from the N-th on; otherwise that one
}

func (f fault) String() string {
	return map[bool]string{false: "I/O error", true: "disk full"}[f.full] + map[bool]string{false: " once", true: " for ever"}[f.forEver]
}

// failure is what happens to a call; nil when this kind of fault does not concern it.
func (f fault) failure(c crashvfs.Call, random *rand.Rand) *crashvfs.Failure {
	if f.full {
		switch c.Op {
		case crashvfs.OpWrite:
			return &crashvfs.Failure{Code: int(sqlite3.ErrFull), Errno: syscall.ENOSPC, Part: random.IntN(c.Bytes)}
		case crashvfs.OpShmMap:
			return &crashvfs.Failure{Code: int(sqlite3.ErrIoErrSHMSize), Errno: syscall.ENOSPC}
		}
		return nil
	}
	codes := map[crashvfs.Op]sqlite3.ErrNoExtended{
		crashvfs.OpOpen: sqlite3.ErrNoExtended(sqlite3.ErrCantOpen), crashvfs.OpRead: sqlite3.ErrIoErrRead,
		crashvfs.OpWrite: sqlite3.ErrIoErrWrite, crashvfs.OpTruncate: sqlite3.ErrIoErrTruncate,
		crashvfs.OpSync: sqlite3.ErrIoErrFsync, crashvfs.OpDelete: sqlite3.ErrIoErrDelete,
		crashvfs.OpSize: sqlite3.ErrIoErrFstat, crashvfs.OpAccess: sqlite3.ErrIoErrAccess,
		crashvfs.OpLock: sqlite3.ErrIoErrLock, crashvfs.OpShmMap: sqlite3.ErrIoErrSHMMap, crashvfs.OpShmLock: sqlite3.ErrIoErrSHMLock,
	}
	made := &crashvfs.Failure{Code: int(codes[c.Op]), Errno: syscall.EIO}
	if c.Op == crashvfs.OpWrite {
		made.Part = random.IntN(c.Bytes)
	}
	return made
}

// faultRun is one run with a failing disk.
type faultRun struct {
	fault  fault
	nth    int
	rec    *crashvfs.Recorder
	file   *file
	failed atomic.Bool // a call was made to fail
	fatal  atomic.Pointer[error]
	wrong  []string
}

// change notes how a change ended; when it is acknowledged, ids are durable from now on.
func (f *faultRun) change(ids []string, run func() error) {
	before := f.fatal.Load()
	err := run()
	if err == nil {
		f.rec.Acknowledge(ids...)
	}
	if err == nil && before != nil {
		f.wrong = append(f.wrong, fmt.Sprintf("acknowledged %v after %v", ids, *before))
	}
	began := time.Now()
	for isFatal(err) && f.fatal.Load() == nil && time.Since(began) < patience {
		runtime.Gosched() // a checkpoint stops the writer first and calls Fatal then
	}
	if isFatal(err) && f.fatal.Load() == nil {
		f.wrong = append(f.wrong, fmt.Sprintf("Fatal was not called for %v", err))
	}
}

// release does what the end of the process would: a file whose disk failed keeps its connections.
func (f *faultRun) release() {
	f.rec.Fail(nil)
	if f.file != nil {
		_ = f.file.writers.Close()
	}
	f.rec.Close()
}

// checkAsItIs checks what the next process would find without a power cut.
func checkAsItIs(s powerSubject, dir string, acknowledged []string) (lost int, err error) {
	next, err := makeScratch()
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(next)
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	for _, file := range files {
		data, readErr := os.ReadFile(file)
		if err = errors.Join(err, readErr); !strings.HasSuffix(file, "-shm") {
			err = errors.Join(err, os.WriteFile(filepath.Join(next, filepath.Base(file)), data, 0o600))
		}
	}
	if err != nil {
		return 0, err
	}
	return s.check(next, acknowledged)
}

func (f *faultRun) die(err error) { f.fatal.CompareAndSwap(nil, &err) }

// start makes the nth call fail that the fault concerns.
func (f *faultRun) start(random *rand.Rand) {
	seen := 0
	f.rec.Fail(func(c crashvfs.Call) *crashvfs.Failure {
		made := f.fault.failure(c, random)
		if made == nil {
			return nil
		}
		if seen++; seen < f.nth || seen > f.nth && !f.fault.forEver {
			return nil
		}
		f.failed.Store(true)
		return made
	})
}

// TestFailingCalls lets the first, second, third ... call of a run fail until one goes through untouched. Nothing may be
// acknowledged that is not there afterwards, nor after a power cut on top; nothing may hang. The positive control is a
// writer that ignores the errors of COMMIT.
func TestFailingCalls(t *testing.T) {
	budget, long := torture.Budget(t)
	seed := torture.Seed(t)
	for _, c := range []struct {
		name             string
		subject, control faultSubject
	}{
		{"store", storeUnderPower{syncFull, 10}, trustingStore{storeUnderPower{syncFull, 10}}},
		{"queue", queueUnderPower{syncFull, 10}, trustingQueue{queueUnderPower{syncFull, 10}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			end := time.Now().Add(budget / 2)
			control, total := &cutResult{}, &cutResult{}
			failEach(t, c.control, leftover{}, fault{full: true, forEver: true}, 10, rand.New(rand.NewPCG(seed, 0)), control)
			stride := 29 // every call only at length
			if long {
				stride = 1
			}
			// A start that fails leaves connections for the end of the process, which is far away here: some 1,000 files a round.
			for round := uint64(1); round <= 2 || long && round <= 4 && time.Now().Before(end); round++ {
				random := rand.New(rand.NewPCG(seed, round))
				from := leftover{}
				if round%2 == 0 {
					from = leftOver(t, c.subject, random)
				}
				for _, kind := range []fault{{false, false}, {false, true}, {true, false}, {true, true}} {
					if round > 2 && time.Now().After(end) { // every call has failed at least once
						break
					}
					failEach(t, c.subject, from, kind, stride, random, total)
				}
			}
			if total.lost.Load() > 0 || control.lost.Load() == 0 {
				t.Errorf("%d lost, %d by the control", total.lost.Load(), control.lost.Load())
			}
			result := total.result("failing I/O calls, "+c.name, "a writer that ignores COMMIT errors", control)
			result.Notes = fmt.Sprintf("slowest run %v", total.slowest.Round(time.Millisecond))
			torture.Report(t, result)
		})
	}
}

// leftover is what a power cut has left, for a run that begins with it.
type leftover struct {
	image        crashvfs.Image
	acknowledged []string
}

func leftOver(t *testing.T, s powerSubject, random *rand.Rand) leftover {
	t.Helper()
	log := recordRun(t, s, scratchDir(t), 10_000, random)
	n := len(log)/2 + random.IntN(len(log)/2)
	return leftover{log.Image(n, anyFate(random)), log.Acknowledged(n)}
}

// failEach lets every stride-th call fail, one in each run, until a run is not touched any more.
func failEach(t *testing.T, s faultSubject, from leftover, kind fault, stride int, random *rand.Rand, total *cutResult) {
	t.Helper()
	for n := 1 + random.IntN(stride); ; n += stride {
		touched, err := failOnce(s, from, kind, n, random, total)
		if err != nil {
			t.Errorf("%v, call %d: %v", kind, n, err)
			return
		}
		if !touched {
			return
		}
	}
}

func failOnce(s faultSubject, from leftover, kind fault, n int, random *rand.Rand, total *cutResult) (touched bool, err error) {
	dir, err := makeScratch()
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	if err := from.image.WriteTo(dir); err != nil {
		return false, err
	}
	rec, err := crashvfs.Record(dir, true)
	if err != nil {
		return false, err
	}
	run := &faultRun{fault: kind, nth: n, rec: rec}
	run.start(rand.New(rand.NewPCG(random.Uint64(), 0)))
	began := time.Now()
	done := make(chan struct{})
	go func() { defer close(done); s.use(run, dir) }()
	select {
	case <-done:
	case <-time.After(patience):
		return true, fmt.Errorf("it hangs: no answer within %v", patience)
	}
	defer run.release()
	total.slowest = max(total.slowest, time.Since(began))
	if len(run.wrong) > 0 {
		return true, fmt.Errorf("%v", run.wrong)
	}
	log := rec.Log()
	acknowledged := slices.Concat(from.acknowledged, log.Acknowledged(len(log)))
	total.cuts.Add(1)
	total.acknowledged.Add(int64(len(acknowledged)))
	lost, err := checkAsItIs(s, dir, acknowledged)
	total.lost.Add(int64(lost))
	if err != nil {
		return true, err
	}
	lost, err = cut(s, log, len(log), acknowledged, random)
	total.lost.Add(int64(lost))
	if err == nil && run.fatal.Load() != nil {
		err = cutAfterRestart(s, rec, from, random, total)
	}
	return run.failed.Load(), err
}

// cutAfterRestart lets the next process go on, on the same kernel, which shows it what a failed sync has lost as if it were
// on the disk. The power goes at some moment after that.
func cutAfterRestart(s faultSubject, rec *crashvfs.Recorder, from leftover, random *rand.Rand, total *cutResult) error {
	dir, err := makeScratch()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	rec.Fail(nil)
	if err := rec.Restart(dir); err != nil {
		return err
	}
	marks, err := filepath.Glob(filepath.Join(dir, "*"+failedSuffix))
	if err != nil {
		return err
	}
	for _, mark := range marks {
		rec.Rewritten(strings.TrimSuffix(filepath.Base(mark), failedSuffix) + "-wal") // by OpenStore and OpenQueue: see below
	}
	began := len(rec.Log())
	run := &faultRun{rec: rec}
	s.use(run, dir)
	if left, _ := filepath.Glob(filepath.Join(dir, "*"+failedSuffix)); len(marks) != 1 || len(left) > 0 {
		return fmt.Errorf("after a restart: marked as failed %v, then %v", marks, left)
	}
	if len(run.wrong) > 0 || run.fatal.Load() != nil {
		return fmt.Errorf("after a restart: %v, fatal %v", run.wrong, run.fatal.Load())
	}
	log := rec.Log()
	for range 3 {
		n := began + random.IntN(len(log)-began+1)
		lost, err := cut(s, log, n, slices.Concat(from.acknowledged, log.Acknowledged(n)), random)
		if total.lost.Add(int64(lost)); err != nil || lost > 0 {
			return fmt.Errorf("power cut after a restart: %d lost, %w", lost, err)
		}
	}
	return nil
}

// TestADiskThatIsFullForAWhile lets every write fail for lack of room from some write on. Once there is room, the store and
// the queue must take records again within seconds and without a restart. max_page_count, which other tests use, does not
// reach the write-ahead log.
func TestADiskThatIsFullForAWhile(t *testing.T) {
	for name, subject := range map[string]changer{
		"store": storeUnderPower{synchronous: syncFull}, "queue": queueUnderPower{synchronous: syncFull},
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(torture.Seed(t), 0))
			for after := 1; after < 60; after += 7 {
				fullForAWhile(t, subject, after, random)
			}
		})
	}
}

func fullForAWhile(t *testing.T, s changer, after int, random *rand.Rand) {
	t.Helper()
	dir := scratchDir(t)
	rec, err := crashvfs.Record(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	change, stop := s.change(t, dir)
	run := &faultRun{fault: fault{full: true, forEver: true}, nth: after, rec: rec}
	run.start(random)
	n, refused := 0, 0
	for ; refused < 5; n++ {
		if err := change(n); errors.Is(err, detection.ErrFull) {
			refused++
		} else if err != nil {
			t.Fatalf("full after %d writes: %v, want ErrFull", after, err)
		} else {
			rec.Acknowledge(storetest.ID(n))
		}
	}
	rec.Fail(nil)
	const soon = 5 * time.Second
	began := time.Now()
	for ; change(n) != nil; n++ {
		if time.Since(began) > soon {
			t.Fatalf("full after %d writes: still refused %v after there was room", after, soon)
		}
	}
	rec.Acknowledge(storetest.ID(n))
	stop()
	log := rec.Log()
	if lost, err := cut(s, log, len(log), log.Acknowledged(len(log)), random); err != nil || lost > 0 {
		t.Errorf("full after %d writes: lost %d, %v", after, lost, err)
	}
}

// TestACommitIsNotAcknowledgedOnceTheDiskFailed lets a checkpoint find out about the disk while a commit is synced: what the
// failed sync has lost may be that commit's, although its own sync succeeds.
func TestACommitIsNotAcknowledgedOnceTheDiskFailed(t *testing.T) {
	dir := t.TempDir()
	rec, err := crashvfs.Record(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	s := openStore(t, StoreOptions{Options: Options{Dir: dir, Fatal: func(error) {}}})
	defer s.Close()
	rec.Fail(func(c crashvfs.Call) *crashvfs.Failure {
		if c.Op == crashvfs.OpSync {
			s.file.writer.die(errors.New("checkpoint: input/output error"))
		}
		return nil
	})
	if err := s.Commit(t.Context(), storetest.Records(0, 1, "pod-a")); !errors.Is(err, detection.ErrUnavailable) {
		t.Errorf("Commit = %v, want ErrUnavailable", err)
	}
}

// TestCloseLetsGoOfTheFile holds that nothing of SQLite stays open behind the process's back: a statement that was forgotten
// would keep its connection, and with that the locks and the log.
func TestCloseLetsGoOfTheFile(t *testing.T) {
	for name, subject := range map[string]faultSubject{"app.db": storeUnderPower{synchronous: syncFull}, "queue.db": queueUnderPower{synchronous: syncFull}} {
		dir := scratchDir(t)
		rec, err := crashvfs.Record(dir, true)
		if err != nil {
			t.Fatal(err)
		}
		run := &faultRun{rec: rec}
		subject.use(run, dir)
		rec.Close()
		for _, end := range []string{"-wal", "-shm"} {
			if _, err := os.Lstat(filepath.Join(dir, name+end)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s%s is still there after Close: %v", name, end, err)
			}
		}
	}
}
