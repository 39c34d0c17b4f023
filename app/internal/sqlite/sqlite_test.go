package sqlite

import (
	"crypto/sha256"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/detection/storetest"
)

func openStore(t *testing.T, opts StoreOptions) *Store {
	t.Helper()
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	s, err := OpenStore(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// shell is a second connection to a database that is open in this process, as an operator's tool would have.
func shell(t *testing.T, path string) *sql.DB {
	t.Helper()
	pool := openWriters(path, syncFull)
	t.Cleanup(func() { _ = pool.Close() })
	return pool
}

func TestOneProcessOwnsADirectory(t *testing.T) {
	first := openStore(t, StoreOptions{})
	dir := filepath.Dir(first.file.path)
	_, err := OpenStore(t.Context(), StoreOptions{Options: Options{Dir: dir}})
	if err == nil || !strings.Contains(err.Error(), "in use by another process") || strings.Contains(err.Error(), "\n") {
		t.Errorf("second OpenStore = %v, want one line that says who is in the way", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	openStore(t, StoreOptions{Options: Options{Dir: dir}}) // positive control: the lock was the reason
}

func TestANewerSchemaIsRefused(t *testing.T) {
	for _, name := range []string{"app.db", "queue.db"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			open := func() error {
				var c interface{ Close() error }
				var err error
				if name == "app.db" {
					c, err = OpenStore(t.Context(), StoreOptions{Options: Options{Dir: dir}})
				} else {
					c, err = OpenQueue(t.Context(), QueueOptions{Options: Options{Dir: dir}})
				}
				if err == nil {
					err = c.Close()
				}
				return err
			}
			if err := open(); err != nil {
				t.Fatal(err)
			}
			if _, err := shell(t, filepath.Join(dir, name)).Exec("PRAGMA user_version = 9"); err != nil {
				t.Fatal(err)
			}
			err := open()
			if err == nil || !strings.Contains(err.Error(), "schema 9") || strings.Contains(err.Error(), "\n") {
				t.Errorf("open = %v, want one line that names the schema", err)
			}
		})
	}
}

func TestTheAuditTrailIsAppendOnlyAndChained(t *testing.T) {
	clock := storetest.NewClock()
	dir := t.TempDir()
	opts := StoreOptions{Options: Options{Dir: dir, Now: clock.Now}}
	s := openStore(t, opts)
	if err := s.Commit(t.Context(), storetest.Records(0, 3, "pod-a")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil { // the chain goes on after a restart
		t.Fatal(err)
	}
	s = openStore(t, opts)
	if err := s.Acknowledge(t.Context(), storetest.Deliveries(0, 1, detection.DeadLettered, clock.Now())); err != nil {
		t.Fatal(err)
	}
	if err := s.Acknowledge(t.Context(), storetest.Deliveries(1, 2, detection.Delivered, clock.Now())); err != nil {
		t.Fatal(err)
	}
	db := shell(t, s.file.path)
	for _, change := range []string{"UPDATE audit SET detail = 'x' WHERE seq = 1", "DELETE FROM audit", "DELETE FROM audit WHERE seq = 2"} {
		if _, err := db.Exec(change); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s = %v, want a refusal", change, err)
		}
	}
	if got, broken := walkAudit(t, db); broken != 0 || strings.Join(got, " ") != "accepted accepted accepted dead_letter delivered" {
		t.Errorf("audit trail = %v, broken at %d", got, broken)
	}
	// Positive control: whoever drops the trigger and changes an entry is found out.
	if _, err := db.Exec("DROP TRIGGER audit_never_updated; UPDATE audit SET at = at + 1 WHERE seq = 2"); err != nil {
		t.Fatal(err)
	}
	if _, broken := walkAudit(t, db); broken != 2 {
		t.Errorf("the changed chain is broken at %d, want 2", broken)
	}
}

// walkAudit returns the events and the number of the first entry that does not fit the chain, 0 when all do.
func walkAudit(t *testing.T, db *sql.DB) (events []string, broken int64) {
	t.Helper()
	rows, err := db.Query("SELECT seq, detection_id, event, at, detail, prev, hash FROM audit ORDER BY seq")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var head [sha256.Size]byte
	for rows.Next() {
		var (
			e          auditEntry
			prev, hash []byte
		)
		if err := rows.Scan(&e.Seq, &e.DetectionID, &e.Event, &e.AtMicros, &e.Detail, &prev, &hash); err != nil {
			t.Fatal(err)
		}
		want := auditHash(sha256.New(), head, e)
		if broken == 0 && (string(prev) != string(head[:]) || string(hash) != string(want[:])) {
			broken = e.Seq
		}
		head = want
		events = append(events, e.Event)
	}
	return events, broken
}

func TestAFullDatabaseRefusesAndRecovers(t *testing.T) {
	s := openStore(t, StoreOptions{Options: Options{MaxPages: 64}})
	committed := 0
	var err error
	for ; err == nil; committed += 10 {
		err = s.Commit(t.Context(), storetest.Records(committed, committed+10, "pod-a"))
	}
	committed -= 10 // the last group failed
	if !errors.Is(err, detection.ErrFull) {
		t.Fatalf("Commit into a full database = %v, want ErrFull", err)
	}
	counted := func() {
		t.Helper()
		stats, err := s.Stats(t.Context())
		if err != nil || stats.Detections != int64(committed) || stats.Outbox != int64(committed) {
			t.Errorf("Stats = %+v, %v; want %d detections", stats, err, committed)
		}
	}
	counted()
	if err := s.SetMaxPages(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), storetest.Records(committed, committed+10, "pod-a")); err != nil {
		t.Errorf("Commit with room again = %v", err)
	}
	committed += 10
	counted()
	if _, broken := walkAudit(t, shell(t, s.file.path)); broken != 0 {
		t.Errorf("the audit chain is broken at %d", broken)
	}
}

func TestLowDiskSpaceRefusesAndRecovers(t *testing.T) {
	clock, free := storetest.NewClock(), int64(100)
	opts := Options{Now: clock.Now, MinFreeBytes: 100, FreeBytes: func(string) (int64, error) { return free, nil }}
	s := openStore(t, StoreOptions{Options: opts})
	opts.Dir = t.TempDir()
	q, err := OpenQueue(t.Context(), QueueOptions{Options: opts})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	for n, c := range []struct {
		free  int64
		later time.Duration
		want  error
	}{
		{100, 0, nil},
		{99, 999 * time.Millisecond, nil}, // looked less than a second ago
		{99, time.Millisecond, detection.ErrFull},
		{100, 999 * time.Millisecond, detection.ErrFull},
		{100, time.Millisecond, nil},
	} {
		free = c.free
		clock.Advance(c.later)
		for what, got := range map[string]error{
			"Commit":      s.Commit(t.Context(), storetest.Records(n, n+1, "pod-a")),
			"Store.Ready": s.Ready(t.Context()),
			"Put":         q.Put(t.Context(), storetest.Queued(n, n+1, false)),
			"Queue.Ready": q.Ready(t.Context()),
		} {
			if !errors.Is(got, c.want) {
				t.Errorf("step %d: %s = %v, want %v", n, what, got, c.want)
			}
		}
		if err := s.Acknowledge(t.Context(), storetest.Deliveries(n, n+1, detection.Delivered, clock.Now())); err != nil {
			t.Errorf("step %d: Acknowledge = %v; it must go on", n, err)
		}
	}
}

func TestLeasesOutliveARestart(t *testing.T) {
	clock := storetest.NewClock()
	opts := StoreOptions{Options: Options{Dir: t.TempDir(), Now: clock.Now}, RestartGrace: 30 * time.Second}
	s := openStore(t, opts)
	if err := errors.Join(s.Renew(t.Context(), "pod-a", 30*time.Second), s.Commit(t.Context(), storetest.Records(0, 1, "pod-a")), s.Close()); err != nil {
		t.Fatal(err)
	}
	clock.Advance(10 * time.Minute)
	s = openStore(t, opts)
	for _, c := range []struct {
		later time.Duration
		want  int
	}{{29 * time.Second, 0}, {time.Second, 1}} {
		clock.Advance(c.later)
		if got, err := s.Claim(t.Context(), "pod-b", "", 10); err != nil || len(got) != c.want {
			t.Errorf("after another %v claimed %d, %v; want %d", c.later, len(got), err, c.want)
		}
	}
}

func TestAnEmptyDatabaseWithALogIsNotOpened(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "app.db-wal"), []byte("acknowledged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenStore(t.Context(), StoreOptions{Options: Options{Dir: dir}}); err == nil {
		t.Error("OpenStore took an orphaned log")
	}
	if sizeOf(filepath.Join(dir, "app.db-wal")) == 0 {
		t.Error("the log is gone")
	}
}

