package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
)

// checkFirstBytes is how large an app.db may be to be read from end to end before it is used: about a quarter of a second. A
// larger one is read while it serves.
const checkFirstBytes = 16 << 20

// look is what was found before SQLite opens app.db for writing. Its connection stays open until then: the first one that
// opens a database after a crash reads all of its log, and the ones beside it need not.
type look struct {
	reader *ownConn
	whole  bool // all of the database was read
}

// close returns when the database is open otherwise, or will not be.
func (l *look) close() {
	if l.reader != nil {
		_ = l.reader.Close() // it has only read
	}
}

// checkStore looks for damage in the app.db at path.
func (l *look) checkStore(ctx context.Context, path string, opts *StoreOptions) error {
	if l.whole = true; opts.unchecked || sizeOf(path+"-journal") > 0 {
		return nil // a first start that was cut short leaves a journal: SQLite takes it back, and nothing was acknowledged yet
	}
	noted, err := checkNote(path, opts.Logger)
	if err != nil || sizeOf(path) == 0 {
		return err
	}
	reader, err := pinned(ctx, openReaders(path, 1))
	if err != nil {
		return err
	}
	l.reader = &reader
	if err := checkHead(ctx, reader.Conn, path, noted); err != nil {
		return err
	}
	if l.whole = sizeOf(path)+sizeOf(path+"-wal") <= opts.checkFirstBytes; !l.whole {
		return nil
	}
	return checkWhole(ctx, reader.Conn, path)
}

// checkWhole reads the database from end to end. One without a schema is a first start that was cut short.
func checkWhole(ctx context.Context, conn *sql.Conn, path string) error {
	var version, objects int
	err := conn.QueryRowContext(ctx, `SELECT user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_user_version`).Scan(&version, &objects)
	if err == nil && version+objects > 0 {
		_, err = InspectLive(ctx, path)
	}
	if err != nil {
		return fmt.Errorf("%s is damaged: %w; restore a copy", filepath.Base(path), err)
	}
	return nil
}

// scrubber reads a large database from end to end while it serves, once after the start.
type scrubber struct {
	stop context.CancelFunc
	done sync.WaitGroup
}

// startScrubber stops all writing and tells the owner of the process when there is damage.
func startScrubber(f *file) *scrubber {
	ctx, cancel := context.WithCancel(context.Background())
	s := &scrubber{stop: cancel}
	s.done.Go(func() {
		_, err := InspectLive(ctx, f.path)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			f.writer.die(fmt.Errorf("%s is damaged: %w; restore a copy", filepath.Base(f.path), err))
		default:
			f.writer.log.Info("the database was read from end to end and is sound")
		}
	})
	return s
}

func (s *scrubber) close() error {
	s.stop()
	s.done.Wait()
	return nil
}
