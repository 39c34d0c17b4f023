package peer

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"time"

	_ "github.com/mattn/go-sqlite3" // the driver "sqlite3"
)

// Row is what the store writes for one detection, ready made.
type Row struct {
	ID   string
	At   int64 // microseconds
	Body []byte
	Note string // of the audit entry
}

// Inserts writes the store's rows (detection, outbox, audit entry) with prepared statements, all of a window in one
// transaction and by one caller: what SQLite itself takes for them.
type Inserts struct {
	db  *sql.DB
	seq int64
}

// NewInserts makes a database in dir with tables and indexes like the store's. Close it.
func NewInserts(ctx context.Context, dir string) (*Inserts, error) {
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(dir, "inserts.db")+"?_journal=WAL&_sync=FULL&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(ctx, `
		CREATE TABLE detections (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, seen_at INTEGER NOT NULL,
			received_at INTEGER NOT NULL, deliver INTEGER NOT NULL, owner TEXT NOT NULL, body BLOB NOT NULL);
		CREATE TABLE outbox (seq INTEGER PRIMARY KEY, owner TEXT NOT NULL);
		CREATE INDEX outbox_owner ON outbox (owner);
		CREATE TABLE audit (seq INTEGER PRIMARY KEY, detection_id TEXT NOT NULL, event TEXT NOT NULL, at INTEGER NOT NULL,
			detail TEXT NOT NULL, prev BLOB NOT NULL, hash BLOB NOT NULL)`)
	return &Inserts{db: db}, err
}

// Close gives the database up.
func (p *Inserts) Close() error { return p.db.Close() }

// Rate inserts rows that next makes for the length, commits, and returns the rows a second.
func (p *Inserts) Rate(ctx context.Context, length time.Duration, next func() Row) (float64, error) {
	start, n := time.Now(), 0
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	insert, err := p.prepare(ctx, tx)
	if err != nil {
		return 0, errors.Join(err, tx.Rollback())
	}
	for ; time.Since(start) < length; n++ {
		if err := insert(next()); err != nil {
			return 0, errors.Join(err, tx.Rollback())
		}
	}
	if err := tx.Commit(); err != nil {
		return 0, err
	}
	return float64(n) / time.Since(start).Seconds(), nil
}

func (p *Inserts) prepare(ctx context.Context, tx *sql.Tx) (func(Row) error, error) {
	var statements [3]*sql.Stmt
	for i, text := range []string{
		`INSERT INTO detections (seq, id, seen_at, received_at, deliver, owner, body) VALUES (?, ?, ?, ?, 1, 'pod', ?)`,
		`INSERT INTO outbox (seq, owner) VALUES (?, 'pod')`,
		`INSERT INTO audit (seq, detection_id, event, at, detail, prev, hash) VALUES (?, ?, 'accepted', ?, ?, ?, ?)`,
	} {
		var err error
		if statements[i], err = tx.PrepareContext(ctx, text); err != nil {
			return nil, err
		}
	}
	hash := make([]byte, 32)
	background := context.Background() // with a context that can end the driver starts a goroutine for each call
	return func(r Row) error {
		p.seq++
		_, first := statements[0].ExecContext(background, p.seq, r.ID, r.At, r.At, r.Body)
		_, second := statements[1].ExecContext(background, p.seq)
		_, third := statements[2].ExecContext(background, p.seq, r.ID, r.At, r.Note, hash, hash)
		return errors.Join(first, second, third)
	}, nil
}
