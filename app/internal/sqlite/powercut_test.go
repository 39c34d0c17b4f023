package sqlite

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/sqlite/crashvfs"
	"github.com/detection-api/detection-api/app/internal/torture"
)

// powerSubject is a kind of database whose power is cut.
type powerSubject interface {
	// work opens the database in dir, changes it, tells rec what was acknowledged and closes it. Its records are numbered
	// from first.
	work(t *testing.T, dir string, rec *crashvfs.Recorder, first int, random *rand.Rand)
	// check opens the database of a crash image and counts the acknowledged things that are not as they should be. An
	// error means that the image is unsound.
	check(dir string, acknowledged []string) (lost int, err error)
}

// TestPowerCuts cuts the power at entries of recorded runs: the first start, commits, checkpoints, a copy being made, a
// clean stop, and starts from what an earlier cut left. The positive control does the same with synchronous=NORMAL.
func TestPowerCuts(t *testing.T) {
	budget, long := torture.Budget(t)
	seed := torture.Seed(t)
	for _, c := range []struct {
		name          string
		full, control powerSubject
	}{
		{"store", storeUnderPower{syncFull, 40}, storeUnderPower{"NORMAL", 40}},
		{"queue", queueUnderPower{syncFull, 60}, queueUnderPower{"NORMAL", 60}},
	} {
		t.Run(c.name, func(t *testing.T) {
			end := time.Now().Add(budget / 2)
			control, total := &cutResult{}, &cutResult{}
			cutGenerations(t, c.control, 1, 60, rand.New(rand.NewPCG(seed, 0)), control)
			cutGenerations(t, c.full, 3, 70, rand.New(rand.NewPCG(seed, 1)), total)
			for round := uint64(2); long && time.Now().Before(end); round++ {
				cutGenerations(t, c.full, 5, 300, rand.New(rand.NewPCG(seed, round)), total)
			}
			if total.lost.Load() > 0 || control.lost.Load() == 0 {
				t.Errorf("lost %d with FULL, %d with NORMAL", total.lost.Load(), control.lost.Load())
			}
			if total.inCheckpoint.Load() == 0 || c.name == "store" && total.inCopy.Load() == 0 {
				t.Errorf("%d cuts in a checkpoint, %d in a copy", total.inCheckpoint.Load(), total.inCopy.Load())
			}
			result := total.result("power cuts, "+c.name, "synchronous=NORMAL", control)
			result.Notes = fmt.Sprintf("%d cuts in a checkpoint, %d in a copy; acknowledged is the sum over all crash images",
				total.inCheckpoint.Load(), total.inCopy.Load())
			torture.Report(t, result)
		})
	}
}

// TestPowerCutsDuringTheFirstStart cuts the power at each entry between an empty directory and a clean stop, several times.
func TestPowerCutsDuringTheFirstStart(t *testing.T) {
	for name, subject := range map[string]powerSubject{
		"store": storeUnderPower{syncFull, 0}, "queue": queueUnderPower{syncFull, 0},
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(torture.Seed(t), 0))
			log := recordRun(t, subject, scratchDir(t), 0, random)
			for range 2 {
				cutAll(t, subject, log, nil, spread(len(log), len(log), random), random.Uint64(), &cutResult{})
			}
		})
	}
}

// cutResult sums up crash images.
type cutResult struct {
	cuts, acknowledged, lost atomic.Int64
	inCheckpoint, inCopy     atomic.Int64  // cuts
	slowest                  time.Duration // of the runs with a failing disk
}

// sawCut counts a cut right after e.
func (r *cutResult) sawCut(e crashvfs.Event) {
	r.cuts.Add(1)
	if e.Kind != crashvfs.Write {
		return
	}
	switch filepath.Ext(e.Name) {
	case ".db":
		r.inCheckpoint.Add(1)
	case copySuffix:
		r.inCopy.Add(1)
	}
}

