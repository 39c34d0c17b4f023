package sqlite

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/detection/storetest"
)

// copied is the bytes of a copy of a small store with every kind of row.
func copied(t *testing.T) []byte {
	t.Helper()
	clock := storetest.NewClock()
	s := openStore(t, StoreOptions{Options: Options{Now: clock.Now}})
	if err := s.Commit(t.Context(), storetest.Records(0, 40, "pod-a")); err != nil {
		t.Fatal(err)
	}
	if err := s.Acknowledge(t.Context(), storetest.Deliveries(0, 5, detection.Delivered, clock.Now())); err != nil {
		t.Fatal(err)
	}
	if err := s.Acknowledge(t.Context(), storetest.Deliveries(5, 7, detection.DeadLettered, clock.Now())); err != nil {
		t.Fatal(err)
	}
	c, err := s.Copy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	content, err := os.ReadFile(saved(t, c))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func written(t *testing.T, content []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestInspectTakesTheCensus(t *testing.T) {
	c, err := Inspect(t.Context(), written(t, copied(t)))
	if err != nil {
		t.Fatal(err)
	}
	newest := storetest.Record(39, "").Detection.ReceivedAt
	known, err := migrations.ReadDir("migrations/app")
	if err != nil {
		t.Fatal(err)
	}
	if c.SchemaVersion != len(known) || c.Detections != 40 || c.Outbox != 33 || c.DeadLetters != 2 || c.AuditEntries != 47 ||
		len(c.AuditHead) != 64 || !c.NewestReceivedAt.Equal(newest) {
		t.Errorf("census = %+v", c)
	}
}

// TestInspectFindsWhatSQLiteDoesNot changes a copy in ways that leave a sound database: each is found, and by what.
func TestInspectFindsWhatSQLiteDoesNot(t *testing.T) {
	content := copied(t)
	for _, c := range []struct{ name, change, want string }{
		{"a detection changed", `UPDATE detections SET body = replace(body, '0.91', '0.99') WHERE seq = 7`, "is not what was accepted"},
		{"a detection removed", `DROP TRIGGER detections_owed_stay; DELETE FROM detections WHERE seq = 8`, "the service counted"},
		{"a detection that nobody waits for removed", `DELETE FROM detections WHERE seq = 3`, "the service counted"},
		{"a detection removed and no longer counted", `UPDATE counts SET detections = detections - 1,
			bytes = bytes - (SELECT octet_length(body) FROM detections WHERE seq = 3); DELETE FROM detections WHERE seq = 3`, "number 3 is gone"},
		{"a detection removed, not counted, and noted", `UPDATE counts SET detections = detections - 1,
			bytes = bytes - (SELECT octet_length(body) FROM detections WHERE seq = 3); DELETE FROM detections WHERE seq = 3;
			INSERT INTO removed VALUES (3, 3)`, "number 3 is gone"},
		{"a dead letter at another time", `UPDATE dead_letters SET at = at + 1 WHERE seq = 6`, "is not what the audit trail says"},
		{"a dead letter for another reason", `UPDATE dead_letters SET reason = 'x' WHERE seq = 6`, "is not what the audit trail says"},
		{"another dead letter", `UPDATE dead_letters SET seq = 3 WHERE seq = 6`, "is not what the audit trail says"},
		{
			"a dead letter too few", `DELETE FROM dead_letters WHERE seq = 6; UPDATE counts SET dead_letters = dead_letters - 1`,
			"there are 1 dead letters",
		},
		{"a removal noted that was none", `INSERT INTO removed VALUES (3, 3)`, "not what the audit trail says"},
		{"two detections change places", `UPDATE detections SET seq = 1000 WHERE seq = 3; UPDATE detections SET seq = 3 WHERE seq = 4;
			UPDATE detections SET seq = 4 WHERE seq = 1000`, "number 3 is"},
		{"bytes miscounted", `UPDATE counts SET bytes = bytes + 1`, "bytes of detections"},
		{"a detection added", `INSERT INTO detections VALUES (99, 'x', 0, 0, 0, '', x'7b7d'); UPDATE counts SET detections = 41, bytes = bytes + 2`, "does not say"},
		{"an outbox row removed", `DELETE FROM outbox WHERE seq = 20`, "the service counted"},
		{"an outbox row of nothing", `DELETE FROM outbox WHERE seq = 20; INSERT INTO outbox VALUES (999, '')`, "have no detection"},
		{"an audit entry changed", `DROP TRIGGER audit_never_updated; UPDATE audit SET detail = 'x' WHERE seq = 45`, "broken at entry 45"},
		{"an audit entry removed", `DROP TRIGGER audit_never_deleted; DELETE FROM audit WHERE seq = 45`, "broken at entry 46"},
		{"the trail's beginning removed", `DROP TRIGGER audit_floor_forward; DELETE FROM detections WHERE seq = 1; UPDATE audit_floor SET seq = 1, accepted = 1,
			hash = (SELECT hash FROM audit WHERE seq = 1); DELETE FROM audit WHERE seq = 1; UPDATE counts SET detections = 39,
			bytes = (SELECT sum(octet_length(body)) FROM detections)`, "no entry says that it was cut"},
		{"an older schema", `PRAGMA user_version = 0`, "schema 0"},
		{"a newer schema", `PRAGMA user_version = 99`, "schema 99"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := written(t, content)
			if _, err := Inspect(t.Context(), path); err != nil {
				t.Fatalf("before the change: %v", err)
			}
			db := shell(t, path)
			if _, err := db.Exec(c.change); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil { // carries the log over
				t.Fatal(err)
			}
			if _, err := Inspect(t.Context(), path); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Inspect = %v, want %q", err, c.want)
			}
		})
	}
}

