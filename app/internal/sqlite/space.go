package sqlite

import (
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// defaultMinFreeBytes leaves room for the write-ahead log to be carried into the database after writes are refused.
const defaultMinFreeBytes = 64 << 20

// spaceGuard refuses writes before the disk is full: SQLite survives a full disk, but checkpoints and acknowledgements
// need room too. It looks at most once a second.
type spaceGuard struct {
	dir      string
	minBytes int64
	free     func(dir string) (int64, error)
	now      func() time.Time

	mu     sync.Mutex
	looked time.Time
	err    error
}

// check returns an error that wraps detection.ErrFull while the file system has less than minBytes left.
func (g *spaceGuard) check() error {
	if g.minBytes <= 0 {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if since := now.Sub(g.looked); since >= 0 && since < time.Second {
		return g.err
	}
	g.looked, g.err = now, nil
	free, err := g.free(g.dir)
	if err == nil && free < g.minBytes { // when it cannot be told, SQLite finds out
		g.err = fmt.Errorf("%d bytes free, %d are kept: %w", free, g.minBytes, detection.ErrFull)
	}
	return g.err
}

// roomFor returns an error that wraps detection.ErrFull when bytes more would leave less than minBytes free.
func (g *spaceGuard) roomFor(bytes int64) error {
	free, err := g.free(g.dir)
	if err != nil {
		return nil // SQLite finds out
	}
	if keep := max(0, g.minBytes); free-bytes < keep {
		return &detection.Error{
			Code: detection.CodeStorageFull, Err: detection.ErrFull,
			Message: fmt.Sprintf("a copy of the store needs %d bytes more beside it, %d are free and %d are kept", bytes, free, keep),
		}
	}
	return nil
}

// freeBytes is what an unprivileged process may still write to the file system of dir.
func freeBytes(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}
