package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// ErrCopyRuns means that a copy is being made or read already; there is one at a time.
var ErrCopyRuns = &detection.Error{Code: detection.CodeConflict, Message: "a copy of the store is under way already; try again later"}

var errStopping = errors.New("the store is stopping")

// copySuffix names the file that a copy is made in, beside the database.
const copySuffix = ".copy"

// Copy is app.db as it was at one moment. Its file has lost its name: the room it takes is given back when it is closed or
// the process ends.
type Copy struct {
	*os.File
	Bytes   int64
	TakenAt time.Time     // every commit acknowledged before this is in it
	Took    time.Duration // to make it

	release func()
}

// Close gives the file up and lets the next copy be made.
func (c *Copy) Close() error {
	defer c.release()
	return c.File.Close()
}

// copies is what a Store needs to be copied while it is open.
type copies struct {
	slot   chan struct{} // holds a token while a copy is made or read
	stop   chan struct{}
	once   sync.Once
	making sync.WaitGroup
}

func newCopies() *copies { return &copies{slot: make(chan struct{}, 1), stop: make(chan struct{})} }

// StopCopies ends the copy that is being made, if any, and refuses further ones.
func (s *Store) StopCopies() { s.copies.once.Do(func() { close(s.copies.stop) }) }

// endCopies waits until no copy is being made, so that none reads a database that is being closed.
func (s *Store) endCopies() error {
	s.StopCopies()
	s.copies.making.Wait()
	return nil
}

// Copy makes a copy while the store goes on. It takes as much room beside the database as that has, and is refused with
// detection.ErrFull when less than MinFreeBytes would be left, or with ErrCopyRuns. Close must be called on the result.
func (s *Store) Copy(ctx context.Context) (*Copy, error) {
	select {
	case s.copies.slot <- struct{}{}:
	default:
		return nil, ErrCopyRuns
	}
	release := sync.OnceFunc(func() { <-s.copies.slot })
	c, err := s.makeCopy(ctx)
	if err != nil {
		release()
		return nil, translate("copy the store", detection.ErrUnavailable, err)
	}
	c.release = release
	return c, nil
}

func (s *Store) makeCopy(ctx context.Context) (*Copy, error) {
	s.copies.making.Add(1)
	defer s.copies.making.Done()
	select {
	case <-s.copies.stop:
		return nil, errStopping
	default:
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-s.copies.stop:
			cancel(errStopping)
		case <-ctx.Done():
		}
	}()
	path := s.file.path + copySuffix
	if err := removeCopies(s.file.path); err != nil {
		return nil, err
	}
	c := &Copy{TakenAt: s.now().UTC()}
	began := time.Now()
	err := snapshot(ctx, s.file.path, path, s.file.space.roomFor)
	c.Took = time.Since(began)
	if err == nil {
		c.File, err = os.Open(path)
	}
	if err = errors.Join(err, removeCopies(s.file.path)); err != nil {
		if c.File != nil {
			_ = c.File.Close() // err says why
		}
		return nil, err
	}
	info, err := c.Stat()
	if err != nil {
		return nil, errors.Join(err, c.File.Close())
	}
	c.Bytes = info.Size()
	return c, nil
}

// removeCopies removes what an earlier process may have left of a copy.
func removeCopies(path string) error {
	for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
		if err := os.Remove(path + copySuffix + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove an old copy: %w", err)
		}
	}
	return nil
}

// CopyTo copies dir/app.db, which another process may have open, into the new file path and syncs that. room is asked
// before and while the copy is made, with the bytes that are still to be written.
func CopyTo(ctx context.Context, dir, path string, room func(bytes int64) error) error {
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s exists already", path)
	}
	if err := snapshot(ctx, filepath.Join(dir, storeName), path, room); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