func TestADamagedStoreStopsTheProcess(t *testing.T) {
	dir := t.TempDir()
	fatal := make(chan error, 1)
	s := openStore(t, StoreOptions{Options: Options{Dir: dir, Fatal: func(err error) { fatal <- err }}})
	s.file.writer.die(errors.New("input/output error")) // what every failed write or sync ends in
	if err := <-fatal; err == nil {
		t.Error("Fatal was told nothing")
	}
	for range 2 {
		if err := s.Commit(t.Context(), storetest.Records(0, 1, "pod-a")); !errors.Is(err, detection.ErrUnavailable) {
			t.Errorf("Commit after it = %v, want ErrUnavailable", err)
		}
	}
	if err := s.Ready(t.Context()); !errors.Is(err, detection.ErrUnavailable) {
		t.Errorf("Ready after it = %v, want ErrUnavailable", err)
	}
}

func TestTheLogDoesNotGrowUnderUnbrokenLoad(t *testing.T) {
	s := openStore(t, StoreOptions{})
	const most = 6 * walHardPages * pageBytes
	for n := 0; n < 100_000; n += 500 { // some 140 MB of log
		if err := s.Commit(t.Context(), storetest.Records(n, n+500, "pod-a")); err != nil {
			t.Fatal(err)
		}
		if size := sizeOf(s.file.path + "-wal"); size > most {
			t.Fatalf("the log has %d bytes after %d records, want at most %d", size, n, most)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if size := sizeOf(s.file.path + "-wal"); size != 0 {
		t.Errorf("the log has %d bytes after Close", size)
	}
}

// TestAnUnreadableDetectionBlocksNoOther holds that a claim passes over a detection whose JSON was damaged and that it is
// not lost from sight.
func TestAnUnreadableDetectionBlocksNoOther(t *testing.T) {
	s := openStore(t, StoreOptions{})
	if err := s.Commit(t.Context(), storetest.Records(0, 5, "gone")); err != nil {
		t.Fatal(err)
	}
	if _, err := shell(t, s.file.path).Exec(`UPDATE detections SET body = x'7b' WHERE seq = 2`); err != nil {
		t.Fatal(err)
	}
	records, err := s.Claim(t.Context(), "pod-b", "", 10)
	if err != nil || len(records) != 4 {
		t.Fatalf("Claim = %d records, %v; want 4", len(records), err)
	}
	if got, err := s.Stats(t.Context()); err != nil || got != (detection.StoreStats{Detections: 5, Outbox: 4, DeadLetters: 1}) {
		t.Errorf("Stats = %+v, %v; want 4 owed and 1 dead letter", got, err)
	}
}
