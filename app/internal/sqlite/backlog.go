package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// The states of a queued item, as items.state has them.
const (
	stateOwed = iota
	stateOutcomeKnown
	stateNothingOwed
)

// backlog writes the table of queue.db. Only the writer's goroutine uses it, but for the atomics: those follow what is
// committed and may be read at any time.
type backlog struct {
	put, markStored, sweepDone, markDelivered, remove *sql.Stmt
	count, size                                       *sql.Stmt

	undelivered, unstored atomic.Int64
	pages, usedPages      atomic.Int64 // in the file, and those of them that hold something

	lastPos                       int64 // positions only rise, or a reader's cursor would pass new rows by
	nextUndelivered, nextUnstored int64 // as they will be when the transaction is committed
	nextPages, nextFreePages      int64
}

func (b *backlog) prepare(add prepareFunc) error {
	for _, p := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&b.put, `INSERT INTO items (pos, id, stored, state, record) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`},
		{&b.markStored, `UPDATE items SET stored = 1 WHERE id = ? AND stored = 0`},
		{&b.sweepDone, `DELETE FROM items WHERE pos IN (SELECT pos FROM items WHERE state = 2 AND stored = 1)`},
		{&b.markDelivered, `UPDATE items SET state = 1, outcome = ?, at = ?, reason = ? WHERE id = ? AND state = 0`},
		{&b.remove, `DELETE FROM items WHERE id = ? AND state = 1 AND stored = 1`},
		{&b.count, `SELECT (SELECT count(*) FROM items WHERE state = 0), (SELECT count(*) FROM items WHERE stored = 0),
			(SELECT coalesce(max(pos), 0) FROM items)`},
		{&b.size, `SELECT page_count, freelist_count FROM pragma_page_count, pragma_freelist_count`},
	} {
		if err := add(p.stmt, p.text); err != nil {
			return err
		}
	}
	return nil
}

func (b *backlog) reload(ctx context.Context) error {
	var last int64
	if err := b.count.QueryRowContext(ctx).Scan(&b.nextUndelivered, &b.nextUnstored, &last); err != nil {
		return fmt.Errorf("count items: %w", err)
	}
	b.lastPos = max(b.lastPos, last)
	if err := b.finish(ctx); err != nil {
		return err
	}
	b.committed()
	return nil
}

// own does nothing: a queue is on a disk of its pod's own, where the lock holds.
func (b *backlog) own(context.Context, *sql.Conn) error { return nil }

func (b *backlog) begun(context.Context) error { return nil }

func (b *backlog) finish(ctx context.Context) error {
	if err := b.size.QueryRowContext(ctx).Scan(&b.nextPages, &b.nextFreePages); err != nil {
		return fmt.Errorf("read size: %w", err)
	}
	return nil
}

func (b *backlog) committed() {
	b.undelivered.Store(b.nextUndelivered)
	b.unstored.Store(b.nextUnstored)
	b.pages.Store(b.nextPages)
	b.usedPages.Store(b.nextPages - b.nextFreePages)
}

func (b *backlog) insert(row *item) error {
	n, err := changed(b.put.Exec(b.lastPos+1, row.id, row.stored, row.state, row.body))
	if err != nil || n == 0 {
		return err
	}
	b.lastPos++
	if !row.stored {
		b.nextUnstored++
	}
	if row.state == stateOwed {
		b.nextUndelivered++
	}
	return nil
}

func (b *backlog) store(id string) error {
	n, err := changed(b.markStored.Exec(id))
	b.nextUnstored -= n
	return err
}

// sweep takes off what is stored and owed to nobody.
func (b *backlog) sweep() error {
	_, err := b.sweepDone.Exec()
	return err
}

func (b *backlog) deliver(d *detection.Delivery) error {
	n, err := changed(b.markDelivered.Exec(string(d.Outcome), d.At.UnixMicro(), d.Reason, d.ID))
	b.nextUndelivered -= n
	return err
}

// changed returns how many rows a statement changed.
func changed(result sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
