package backup_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/backup"
	"github.com/detection-api/detection-api/app/internal/detection/storetest"
	"github.com/detection-api/detection-api/app/internal/sqlite"
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

// TestKilledAtAnyMoment kills jobs while they run. Whatever has the name of a copy afterwards is one.
func TestKilledAtAnyMoment(t *testing.T) {
	if testing.Short() {
		t.Skip("kills 25 processes")
	}
	data, copies := t.TempDir(), backup.Directory{Path: t.TempDir()}
	s, err := sqlite.OpenStore(t.Context(), sqlite.StoreOptions{Options: sqlite.Options{Dir: data}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for n := 0; n < 3000; n += 500 {
		if err := s.Commit(t.Context(), storetest.Records(n, n+500, "pod-a")); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	child(t, data, copies.Path, 0) // positive control: one that is not killed
	whole := time.Since(began)
	for range 25 {
		child(t, data, copies.Path, whole/8+time.Duration(rand.Int64N(int64(2*whole))))
	}
	entries, leftovers, err := copies.List()
	if err != nil || len(entries) == 0 {
		t.Fatalf("List = %v, %v", entries, err)
	}
	for _, e := range entries {
		if err := copies.Verify(t.Context(), e); err != nil || e.Detections != 3000 {
			t.Errorf("%s: %d detections, %v", e.Name, e.Detections, err)
		}
	}
	if len(entries)+len(leftovers) < 26 {
		t.Errorf("%d copies and %d leftovers of 26 runs: some did not even begin", len(entries), len(leftovers))
	}
	t.Logf("%d copies, %d leftovers; one took %v", len(entries), len(leftovers), whole)
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