// TestInspectOfDamage flips a bit in every 97th byte and cuts the file at many places. Inspect may overlook a bit where
// nothing is kept, but then what it counts is the same; a cut it always finds.
func TestInspectOfDamage(t *testing.T) {
	content := copied(t)
	whole, err := Inspect(t.Context(), written(t, content))
	if err != nil {
		t.Fatal(err)
	}
	found, places := 0, 0
	for at := 0; at < len(content); at += 97 {
		damaged := bytes.Clone(content)
		damaged[at] ^= 1 << (at % 8)
		places++
		if c, err := Inspect(t.Context(), written(t, damaged)); err != nil {
			found++
		} else if c != whole {
			t.Errorf("bit %d of byte %d: not found, and counted %+v", at%8, at, c)
		}
	}
	t.Logf("%d of %d flipped bits found", found, places)
	if found < places*2/5 { // the rest is room that nothing is kept in
		t.Errorf("found %d of %d flipped bits", found, places)
	}
	for cut := 0; cut < len(content); cut += 4096 {
		if _, err := Inspect(t.Context(), written(t, content[:cut])); err == nil {
			t.Errorf("cut to %d of %d bytes: not found", cut, len(content))
		}
	}
}

func TestInstall(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, StoreOptions{Options: Options{Dir: dir}})
	if err := s.Commit(t.Context(), storetest.Records(100, 103, "pod-a")); err != nil {
		t.Fatal(err)
	}
	if _, err := Own(dir); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("Own of a live store = %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	o, err := Own(dir)
	if err != nil {
		t.Fatal(err)
	}
	content := copied(t)
	bad := errors.New("not good")
	if _, err := o.Install(bytes.NewReader(content), ".old", func(string) error { return bad }); !errors.Is(err, bad) {
		t.Errorf("Install of a copy that the check refuses = %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*"+restoringSuffix)); len(left) > 0 || !o.Occupied() {
		t.Errorf("after a refusal %v is left, the database is there: %v", left, o.Occupied())
	}
	aside, err := o.Install(bytes.NewReader(content), ".old", func(string) error { return nil })
	if err != nil || aside != filepath.Join(dir, "app.db.old") {
		t.Fatalf("Install = %q, %v", aside, err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, StoreOptions{Options: Options{Dir: dir}})
	if stats, err := s.Stats(t.Context()); err != nil || stats.Detections != 40 {
		t.Errorf("restored: %+v, %v", stats, err)
	}
	if old, err := Inspect(t.Context(), aside); err != nil || old.Detections != 3 {
		t.Errorf("set aside: %+v, %v", old, err)
	}
}

// TestAnInterruptedInstallIsNoEmptyStore stops between the renames: the store refuses to start with nothing.
func TestAnInterruptedInstallIsNoEmptyStore(t *testing.T) {
	for name, files := range map[string][]string{
		"the database moved":         {"app.db-wal", "app.db.restoring"},
		"the database and log moved": {"app.db.restoring"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, file := range files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte("something"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if s, err := OpenStore(t.Context(), StoreOptions{Options: Options{Dir: dir}}); err == nil {
				s.Close()
				t.Error("an empty store was opened")
			}
		})
	}
	openStore(t, StoreOptions{}) // positive control: an empty directory is fine
}
