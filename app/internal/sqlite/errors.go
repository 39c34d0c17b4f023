package sqlite

import (
	"errors"
	"fmt"
	"syscall"

	sqlite3 "github.com/mattn/go-sqlite3"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// isFull says that there was no room: by SQLite's own count, on the disk or in a quota. A failed sync is never that,
// because nobody knows what reached the disk.
func isFull(err error) bool {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return false
	}
	if e.ExtendedCode == sqlite3.ErrIoErrFsync || e.ExtendedCode == sqlite3.ErrIoErrDirFsync {
		return false
	}
	return e.Code == sqlite3.ErrFull ||
		e.Code == sqlite3.ErrIoErr && (e.SystemErrno == syscall.ENOSPC || e.SystemErrno == syscall.EDQUOT)
}

// isFatal says that the process must not go on with the file: after a failed write or sync the kernel may have dropped
// what it held, and a second sync would report success for data that is gone (https://wiki.postgresql.org/wiki/Fsync_Errors).
func isFatal(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && !isFull(err) && (e.Code == sqlite3.ErrIoErr || isCorrupt(err))
}

// isCorrupt says that the file is not a sound database.
func isCorrupt(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && (e.Code == sqlite3.ErrCorrupt || e.Code == sqlite3.ErrNotADB)
}

// translate puts the storage error that callers know in front of what SQLite, the group or a context said. unavailable is
// the one for everything but a full disk.
func translate(doing string, unavailable *detection.Error, err error) error {
	var known *detection.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return fmt.Errorf("%s: %w", doing, err)
	case isFull(err):
		return fmt.Errorf("%s: %w: %w", doing, detection.ErrFull, err)
	default:
		return fmt.Errorf("%s: %w: %w", doing, unavailable, err)
	}
}
