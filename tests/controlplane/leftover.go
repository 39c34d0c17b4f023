package controlplane

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/detection-api/detection-api/tests/cluster/local/lock"
)

// directoryPrefix begins the names of the directories of control planes.
const directoryPrefix = "controlplane-"

// lockName is the file in a control plane's directory that its process holds a lock on.
const lockName = ".lock"

// minimumAge is how old a lock must be before its directory can be a leftover: a younger one may be about to be taken.
const minimumAge = time.Minute

// makeDirectory makes a directory that is known to be in use as long as this process lives.
func makeDirectory(ctx context.Context) (string, *lock.Lock, error) {
	sweep()
	directory, err := os.MkdirTemp("", directoryPrefix)
	if err != nil {
		return "", nil, err
	}
	held, err := lock.Take(ctx, filepath.Join(directory, lockName), func() {})
	return directory, held, err
}

// sweep removes the directories of control planes whose process was killed. Their programs have ended with it. What
// cannot be removed, because it is somebody else's, stays.
func sweep() {
	locks, err := filepath.Glob(filepath.Join(os.TempDir(), directoryPrefix+"*", lockName))
	if err != nil {
		return
	}
	atOnce, cancel := context.WithCancel(context.Background())
	cancel()
	for _, path := range locks {
		info, err := os.Stat(path)
		if err != nil || time.Since(info.ModTime()) < minimumAge {
			continue
		}
		if held, err := lock.Take(atOnce, path, func() {}); err == nil {
			_ = os.RemoveAll(filepath.Dir(path))
			held.Release()
		}
	}
}
