package sqlite

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/detection/storetest"
)

const day = 24 * time.Hour

// kept opens a store with the retention and commits the records of days 0 to days-1, ten a day, all of them delivered but
// for those that keep says.
func kept(t *testing.T, r Retention, days int, keep func(n int) detection.Outcome) (*Store, *storetest.Clock) {
	t.Helper()
	clock := storetest.NewClock()
	s := openStore(t, StoreOptions{Options: Options{Dir: t.TempDir(), Now: clock.Now}, Retention: r})
	for from := 0; from < 10*days; from += 10 {
		records := storetest.Records(from, from+10, "pod-a")
		var outcomes []detection.Delivery
		for i := range records {
			records[i].Detection.ReceivedAt = clock.Now()
			outcome := detection.Delivered
			if keep != nil {
				outcome = keep(from + i)
			}
			if outcome != "" {
				outcomes = append(outcomes, storetest.Deliveries(from+i, from+i+1, outcome, clock.Now())...)
			}
		}
		if err := errors.Join(s.Commit(t.Context(), records), s.Acknowledge(t.Context(), outcomes)); err != nil {
			t.Fatal(err)
		}
		clock.Advance(day)
	}
	return s, clock
}

func swept(t *testing.T, s *Store) Swept {
	t.Helper()
	got, err := s.Sweep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// inspected copies the store and reads the copy from end to end.
func inspected(t *testing.T, s *Store) (Census, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.db")
	if err := CopyTo(t.Context(), filepath.Dir(s.file.path), path, func(int64) error { return nil }); err != nil {
		t.Fatal(err)
	}
	return Inspect(t.Context(), path)
}

func numbers(t *testing.T, db *sql.DB) (seqs spans) {
	t.Helper()
	rows, err := db.Query(`SELECT seq FROM detections ORDER BY seq`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		seqs.add(n)
	}
	return seqs
}

// TestRetentionByAge holds that what is owed, a dead letter or young stays, that the trail accounts for the rest, also over
// a restart, and that the numbers go on.
func TestRetentionByAge(t *testing.T) {
	keep := func(n int) detection.Outcome {
		switch n {
		case 3:
			return ""
		case 7:
			return detection.DeadLettered
		}
		return detection.Delivered
	}
	s, clock := kept(t, Retention{MaxAge: 3 * day}, 5, keep)
	if got := swept(t, s); got.Detections != 18 {
		t.Errorf("removed %+v, want 18", got)
	}
	db := shell(t, s.file.path)
	if got := numbers(t, db).String(); got != "4,8,21-50" {
		t.Errorf("left %s", got)
	}
	if got := swept(t, s); got != (Swept{}) {
		t.Errorf("removed %+v at once after it", got)
	}
	if _, err := s.Redrive(t.Context(), storetest.IDs(7, 8), detection.Order{Operator: "a", Reason: "b"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Acknowledge(t.Context(), storetest.Deliveries(3, 8, detection.Delivered, clock.Now())); err != nil {
		t.Fatal(err)
	}
	clock.Advance(100 * day)
	if got := swept(t, s); got.Detections != 31 { // the newest stays
		t.Errorf("removed %+v, want 31", got)
	}
	c, err := inspected(t, s)
	if err != nil || c.Detections != 1 || c.AuditFloor != 0 {
		t.Errorf("inspected: %+v, %v", c, err)
	}
	if notes, err := readRemoved(t.Context(), s.file.readers); err != nil || len(notes) > 4 {
		t.Errorf("%v notes of what was removed, %v; want them joined", notes, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, StoreOptions{Options: Options{Dir: filepath.Dir(s.file.path), Now: clock.Now}})
	if err := s.Commit(t.Context(), storetest.Records(50, 52, "pod-a")); err != nil {
		t.Fatal(err)
	}
	if got := numbers(t, shell(t, s.file.path)).String(); got != "50-52" {
		t.Errorf("the numbers go on with %s", got)
	}
	if c, err := inspected(t, s); err != nil || c.Detections != 3 {
		t.Errorf("inspected after the restart: %+v, %v", c, err)
	}
}

// TestRetentionByBytes also holds that the count of bytes is what the rows have.
func TestRetentionByBytes(t *testing.T) {
	s, _ := kept(t, Retention{MaxBytes: 30_000}, 6, func(n int) detection.Outcome {
		if n < 5 {
			return ""
		}
		return detection.Delivered
	})
	first := swept(t, s)
	excess, err := s.excess(t.Context(), 30_000)
	if err != nil || excess > 0 || excess < -2000 || first.Detections == 0 {
		t.Errorf("removed %+v and left %d bytes too many, %v", first, excess, err)
	}
	left := numbers(t, shell(t, s.file.path))
	if left[0] != (span{1, 5}) || left[1].last != 60 {
		t.Errorf("left %v, want those that are owed and the newest", left)
	}
	if got := swept(t, s); got != (Swept{}) {
		t.Errorf("removed %+v at once after it", got)
	}
	if c, err := inspected(t, s); err != nil {
		t.Errorf("inspected: %+v, %v", c, err)
	}
}

// TestAVanishedDetectionIsFound is the positive control of retention's entries: what goes without one is found, also where
// others went with one, and the trail is then not cut over it.
func TestAVanishedDetectionIsFound(t *testing.T) {
	s, clock := kept(t, Retention{MaxAge: 3 * day, AuditMaxAge: MinAuditAge}, 10, nil)
	swept(t, s)
	if _, err := inspected(t, s); err != nil {
		t.Fatalf("before: %v", err)
	}
	if _, err := s.file.writer.conn.ExecContext(t.Context(), `DELETE FROM detections WHERE seq = 71`); err != nil {
		t.Fatal(err)
	}
	s.ledger.counts.Detections-- // as if nobody ever counted it
	if err := s.Commit(t.Context(), storetest.Records(900, 901, "pod-a")); err != nil {
		t.Fatal(err)
	}
	if _, err := shell(t, s.file.path).Exec(`UPDATE counts SET bytes = (SELECT sum(octet_length(body)) FROM detections)`); err != nil {
		t.Fatal(err)
	}
	if _, err := inspected(t, s); err == nil || !strings.Contains(err.Error(), "number 71 is gone") {
		t.Errorf("inspected: %v, want number 71", err)
	}
	clock.Advance(200 * day)
	if got, err := s.Sweep(t.Context()); err == nil || !strings.Contains(err.Error(), "number 71 is gone") || got.AuditEntries != 0 {
		t.Errorf("Sweep = %+v, %v", got, err)
	}
}

// TestTheTrailIsCutAfterItsTime cuts again and again, with a detection that holds the trail for a while.
func TestTheTrailIsCutAfterItsTime(t *testing.T) {
	s, clock := kept(t, Retention{MaxAge: 30 * day, AuditMaxAge: MinAuditAge}, 100, func(n int) detection.Outcome {
		if n == 42 {
			return detection.DeadLettered
		}
		return detection.Delivered
	})
	got := swept(t, s) // day 100: what was accepted before day 70 goes, and so do the entries before day 10, but for the fifth day
	if got.Detections != 699 || got.AuditEntries != 82 {
		t.Errorf("swept %+v, want 699 and 82", got)
	}
	c, err := inspected(t, s)
	if err != nil || c.AuditFloor != 82 {
		t.Errorf("inspected: %+v, %v", c, err)
	}
	if _, err := s.Purge(t.Context(), storetest.IDs(42, 43), detection.Order{Operator: "a", Reason: "b"}); err != nil {
		t.Fatal(err)
	}
	if got := swept(t, s); got != (Swept{Detections: 1, AuditEntries: 200 - 82}) {
		t.Errorf("after the purge swept %+v", got)
	}
	clock.Advance(200 * day)
	swept(t, s)
	c, err = inspected(t, s)
	if err != nil || c.Detections != 1 || c.AuditFloor != 1989 { // the newest detection's own entries stay
		t.Errorf("in the end: %+v, %v", c, err)
	}
	var notes int
	if err := shell(t, s.file.path).QueryRow(`SELECT count(*) FROM removed`).Scan(&notes); err != nil || notes != 0 {
		t.Errorf("%d notes of removed detections are left, %v", notes, err)
	}
	entries, err := s.Audit(t.Context(), 0, 1)
	if err != nil || len(entries) != 1 || entries[0].Seq != 1990 {
		t.Errorf("the trail begins with %+v, %v", entries, err)
	}
}

// TestTheDatabaseKeepsTheTrail holds that the triggers refuse what the code would never ask for.
func TestTheDatabaseKeepsTheTrail(t *testing.T) {
	s, clock := kept(t, Retention{MaxAge: day, AuditMaxAge: MinAuditAge}, 95, nil)
	db := shell(t, s.file.path)
	for _, change := range []string{
		`DELETE FROM audit WHERE seq = 1`,
		`DELETE FROM audit_floor`,
		`UPDATE audit_floor SET seq = 1`, // without its hash
		`UPDATE audit_floor SET seq = 200, hash = (SELECT hash FROM audit WHERE seq = 200)`,     // too young
		`UPDATE audit_floor SET seq = 99999, hash = (SELECT hash FROM audit ORDER BY seq DESC)`, // not there
		`DELETE FROM detections WHERE seq = 950`,                                                // the newest
	} {
		if _, err := db.Exec(change); err == nil || !strings.Contains(err.Error(), "append-only") &&
			!strings.Contains(err.Error(), "only moves forward") && !strings.Contains(err.Error(), "is not removed") {
			t.Errorf("%s: %v, want a refusal", change, err)
		}
	}
	if got := swept(t, s); got.AuditEntries == 0 { // positive control: the same by Sweep
		t.Errorf("swept %+v", got)
	}
	for _, change := range []string{`UPDATE audit_floor SET seq = 0`, `UPDATE audit_floor SET accepted = 0, seq = seq + 1`} {
		if _, err := db.Exec(change); err == nil {
			t.Errorf("%s was done", change)
		}
	}
	clock.Advance(-80 * day) // a cut is refused in silence, and commits go on
	n, err := s.moveFloor(t.Context(), floor{entry: auditEntry{Seq: 150}})
	if n != 0 || err != nil {
		t.Errorf("moveFloor of young entries = %d, %v", n, err)
	}
	r := Retention{AuditMaxAge: 89 * day}
	if s, err := OpenStore(t.Context(), StoreOptions{Options: Options{Dir: t.TempDir()}, Retention: r}); err == nil {
		s.Close()
		t.Error("89 days were taken")
	}
}

// TestCommitsGoOnWhileRetentionRuns removes 30,000 detections beside callers.
func TestCommitsGoOnWhileRetentionRuns(t *testing.T) {
	const n = 30_000
	clock := storetest.NewClock()
	s := openStore(t, StoreOptions{Options: Options{Dir: t.TempDir(), Now: clock.Now}, Retention: Retention{MaxAge: day}})
	records := storetest.Records(0, n, "pod-a")
	for i := range records {
		records[i].Deliver = false
	}
	for part := range slices.Chunk(records, 500) {
		if err := s.Commit(t.Context(), part); err != nil {
			t.Fatal(err)
		}
	}
	before := sizeOf(s.file.path)
	clock.Advance(2 * day)
	done := make(chan error, 1)
	go func() {
		got, err := s.Sweep(t.Context())
		if err == nil && got.Detections < n-1 {
			err = errors.New("not all were removed")
		}
		done <- err
	}()
	commits, slowest := 0, time.Duration(0)
	for running := true; running; commits++ {
		began := time.Now()
		if err := s.Commit(t.Context(), storetest.Records(n+commits, n+commits+1, "pod-a")); err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, time.Since(began))
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		default:
		}
	}
	t.Logf("%d commits meanwhile, the slowest took %v; the file had %d bytes and has %d", commits, slowest, before, sizeOf(s.file.path))
	if commits < 20 || slowest > 5*time.Second {
		t.Errorf("%d commits meanwhile, the slowest took %v", commits, slowest)
	}
	if err := s.Commit(t.Context(), storetest.Records(2*n, 2*n+n/2, "pod-a")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(s.file.path)
	if err != nil || info.Size() > before+before/2 {
		t.Errorf("the file grew from %d to %d bytes: what was freed is not used again; %v", before, info.Size(), err)
	}
}