func (r *cutResult) result(what, controlName string, control *cutResult) torture.Result {
	return torture.Result{
		What: what, Rounds: int(r.cuts.Load()), Acknowledged: int(r.acknowledged.Load()), Lost: int(r.lost.Load()),
		Control: fmt.Sprintf("%s lost %d of %d", controlName, control.lost.Load(), control.acknowledged.Load()),
	}
}

// cutGenerations records a run from an empty directory, cuts it, and goes on from one of the images.
func cutGenerations(t *testing.T, s powerSubject, generations, cuts int, random *rand.Rand, total *cutResult) {
	t.Helper()
	var earlier []string
	dir := scratchDir(t)
	for generation := range generations {
		log := recordRun(t, s, dir, generation*10_000, random)
		cutAll(t, s, log, earlier, spread(len(log), cuts, random), random.Uint64(), total)
		if t.Failed() {
			return
		}
		n := len(log)/4 + random.IntN(3*len(log)/4)
		dir = scratchDir(t)
		if err := log.Image(n, anyFate(random)).WriteTo(dir); err != nil {
			t.Fatal(err)
		}
		earlier = append(earlier, log.Acknowledged(n)...)
	}
}

func recordRun(t *testing.T, s powerSubject, dir string, first int, random *rand.Rand) crashvfs.Log {
	t.Helper()
	rec, err := crashvfs.Record(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	s.work(t, dir, rec, first, random)
	return rec.Log()
}

// spread returns up to most numbers of 1 to n, at even distances from a random beginning.
func spread(n, most int, random *rand.Rand) []int {
	step := max(1, n/most)
	var points []int
	for at := 1 + random.IntN(step); at <= n; at += step {
		points = append(points, at)
	}
	return points
}

func anyFate(random *rand.Rand) crashvfs.Fate {
	keep := []float64{0, 0.1, 0.5, 0.9, 1}
	return crashvfs.Fate{
		Rand: random, Keep: keep[random.IntN(len(keep))], Torn: random.IntN(3) > 0, Garbage: random.IntN(3) == 0,
	}
}

// cutAll cuts the power at the points, on all cores.
func cutAll(t *testing.T, s powerSubject, log crashvfs.Log, earlier []string, points []int, seed uint64, result *cutResult) {
	t.Helper()
	todo := make(chan int)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for n := range todo {
				acknowledged := slices.Concat(earlier, log.Acknowledged(n))
				lost, err := cut(s, log, n, acknowledged, rand.New(rand.NewPCG(seed, uint64(n))))
				if err != nil {
					t.Errorf("power cut after entry %d of %d: %v", n, len(log), err)
				}
				result.sawCut(log[n-1])
				result.acknowledged.Add(int64(len(acknowledged)))
				result.lost.Add(int64(lost))
			}
		})
	}
	for _, n := range points {
		todo <- n
	}
	close(todo)
	workers.Wait()
}

func cut(s powerSubject, log crashvfs.Log, n int, acknowledged []string, random *rand.Rand) (lost int, err error) {
	dir, err := makeScratch()
	if err != nil {
		return 0, err
	}
	fate := anyFate(random)
	if err := log.Image(n, fate).WriteTo(dir); err != nil {
		return 0, err
	}
	lost, err = s.check(dir, acknowledged)
	if err != nil {
		return lost, fmt.Errorf("keep %v, torn %v, garbage %v, in %s: %w", fate.Keep, fate.Torn, fate.Garbage, dir, err)
	}
	return lost, os.RemoveAll(dir)
}

// makeScratch makes a directory for a crash image: in memory if possible, where the syncs of some hundred databases cost
// nothing.
func makeScratch() (string, error) {
	if dir, err := os.MkdirTemp("/dev/shm", "powercut"); err == nil {
		return dir, nil
	}
	return os.MkdirTemp("", "powercut")
}

func scratchDir(t *testing.T) string {
	t.Helper()
	dir, err := makeScratch()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
