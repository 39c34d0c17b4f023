package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/detection/storetest"
	"github.com/detection-api/detection-api/app/internal/torture"
)

const oldRecords = 40

// makeSchemaOne makes an app.db as the first release left it: its own SQL, real detections, the audit trail. All are owed to
// TAK but number 0, which was delivered, and number 1, which is a dead letter.
func makeSchemaOne(t *testing.T, dir string) {
	t.Helper()
	pool := openWriters(filepath.Join(dir, storeName), syncFull)
	conn, err := pin(t.Context(), pool, syncFull)
	if err != nil {
		t.Fatal(err)
	}
	if err := step(t.Context(), conn, "migrations/app/0001_detections.sql", 1); err != nil {
		t.Fatal(err)
	}
	old := schemaOne{t: t, conn: conn}
	for n := range oldRecords {
		old.accept(storetest.Record(n, "pod-a"))
	}
	old.exec(`DELETE FROM outbox WHERE seq < 3`)
	old.append(storetest.ID(0), "delivered", "")
	old.exec(`INSERT INTO dead_letters VALUES (2, 5, 'no')`)
	old.append(storetest.ID(1), "dead_letter", "no")
	old.exec(`UPDATE counts SET detections = ?, outbox = ?, dead_letters = 1`, oldRecords, oldRecords-2)
	old.exec(`INSERT INTO owners VALUES ('pod-a', ?)`, time.Now().Add(time.Minute).UnixMicro())
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
}

type schemaOne struct {
	t    *testing.T
	conn *sql.Conn
	head auditEntry
}

func (o *schemaOne) exec(text string, args ...any) {
	o.t.Helper()
	if _, err := o.conn.ExecContext(o.t.Context(), text, args...); err != nil {
		o.t.Fatalf("%s: %v", text, err)
	}
}

func (o *schemaOne) accept(r detection.Record) {
	o.t.Helper()
	body, err := r.DetectionJSON()
	if err != nil {
		o.t.Fatal(err)
	}
	d := &r.Detection
	o.exec(`INSERT INTO detections (id, seen_at, received_at, deliver, owner, body) VALUES (?, ?, ?, ?, ?, ?)`,
		d.ID, d.SeenAt.UnixMicro(), d.ReceivedAt.UnixMicro(), r.Deliver, r.Owner, body)
	o.exec(`INSERT INTO outbox (seq, owner) SELECT max(seq), ? FROM detections`, r.Owner)
	o.append(d.ID, eventAccepted, digest(body))
}

func (o *schemaOne) append(id, event, detail string) {
	o.t.Helper()
	next := auditEntry{Seq: o.head.Seq + 1, DetectionID: id, Event: event, AtMicros: 5, Detail: detail}
	next.Hash = auditHash(sha256.New(), o.head.Hash, next)
	o.exec(`INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?)`, next.Seq, id, event, 5, detail, o.head.Hash[:], next.Hash[:])
	o.head = next
}

func versionOf(ctx context.Context, path string) (version int, err error) {
	pool := openReaders(path, 1)
	defer pool.Close()
	return version, pool.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version)
}

func TestTheFirstSchemaIsBroughtUpToDate(t *testing.T) {
	dir := t.TempDir()
	makeSchemaOne(t, dir)
	path := filepath.Join(dir, storeName)
	if _, err := Inspect(t.Context(), path); err != nil { // copies of the first release are still sound
		t.Fatal(err)
	}
	s := openStore(t, StoreOptions{Options: Options{Dir: dir}})
	for n, want := range storetest.Records(0, oldRecords, "pod-a") {
		got, err := s.Get(t.Context(), want.Detection.ID)
		if err != nil || got.Owner != want.Owner || !got.Deliver || !reflect.DeepEqual(got.Detection, want.Detection) {
			t.Errorf("detection %d is %+v, %v", n, got, err)
		}
	}
	if err := s.Commit(t.Context(), storetest.Records(oldRecords, oldRecords+1, "pod-a")); err != nil {
		t.Error(err)
	}
	want := detection.StoreStats{Detections: oldRecords + 1, Outbox: oldRecords - 1, DeadLetters: 1}
	if got, err := s.Stats(t.Context()); err != nil || got != want {
		t.Errorf("Stats = %+v, %v; want %+v", got, err, want)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	known, err := migrations.ReadDir("migrations/app")
	if err != nil {
		t.Fatal(err)
	}
	if c, err := Inspect(t.Context(), path); err != nil || c.SchemaVersion != len(known) || c.AuditEntries != oldRecords+3 {
		t.Errorf("Inspect = %+v, %v", c, err)
	}
}

// TestHalfAMigrationIsRefused is the positive control of the power cuts below: a database between two schemas does not open.
func TestHalfAMigrationIsRefused(t *testing.T) {
	dir := t.TempDir()
	makeSchemaOne(t, dir)
	if _, err := shell(t, filepath.Join(dir, storeName)).Exec(`CREATE TABLE epoch (half INTEGER)`); err != nil {
		t.Fatal(err)
	}
	_, err := OpenStore(t.Context(), StoreOptions{Options: Options{Dir: dir}})
	refused(t, "OpenStore", err, "migrate app.db with", "0002_epoch.sql")
}

// upgradeUnderPower opens a database of the first schema and counts which schemas the crash images have.
type upgradeUnderPower struct {
	storeUnderPower
	versions *[10]atomic.Int64
}

func (p upgradeUnderPower) check(dir string, acknowledged []string) (lost int, err error) {
	version, err := versionOf(context.Background(), filepath.Join(dir, storeName))
	if err != nil {
		return 0, err
	}
	p.versions[version].Add(1)
	return p.storeUnderPower.check(dir, acknowledged)
}

// TestPowerCutsDuringTheUpgrade cuts the power at each entry of an upgrade from the first schema.
func TestPowerCutsDuringTheUpgrade(t *testing.T) {
	dir := scratchDir(t)
	makeSchemaOne(t, dir)
	random := rand.New(rand.NewPCG(torture.Seed(t), 0))
	subject := upgradeUnderPower{storeUnderPower{syncFull, 0}, &[10]atomic.Int64{}}
	log := recordRun(t, subject, dir, 0, random)
	result := &cutResult{}
	for range 3 {
		cutAll(t, subject, log, storetest.IDs(0, oldRecords), spread(len(log), len(log), random), random.Uint64(), result)
	}
	if result.lost.Load() > 0 {
		t.Errorf("lost %d", result.lost.Load())
	}
	for version := 1; version <= 4; version++ { // the cuts fell before, between and after the migrations
		images := subject.versions[version].Load()
		if t.Logf("%d of %d images have schema %d", images, result.cuts.Load(), version); images == 0 {
			t.Errorf("no image has schema %d", version)
		}
	}
}
