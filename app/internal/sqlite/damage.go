package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
)

// checkFirstBytes is how large an app.db may be to be read from end to end before it is used: about a quarter of a second. A
// larger one is read while it serves.
const checkFirstBytes = 16 << 20

// checkStore looks for damage in the app.db at path before SQLite opens it for writing. whole says that all of it was
// read.
func checkStore(ctx context.Context, path string, opts *StoreOptions) (whole bool, err error) {
	if opts.unchecked {
		return true, nil
	}
	if sizeOf(path+"-journal") > 0 {
		return true, nil // a first start that was cut short: SQLite takes it back, and nothing was acknowledged yet
	}
	if err := checkHead(ctx, path, opts.Logger); err != nil {
		return false, err
	}
	bytes := sizeOf(path)
	if bytes == 0 {
		return true, nil
	}
	if bytes+sizeOf(path+"-wal") > opts.checkFirstBytes {
		return false, nil
	}
	return true, checkWhole(ctx, path)
}

// checkWhole reads the database from end to end. One that has no schema yet is sound when SQLite says so.
func checkWhole(ctx context.Context, path string) error {
	empty, err := unborn(ctx, path)
	if err == nil && !empty {
		_, err = InspectLive(ctx, path)
	}
	if err != nil {
		return fmt.Errorf("%s is damaged: %w; restore a copy", filepath.Base(path), err)
	}
	return nil
}

// unborn says that a first start was cut short before there was a schema.
func unborn(ctx context.Context, path string) (bool, error) {
	conn, err := pinned(ctx, openReaders(path, 1))
	if err != nil {
		return false, err
	}
	defer conn.Close()
	var version, objects int
	err = conn.QueryRowContext(ctx, `SELECT user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_user_version`).Scan(&version, &objects)
	return version == 0 && objects == 0, err
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
