package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// errSuperseded means that another process has opened the database for writing. It must not be acknowledged over.
var errSuperseded = errors.New("another writer has opened the database since: one process owns a data directory; stop the other one")

// epoch fences off a writer that was replaced without knowing it: a lock on a shared file system that did not hold, a pod
// that was forced away while it still ran.
type epoch struct {
	read *sql.Stmt
	mine int64
	off  bool // in tests, to prove that they would notice
}

// raise opens a new epoch: from its commit on, no writer of an earlier one commits anything.
func (e *epoch) raise(ctx context.Context, conn *sql.Conn) error {
	tx, err := conn.BeginTx(ctx, nil) // IMMEDIATE: see openWriters
	if err != nil {
		return fmt.Errorf("raise epoch: %w", err)
	}
	_, err = tx.ExecContext(ctx, `UPDATE epoch SET epoch = epoch + 1`)
	if err == nil {
		err = tx.QueryRowContext(ctx, `SELECT epoch FROM epoch`).Scan(&e.mine)
	}
	if err != nil {
		return fmt.Errorf("raise epoch: %w", errors.Join(err, tx.Rollback()))
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("raise epoch: %w", err)
	}
	return nil
}

// check is called inside each transaction. The transaction holds SQLite's write lock, so that what it reads stays true
// until it has ended.
func (e *epoch) check(ctx context.Context) error {
	if e.off {
		return nil
	}
	var now int64
	if err := e.read.QueryRowContext(ctx).Scan(&now); err != nil {
		return fmt.Errorf("read epoch: %w", err)
	}
	if now != e.mine {
		return fmt.Errorf("the database is in epoch %d, this writer's was %d: %w", now, e.mine, errSuperseded)
	}
	return nil
}
