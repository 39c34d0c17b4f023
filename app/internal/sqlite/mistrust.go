package sqlite

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// failedSuffix names what a process leaves beside a database when its disk has failed. It need not outlive the kernel.
const failedSuffix = "-failed"

// markFailed tells the next process why this one ended. There is nothing to do when that fails too.
func markFailed(path string, cause error) {
	if !errors.Is(cause, errSuperseded) {
		_ = os.WriteFile(path+failedSuffix, nil, 0o600)
	}
}

// writeLogAgain makes what the log holds durable after a process that the disk has failed. The kernel shows what a failed sync
// has lost as if it were on the disk, and takes later syncs for done (https://wiki.postgresql.org/wiki/Fsync_Errors). SQLite
// would carry that over into the database, and after a power cut play the shorter log on the disk over it.
func writeLogAgain(path string) error {
	if _, err := os.Lstat(path + failedSuffix); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := rewrite(path + "-wal"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write the log again: %w", err)
	}
	return os.Remove(path + failedSuffix)
}

// rewrite writes a file over with itself and syncs it.
func rewrite(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.NewOffsetWriter(f, 0), io.NewSectionReader(f, 0, sizeOf(path)))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
