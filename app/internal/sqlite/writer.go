package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	sqlite3 "github.com/mattn/go-sqlite3"

	"github.com/detection-api/detection-api/app/internal/groupcommit"
)

// batchRows ends a transaction: some 10 ms of work for a slow core, so that nobody waits long behind a crowd.
const batchRows = 512

// op is what one caller wants done in the next transaction.
type op struct {
	run   func() error // runs statements of the writer's connection
	rows  int          // weight in the batch
	bytes int64        // payload, about what the write-ahead log grows by
	// repeatable says that a power cut may undo it: who asked for it will find out and do it again. Only the process's
	// own death it must survive.
	repeatable bool
}

// prepareFunc makes a statement that lives as long as the writer.
type prepareFunc func(stmt **sql.Stmt, text string) error

// session is what a kind of database keeps in memory beside its tables.
type session interface {
	// own makes conn's owner the only one who changes the database, before prepare.
	own(ctx context.Context, conn *sql.Conn) error
	// prepare makes the statements.
	prepare(add prepareFunc) error
	// reload reads the memory back from the tables: at the start and after a transaction that failed.
	reload(ctx context.Context) error
	// begun says whether the transaction that has just begun may go on.
	begun(ctx context.Context) error
	// finish writes what the transaction changed in memory to the tables, if anything.
	finish(ctx context.Context) error
	// committed says that the transaction is durable.
	committed()
}

// writer is the only one that changes a database. It runs the operations of all callers who wait in one transaction, on
// one connection with prepared statements. No caller's context reaches SQLite: an interrupt would hit the whole batch.
type writer struct {
	conn    *sql.Conn
	session session
	group   *groupcommit.Writer[*op]
	log     *slog.Logger
	fatal   func(error)

	begin, commit, rollback *sql.Stmt
	statements              []*sql.Stmt // all that must be closed: with one left SQLite does not let go of the file
	syncer                  *syncer

	broken         atomic.Pointer[error] // set once: nothing may be written any more
	walBytes       atomic.Int64          // about what was written since the last checkpoint
	walPressing    func()                // asks for a checkpoint; must not block
	wantCheckpoint atomic.Bool           // the log only shrinks while nobody writes: do it between two transactions
}

func newWriter(ctx context.Context, conn *sql.Conn, s session, log *slog.Logger, fatal func(error)) (*writer, error) {
	w := &writer{conn: conn, session: s, log: log, fatal: fatal, walPressing: func() {}}
	if err := w.prepare(ctx); err != nil {
		return nil, errors.Join(err, w.closeStatements())
	}
	w.group = groupcommit.New(groupcommit.Options[*op]{MaxWeight: batchRows, Weigh: func(o *op) int { return o.rows }}, w.batch)
	return w, nil
}

func (w *writer) prepare(ctx context.Context) error {
	add := func(stmt **sql.Stmt, text string) (err error) {
		if *stmt, err = w.conn.PrepareContext(ctx, text); err != nil {
			return fmt.Errorf("prepare %q: %w", text, err)
		}
		w.statements = append(w.statements, *stmt)
		return nil
	}
	for _, p := range []struct {
		stmt **sql.Stmt
		text string
	}{{&w.begin, "BEGIN IMMEDIATE"}, {&w.commit, "COMMIT"}, {&w.rollback, "ROLLBACK"}} {
		if err := add(p.stmt, p.text); err != nil {
			return err
		}
	}
	var err error
	if w.syncer, err = newSyncer(ctx, w.conn); err != nil {
		return err
	}
	if err := w.session.prepare(add); err != nil {
		return err
	}
	return w.session.reload(ctx)
}

func (w *writer) closeStatements() error {
	var errs []error
	for _, stmt := range w.statements {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(errs...)
}

// do runs o in the next transaction and returns when that is durable.
func (w *writer) do(ctx context.Context, o *op) error { return w.group.Do(ctx, o) }

// alive returns the reason why nothing can be written any more, nil while it can.
func (w *writer) alive() error {
	if err := w.broken.Load(); err != nil {
		return *err
	}
	return nil
}

// batch is the commit function of the group.
func (w *writer) batch(ops []*op) error {
	if err := w.alive(); err != nil {
		return err
	}
	if w.wantCheckpoint.CompareAndSwap(true, false) {
		w.checkpoint()
	}
	if err := w.transact(ops); err != nil {
		return w.undo(err)
	}
	if err := w.alive(); err != nil {
		return err // a checkpoint found the disk broken meanwhile: what its sync lost may be this, and ours then said nothing
	}
	w.session.committed()
	var bytes int64
	for _, o := range ops {
		bytes += o.bytes
	}
	if w.walBytes.Add(bytes) > walSoftBytes {
		w.walPressing()
	}
	return nil
}

func (w *writer) transact(ops []*op) error {
	ctx := context.Background()
	if err := w.syncer.prepare(ctx, ops); err != nil {
		return err
	}
	if _, err := w.begin.ExecContext(ctx); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := w.session.begun(ctx); err != nil {
		return err
	}
	for _, o := range ops {
		if err := o.run(); err != nil {
			return err
		}
	}
	if err := w.session.finish(ctx); err != nil {
		return err
	}
	if _, err := w.commit.ExecContext(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// undo rolls back explicitly, because SQLite has rolled back by itself after some errors and not after others, and
// brings the memory in step with the tables. It returns cause.
func (w *writer) undo(cause error) error {
	ctx := context.Background()
	if isFatal(cause) {
		w.die(cause)
		return cause
	}
	_, err := w.rollback.ExecContext(ctx)
	if errors.Is(cause, errSuperseded) {
		w.die(cause) // after the rollback: the other one must not wait for this process to end
		return cause
	}
	if err != nil && w.inTransaction() {
		w.die(fmt.Errorf("roll back after %w: %w", cause, err))
		return cause
	}
	if err := w.session.reload(ctx); err != nil {
		w.die(fmt.Errorf("read back after %w: %w", cause, err))
		return cause
	}
	if isFull(cause) {
		w.walPressing() // a checkpoint gives the log's space back
	}
	return cause
}

func (w *writer) inTransaction() bool {
	in := true
	err := w.conn.Raw(func(c any) error {
		in = !c.(*sqlite3.SQLiteConn).AutoCommit()
		return nil
	})
	return err != nil || in
}

// die stops all writing and tells the owner of the process, who must end it.
func (w *writer) die(cause error) {
	if w.distrust(cause) {
		w.fatal(cause)
	}
}

// distrust stops all writing. It returns false when that was so already.
func (w *writer) distrust(cause error) bool { return w.broken.CompareAndSwap(nil, &cause) }

// checkpoint carries the rest of the log into the database while nobody writes, so that the next transaction starts the
// log anew. It waits for nobody: with readers in the way it does what it can.
func (w *writer) checkpoint() {
	if _, _, err := checkpoint(context.Background(), w.conn, "PASSIVE"); err != nil && isFatal(err) {
		w.die(fmt.Errorf("checkpoint: %w", err))
	}
}

func (w *writer) close() error {
	w.group.Close()
	return errors.Join(w.closeStatements(), w.conn.Close())
}
