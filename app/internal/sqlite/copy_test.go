package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	sqlite3 "github.com/mattn/go-sqlite3"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/detection/storetest"
)

// saved reads a copy into a file of its own.
func saved(t *testing.T, c *Copy) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "copy.db")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(f, c)
	if err = errors.Join(err, f.Close()); err != nil || n != c.Bytes {
		t.Fatalf("read %d of %d bytes: %v", n, c.Bytes, err)
	}
	return path
}

// commitUntil keeps callers committing one record each until stop is closed. acked counts them.
func commitUntil(t *testing.T, s *Store, first int, stop <-chan struct{}) (acked *atomic.Int64, wait func()) {
	t.Helper()
	acked = &atomic.Int64{}
	var all sync.WaitGroup
	var next atomic.Int64
	next.Store(int64(first))
	for range 8 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				n := int(next.Add(1))
				if err := s.Commit(context.Background(), storetest.Records(n, n+1, "pod-a")); err != nil {
					t.Error(err)
					return
				}
				acked.Add(1)
			}
		})
	}
	return acked, all.Wait
}

// TestACopyIsOneMoment copies a store that is written to: all that was acknowledged before is in the copy, what is in it
// fits together, and the writers were not kept waiting for its end.
func TestACopyIsOneMoment(t *testing.T) {
	s := openStore(t, StoreOptions{})
	if err := s.Commit(t.Context(), storetest.Records(0, 5000, "pod-a")); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	acked, wait := commitUntil(t, s, 1_000_000, stop)
	for acked.Load() < 100 { // they are under way
	}
	before := 5000 + acked.Load()
	c, err := s.Copy(t.Context())
	after := 5000 + acked.Load()
	close(stop)
	wait()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	census, err := Inspect(t.Context(), saved(t, c))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d acknowledged before, %d in the copy, %d after; took %v", before, census.Detections, after, c.Took)
	if census.Detections < before || census.AuditEntries != census.Detections || census.Outbox != census.Detections {
		t.Errorf("%d were acknowledged before the copy, it holds %+v", before, census)
	}
	if after <= before {
		t.Error("nobody could commit while the copy was made")
	}
	if left, _ := filepath.Glob(s.file.path + copySuffix + "*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestACopyDoesNotStartOver is the reason for the read transaction: with it a commit between two steps changes nothing, and
// without it, the positive control, SQLite begins again.
func TestACopyDoesNotStartOver(t *testing.T) {
	for _, c := range []struct {
		name       string
		begin      bool
		startsOver bool
	}{{"in a read transaction", true, false}, {"without one", false, true}} {
		t.Run(c.name, func(t *testing.T) {
			s := openStore(t, StoreOptions{})
			if err := s.Commit(t.Context(), storetest.Records(0, 3000, "pod-a")); err != nil {
				t.Fatal(err)
			}
			from, err := pinned(t.Context(), openReaders(s.file.path, 1))
			if err != nil {
				t.Fatal(err)
			}
			defer from.Close()
			if c.begin {
				if _, err := beginReading(t.Context(), from.Conn); err != nil {
					t.Fatal(err)
				}
			}
			to, err := pinned(t.Context(), openWriters(filepath.Join(t.TempDir(), "x.db"), "OFF"))
			if err != nil {
				t.Fatal(err)
			}
			defer to.Close()
			first, second := leftAfterACommit(t, s, from.Conn, to.Conn)
			if (second >= first) != c.startsOver {
				t.Errorf("%d pages left after the first step, %d after the second", first, second)
			}
		})
	}
}

// leftAfterACommit copies 100 pages twice with a commit between, and tells how many were left each time.
func leftAfterACommit(t *testing.T, s *Store, from, to *sql.Conn) (first, second int) {
	t.Helper()
	err := from.Raw(func(source any) error {
		return to.Raw(func(target any) error {
			backup, err := target.(*sqlite3.SQLiteConn).Backup("main", source.(*sqlite3.SQLiteConn), "main")
			if err != nil {
				return err
			}
			defer backup.Finish()
			if _, err = backup.Step(100); err != nil {
				return err
			}
			first = backup.Remaining()
			if err := s.Commit(t.Context(), storetest.Records(9_000_000, 9_000_001, "pod-a")); err != nil {
				return err
			}
			_, err = backup.Step(100)
			second = backup.Remaining()
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return first, second
}

func TestOneCopyAtATime(t *testing.T) {
	s := openStore(t, StoreOptions{})
	c, err := s.Copy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Copy(t.Context()); !errors.Is(err, ErrCopyRuns) {
		t.Errorf("second Copy = %v, want ErrCopyRuns", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if c, err = s.Copy(t.Context()); err != nil { // positive control: the first one was the reason
		t.Fatal(err)
	}
	c.Close()
}

func TestACopyNeedsRoom(t *testing.T) {
	free := int64(1 << 40)
	s := openStore(t, StoreOptions{Options: Options{MinFreeBytes: 1 << 20, FreeBytes: func(string) (int64, error) { return free, nil }}})
	if err := s.Commit(t.Context(), storetest.Records(0, 100, "pod-a")); err != nil {
		t.Fatal(err)
	}
	free = 1<<20 + 4096 // enough to go on, not enough for a copy
	if _, err := s.Copy(t.Context()); !errors.Is(err, detection.ErrFull) || !strings.Contains(err.Error(), "a copy of the store needs") {
		t.Errorf("Copy = %v, want ErrFull and how much is missing", err)
	}
	if err := s.Commit(t.Context(), storetest.Records(100, 101, "pod-a")); err != nil {
		t.Errorf("Commit after the refused copy = %v", err)
	}
	free = 1 << 40
	c, err := s.Copy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestLeftoversOfACopyAreRemovedAtTheStart(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, storeName+copySuffix)
	if err := os.WriteFile(left, []byte("half a copy"), 0o600); err != nil {
		t.Fatal(err)
	}
	openStore(t, StoreOptions{Options: Options{Dir: dir}})
	if _, err := os.Lstat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the leftover is still there: %v", err)
	}
}

func TestAStoppingStoreMakesNoCopies(t *testing.T) {
	s := openStore(t, StoreOptions{})
	s.StopCopies()
	if c, err := s.Copy(t.Context()); err == nil {
		c.Close()
		t.Error("a stopping store made a copy")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestCopyToReadsWhatAnotherProcessHolds(t *testing.T) {
	s := openStore(t, StoreOptions{})
	if err := s.Commit(t.Context(), storetest.Records(0, 10, "pod-a")); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "x.db")
	room := func(int64) error { return nil }
	if err := CopyTo(t.Context(), filepath.Dir(s.file.path), to, room); err != nil {
		t.Fatal(err)
	}
	if census, err := Inspect(t.Context(), to); err != nil || census.Detections != 10 {
		t.Errorf("the copy: %+v, %v", census, err)
	}
	if err := CopyTo(t.Context(), filepath.Dir(s.file.path), to, room); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("CopyTo over a file = %v", err)
	}
}
