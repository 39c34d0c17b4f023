// Package lock keeps two runs of the harness from doing the same thing at once, also runs of different processes.
package lock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// tryInterval is how often a lock that another holds is tried.
const tryInterval = 100 * time.Millisecond

// Lock is a held lock.
type Lock struct{ file *os.File }

// Take takes the lock on the file at path, which it makes if need be. If it has to wait it calls waiting, once. The lock
// goes with the process that holds it, so a killed one leaves none behind.
func Take(ctx context.Context, path string, waiting func()) (*Lock, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for first := true; ; first = false {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return &Lock{file: file}, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
		}
		if first {
			waiting()
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("wait for the lock %s: %w", path, ctx.Err()), file.Close())
		case <-time.After(tryInterval):
		}
	}
}

// Release gives the lock back.
func (l *Lock) Release() { l.file.Close() }
