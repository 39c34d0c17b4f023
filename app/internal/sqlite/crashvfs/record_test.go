//go:build cgo

package crashvfs

import (
	"database/sql"
	"path/filepath"
	"testing"

	sqlite3 "github.com/mattn/go-sqlite3"
)

func openDB(t *testing.T, dir string) *sql.DB {
	t.Helper()
	sql.Register(t.Name()+dir, &sqlite3.SQLiteDriver{})
	db, err := sql.Open(t.Name()+dir, "file:"+filepath.Join(dir, "x.db")+"?_journal=WAL&_sync=FULL")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	return db
}

func TestARecordingSeesItsDirectoryOnly(t *testing.T) {
	dir := t.TempDir()
	rec, err := Record(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	other := openDB(t, t.TempDir())
	if _, err := other.Exec("CREATE TABLE a (b)"); err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil || len(rec.Log()) != 0 {
		t.Fatalf("recorded %d calls for another directory, %v", len(rec.Log()), err)
	}
	db := openDB(t, dir)
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE a (b); INSERT INTO a VALUES (42)"); err != nil {
		t.Fatal(err)
	}
	if err := imageHas(t, rec.Log().Image(len(rec.Log()), nothing()), 42); err != nil {
		t.Errorf("a durable row is not in the image: %v", err)
	}
}

func TestACallFails(t *testing.T) {
	const ioErrFsync = 10 | 4<<8
	dir := t.TempDir()
	rec, err := Record(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	db := openDB(t, dir)
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE a (b)"); err != nil {
		t.Fatal(err)
	}
	rec.Fail(func(c Call) *Failure {
		if c.Op == OpSync && c.Name == "x.db-wal" {
			return &Failure{Code: ioErrFsync, Errno: 5}
		}
		return nil
	})
	_, err = db.Exec("INSERT INTO a VALUES (43)")
	if e, ok := err.(sqlite3.Error); !ok || e.ExtendedCode != sqlite3.ErrIoErrFsync || e.SystemErrno != 5 {
		t.Errorf("insert = %v, want the failed sync", err)
	}
	rec.Fail(nil)
	if _, err := db.Exec("INSERT INTO a VALUES (44)"); err != nil {
		t.Errorf("insert after it = %v", err)
	}
}

func imageHas(t *testing.T, image Image, want int) error {
	dir := t.TempDir()
	if err := image.WriteTo(dir); err != nil {
		return err
	}
	db := openDB(t, dir)
	defer db.Close()
	var got int
	return db.QueryRow("SELECT b FROM a WHERE b = ?", want).Scan(&got)
}
