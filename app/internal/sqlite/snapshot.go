package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"

	sqlite3 "github.com/mattn/go-sqlite3"
)

const (
	// snapshotStepPages (1 MiB) are copied at a time, with a pause of snapshotPause times as long as the step took: callers
	// who wait for a commit get most of the disk.
	snapshotStepPages = 256
	snapshotPause     = 3
	// snapshotPatience ends a copy that does not move, because SQLite answers busy to each step.
	snapshotPatience = 30 * time.Second
)

// snapshot copies the database at from, as it is at one moment, into the new file to. Writers go on meanwhile.
//
// All steps read within one transaction, so each sees the same moment. Without it SQLite would start over after every
// commit of another connection (https://sqlite.org/backup.html), under load for ever. VACUUM INTO would hold such a
// transaction too, but builds every index anew, cannot be paced, and skips what its scan does not reach. The price is the
// same: the write-ahead log cannot be emptied until the copy is made. room is asked once and then between steps, with the
// bytes that are still to be written.
func snapshot(ctx context.Context, from, to string, room func(bytes int64) error) (err error) {
	if orphaned(from) {
		return fmt.Errorf("%s is empty but its log %s-wal is not", from, from)
	}
	source, err := pinned(ctx, openReaders(from, 1))
	if err != nil {
		return fmt.Errorf("open %s: %w", from, err)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	bytes, err := beginReading(ctx, source.Conn)
	if err != nil {
		return fmt.Errorf("read %s: %w", from, err)
	}
	if err := room(bytes); err != nil {
		return err
	}
	// Neither journal nor sync: a copy that does not get finished is thrown away, and whoever keeps one syncs it.
	target, err := pinned(ctx, openPool(to, 1, url.Values{"mode": {"rwc"}, "_journal": {"OFF"}, "_sync": {"OFF"}}))
	if err != nil {
		return fmt.Errorf("make %s: %w", to, err)
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	return source.Raw(func(from any) error {
		return target.Raw(func(to any) error {
			return copyPages(ctx, from.(*sqlite3.SQLiteConn), to.(*sqlite3.SQLiteConn), bytes, room)
		})
	})
}

// ownConn is a connection that is closed together with the pool it came from.
type ownConn struct {
	*sql.Conn
	pool *sql.DB
}

func pinned(ctx context.Context, pool *sql.DB) (ownConn, error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return ownConn{}, errors.Join(err, pool.Close())
	}
	return ownConn{conn, pool}, nil
}

func (c ownConn) Close() error { return errors.Join(c.Conn.Close(), c.pool.Close()) }

// beginReading opens a read transaction, which lasts until the connection is closed, and returns the size of the database.
func beginReading(ctx context.Context, conn *sql.Conn) (bytes int64, err error) {
	if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
		return 0, err
	}
	var pages, pageBytes, tables int64
	err = conn.QueryRowContext(ctx, `SELECT page_count, page_size, (SELECT count(*) FROM sqlite_schema)
		FROM pragma_page_count, pragma_page_size`).Scan(&pages, &pageBytes, &tables)
	return pages * pageBytes, err
}

func copyPages(ctx context.Context, from, to *sqlite3.SQLiteConn, bytes int64, room func(bytes int64) error) error {
	backup, err := to.Backup("main", from, "main")
	if err != nil {
		return fmt.Errorf("begin copy: %w", err)
	}
	err = stepThrough(ctx, backup, bytes, room)
	if finishErr := backup.Finish(); err == nil {
		err = finishErr
	}
	if err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	return nil
}

// stepThrough copies step by step. A step that SQLite could not make because of a lock is no error to the driver.
func stepThrough(ctx context.Context, backup *sqlite3.SQLiteBackup, bytes int64, room func(bytes int64) error) error {
	pause := time.NewTimer(0)
	defer pause.Stop()
	moved, left := time.Now(), -1
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-pause.C:
		}
		began := time.Now()
		done, err := backup.Step(snapshotStepPages)
		if done || err != nil {
			return err
		}
		if now := backup.Remaining(); now != left {
			moved, left = time.Now(), now
		} else if time.Since(moved) > snapshotPatience {
			return errors.New("the database stays locked")
		}
		if err := room(bytes * int64(left) / int64(max(1, backup.PageCount()))); err != nil {
			return err
		}
		pause.Reset(max(time.Millisecond, snapshotPause*time.Since(began)))
	}
}
