package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// walSoftBytes of payload call for a checkpoint before the second is over.
	walSoftBytes = 4 << 20
	// walHardPages (16 MiB) of log make the writer pause for the last part of a checkpoint: under unbroken load a
	// checkpoint beside the writer never catches up, and the log would grow without end.
	walHardPages = 4096
	// walKeepBytes is what stays of the log file for the next transactions once it has been carried over.
	walKeepBytes = 16 << 20
)

// checkpointer carries the write-ahead log into the database on a connection of its own, so that no caller's COMMIT does.
type checkpointer struct {
	conn   *sql.Conn
	writer *writer
	log    *slog.Logger
	told   string // the last complaint, so that a lasting fault is one line in the log
	kick   chan struct{}
	stop   chan struct{}
	done   sync.WaitGroup
}

func startCheckpointer(conn *sql.Conn, w *writer, log *slog.Logger) *checkpointer {
	c := &checkpointer{conn: conn, writer: w, log: log, kick: make(chan struct{}, 1), stop: make(chan struct{})}
	w.walPressing = func() {
		select {
		case c.kick <- struct{}{}:
		default:
		}
	}
	c.done.Go(c.run)
	return c
}

func (c *checkpointer) run() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-c.kick:
		case <-tick.C:
		}
		if c.writer.walBytes.Swap(0) > 0 && c.writer.alive() == nil { // see closeWriters
			c.passive()
		}
	}
}

// passive waits for nobody. Pages that a reader still needs stay in the log until the next time. When the log is too
// long, a second run carries over what was written during the first, so that little is left to the writer.
func (c *checkpointer) passive() {
	logPages, donePages, err := checkpoint(context.Background(), c.conn, "PASSIVE")
	if err == nil && logPages > walHardPages {
		logPages, donePages, err = checkpoint(context.Background(), c.conn, "PASSIVE")
	}
	switch {
	case err != nil && isFatal(err):
		c.writer.die(fmt.Errorf("checkpoint: %w", err))
	case err != nil:
		if text := err.Error(); text != c.told { // a full disk may last for hours, with one try a second
			c.told = text
			c.log.Warn("checkpoint; will try again each second", "error", err)
		}
		c.writer.walBytes.Add(1)
		return
	case logPages > walHardPages:
		c.writer.wantCheckpoint.Store(true)
		c.writer.walBytes.Add(1)
	case donePages < logPages:
		c.writer.walBytes.Add(1)
	}
	c.told = ""
}

// close empties the log. The writer and the readers must be closed before.
func (c *checkpointer) close() error {
	close(c.stop)
	c.done.Wait()
	var err error
	if c.writer.alive() == nil {
		_, _, err = checkpoint(context.Background(), c.conn, "TRUNCATE")
	}
	if isFatal(err) {
		c.writer.distrust(err)
	}
	return errors.Join(err, c.conn.Close())
}

// checkpoint runs one of the mode and returns how many pages the log has and how many of them are in the database.
func checkpoint(ctx context.Context, conn *sql.Conn, mode string) (logPages, donePages int, err error) {
	var busy int
	err = conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &logPages, &donePages)
	return logPages, donePages, err
}
