package backup_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/backup"
	"github.com/detection-api/detection-api/app/internal/detection/storetest"
	"github.com/detection-api/detection-api/app/internal/sqlite"
	"github.com/detection-api/detection-api/app/internal/torture"
)

// The directories that make the test binary a child which takes one copy.
const killData, killCopies = "BACKUP_KILL_DATA", "BACKUP_KILL_COPIES"

func TestMain(m *testing.M) {
	if data := os.Getenv(killData); data != "" {
		job := backup.Job{
			Source: backup.Local{DataDir: data, Now: time.Now}, Directory: backup.Directory{Path: os.Getenv(killCopies)},
			Now: time.Now, Progress: func(string, ...any) {},
		}
		if _, err := job.Run(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestKilledAtAnyMoment kills jobs while they run. Whatever has the name of a copy afterwards is one. The positive control
// is a copy that lost its end, which must not count as one.
func TestKilledAtAnyMoment(t *testing.T) {
	if testing.Short() {
		t.Skip("kills 25 processes")
	}
	budget, long := torture.Budget(t)
	random, end := rand.New(rand.NewPCG(torture.Seed(t), 0)), time.Now().Add(budget)
	data := storeOf(t, 3000)
	var sum kills
	for more := true; more && !t.Failed(); more = long && time.Now().Before(end) {
		sum.add(t, data, random)
	}
	control := "a copy without its last 4096 bytes was refused"
	if err := truncatedCopy(t, data); err == nil {
		control = "a copy without its last 4096 bytes was taken for one"
		t.Error(control)
	}
	torture.Report(t, torture.Result{
		What: "kill -9 of backups that run", Rounds: sum.rounds, Acknowledged: sum.copies * 3000, Lost: sum.lost, Control: control,
		Notes: fmt.Sprintf("%d complete copies, %d leftovers", sum.copies, sum.leftovers),
	})
}

func storeOf(t *testing.T, detections int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s, err := sqlite.OpenStore(t.Context(), sqlite.StoreOptions{Options: sqlite.Options{Dir: dir}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // what it holds is not looked at again
	for n := 0; n < detections; n += 500 {
		if err := s.Commit(t.Context(), storetest.Records(n, n+500, "pod-a")); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// kills is what killed jobs left.
type kills struct{ rounds, copies, leftovers, lost int }

// add kills 25 jobs at random moments, the last of them after their time.
func (k *kills) add(t *testing.T, data string, random *rand.Rand) {
	t.Helper()
	const runs = 25
	copies := backup.Directory{Path: t.TempDir()}
	began := time.Now()
	child(t, data, copies.Path, 0) // one that is not killed
	whole := time.Since(began)
	for range runs {
		child(t, data, copies.Path, whole/8+time.Duration(random.Int64N(int64(2*whole))))
	}
	entries, leftovers, err := copies.List()
	if err != nil || len(entries) == 0 {
		t.Fatalf("List = %v, %v", entries, err)
	}
	for _, e := range entries {
		if err := copies.Verify(t.Context(), e); err != nil || e.Detections != 3000 {
			t.Errorf("%s: %d detections, %v", e.Name, e.Detections, err)
			k.lost += 3000
		}
	}
	if len(entries)+len(leftovers) < runs+1 {
		t.Errorf("%d copies and %d leftovers of %d runs: some did not even begin", len(entries), len(leftovers), runs+1)
	}
	k.rounds += runs
	k.copies += len(entries)
	k.leftovers += len(leftovers)
	if err := os.RemoveAll(copies.Path); err != nil {
		t.Fatal(err)
	}
}

// truncatedCopy verifies a copy that lost its end.
func truncatedCopy(t *testing.T, data string) error {
	t.Helper()
	copies := backup.Directory{Path: t.TempDir()}
	child(t, data, copies.Path, 0)
	entries, _, err := copies.List()
	if err != nil || len(entries) != 1 {
		t.Fatalf("List = %v, %v", entries, err)
	}
	if err := copies.Verify(t.Context(), entries[0]); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(copies.Path, entries[0].Name+".db"), entries[0].Bytes-4096); err != nil {
		t.Fatal(err)
	}
	return copies.Verify(t.Context(), entries[0])
}

// child takes a copy in a process of its own, and is killed after some time unless that is 0.
func child(t *testing.T, data, copies string, after time.Duration) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killData+"="+data, killCopies+"="+copies)
	if after == 0 {
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, said)
		}
		return
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	defer killer.Stop()
	_ = cmd.Wait() // killed or done in time: what counts is what is left
}
