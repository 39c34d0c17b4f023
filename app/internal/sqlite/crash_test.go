package sqlite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/detection/storetest"
	"github.com/detection-api/detection-api/app/internal/torture"
)

// crashEnv makes the test binary a child that commits until it is killed: "kind dir first when".
const crashEnv = "SQLITE_CRASH_CHILD"

const crashCallers = 16

func TestMain(m *testing.M) {
	if order := os.Getenv(crashEnv); order != "" {
		if err := commitForEver(strings.Fields(order)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// commitForEver prints the number of each record that it acknowledges: after the commit, or, as the positive control,
// when it hands the record over.
func commitForEver(order []string) error {
	kind, dir, when := order[0], order[1], order[3]
	first, err := strconv.Atoi(order[2])
	if err != nil {
		return err
	}
	commit, err := openForCrash(kind, dir)
	if err != nil {
		return err
	}
	var next atomic.Int64
	next.Store(int64(first))
	var all sync.WaitGroup
	for range crashCallers {
		all.Go(func() {
			for err := error(nil); err == nil; {
				n := int(next.Add(1))
				if when == "before" {
					fmt.Println(n) // one write call: it is out before anything else happens
				}
				if err = commit(n); err == nil && when == "after" {
					fmt.Println(n)
				}
			}
		})
	}
	all.Wait()
	return errors.New("a commit failed")
}

func openForCrash(kind, dir string) (commit func(n int) error, err error) {
	ctx := context.Background()
	if kind == "queue" {
		q, err := OpenQueue(ctx, QueueOptions{Options: Options{Dir: dir}})
		return func(n int) error { return q.Put(ctx, storetest.Queued(n, n+1, false)) }, err
	}
	s, err := OpenStore(ctx, StoreOptions{Options: Options{Dir: dir}})
	return func(n int) error { return s.Commit(ctx, storetest.Records(n, n+1, "pod-a")) }, err
}

// TestKilledUnderLoad kills processes that commit as fast as they can. The positive control acknowledges what it has not
// committed yet.
func TestKilledUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("kills 20 processes")
	}
	const shortKills, controlKills = 8, 10
	budget, long := torture.Budget(t)
	random := rand.New(rand.NewPCG(torture.Seed(t), 0))
	_, controlAcked, controlLost := killed(t, "store", "before", random, func(kills int) bool { return kills == controlKills })
	if controlLost == 0 {
		t.Errorf("the control lost none of %d acknowledged records", controlAcked)
	}
	for _, kind := range []string{"store", "queue"} {
		end := time.Now().Add(budget / 2)
		kills, acked, lost := killed(t, kind, "after", random, func(kills int) bool {
			return !long && kills == shortKills || long && time.Now().After(end)
		})
		if lost > 0 {
			t.Errorf("the %s lost %d of %d acknowledged records", kind, lost, acked)
		}
		torture.Report(t, torture.Result{
			What: "kill -9 of a process that commits to the " + kind, Rounds: kills, Acknowledged: acked, Lost: lost,
			Control: fmt.Sprintf("acknowledging before the commit lost %d of %d in %d kills", controlLost, controlAcked, controlKills),
		})
	}
}

// killed kills children until it is enough. Each hundredth one begins with an empty database.
func killed(t *testing.T, kind, when string, random *rand.Rand, enough func(kills int) bool) (kills, acknowledged, lost int) {
	t.Helper()
	const generation = 100
	for !enough(kills) {
		dir, acked := t.TempDir(), map[string]bool{}
		for n := 0; n < generation && !enough(kills); n++ {
			first := n * 1_000_000 // above every number used so far
			runAndKill(t, fmt.Sprintf("%s %s %d %s", kind, dir, first, when), 50+random.IntN(700), acked)
			kills++
		}
		acknowledged += len(acked)
		lost += missing(t, kind, dir, acked)
	}
	return kills, acknowledged, lost
}

func TestASecondProcessIsRefused(t *testing.T) {
	s := openStore(t, StoreOptions{})
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), fmt.Sprintf("%s=store %s 0 after", crashEnv, filepath.Dir(s.file.path)))
	said, err := child.CombinedOutput()
	if err == nil || strings.Count(string(said), "\n") != 1 || !strings.Contains(string(said), "in use by another process") {
		t.Errorf("the second process: %v, said %q; want a failure and one line", err, said)
	}
}

// runAndKill kills the child after it has acknowledged some records, and adds what it had printed until then.
func runAndKill(t *testing.T, order string, after int, acked map[string]bool) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashEnv+"="+order)
	child.Stderr = os.Stderr
	pipe, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(pipe)
	for seen := 0; ; seen++ {
		if seen == after {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			if seen < after {
				t.Fatalf("the child ended by itself after %d acknowledgements", seen)
			}
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		acked[storetest.ID(n)] = true
	}
	_ = child.Wait() // it was killed
}

// missing opens the database and counts the acknowledged records that it does not have.
func missing(t *testing.T, kind, dir string, acked map[string]bool) (lost int) {
	t.Helper()
	if kind == "queue" {
		q := openQueue(t, QueueOptions{Options: Options{Dir: dir}})
		records, err := q.Unstored(t.Context(), 10_000_000)
		if err != nil || len(q.SetAside()) > 0 {
			t.Fatalf("read the queue: %v, set aside %v", err, q.SetAside())
		}
		return countMissing(acked, records)
	}
	s := openStore(t, StoreOptions{Options: Options{Dir: dir}})
	stats, err := s.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	records, err := s.Claim(t.Context(), "tester", "", 10_000_000)
	if err != nil {
		t.Fatal(err)
	}
	if stats.Detections != int64(len(records)) || stats.Outbox != int64(len(records)) {
		t.Errorf("stats %+v, but %d records are owed", stats, len(records))
	}
	if events, broken := walkAudit(t, shell(t, s.file.path)); broken != 0 || len(events) != len(records) {
		t.Errorf("%d audit entries for %d records, chain broken at %d", len(events), len(records), broken)
	}
	return countMissing(acked, records)
}

func countMissing(acked map[string]bool, records []detection.Record) (lost int) {
	have := map[string]bool{}
	for _, r := range records {
		have[r.Detection.ID] = true
	}
	for id := range acked {
		if !have[id] {
			lost++
		}
	}
	return lost
}
