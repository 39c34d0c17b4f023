package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	sqlite3 "github.com/mattn/go-sqlite3"
)

// asideMark is in the names of damaged databases that were set aside.
const asideMark = ".corrupt-"

// setAsideIfDamaged checks the database at path and, when it is damaged, renames it together with its log, so that a
// new one can begin and somebody can look at the old one.
func setAsideIfDamaged(ctx context.Context, path string, now time.Time, log *slog.Logger) error {
	damage, err := findDamage(ctx, path)
	if err != nil {
		return fmt.Errorf("check %s: %w", path, err)
	}
	if damage == "" {
		return nil
	}
	to := asideName(path, now)
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(path+end, to+end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("set damaged database aside: %w", err)
		}
	}
	if err := syncDir(path); err != nil {
		return fmt.Errorf("set damaged database aside: %w", err)
	}
	log.Error("the database is damaged and was set aside; acknowledged detections may be in it", "path", to, "damage", damage)
	return nil
}

func asideName(path string, now time.Time) string {
	return path + asideMark + now.UTC().Format("20060102T150405.000000000Z")
}

// findDamage returns what is wrong with the database at path, empty when it is sound or missing. It opens it read-only,
// so that looking changes nothing, but for what is left of a first start that was cut short: SQLite must take that back
// before anybody can look.
func findDamage(ctx context.Context, path string) (damage string, err error) {
	if orphaned(path) {
		return "the database is empty but its log is not", nil
	}
	if sizeOf(path) == 0 {
		return "", nil
	}
	pool := openReaders(path, 1)
	if sizeOf(path+"-journal") > 0 { // only before the database has a write-ahead log
		pool = openPool(path, 1, url.Values{"mode": {"rw"}, "_timeout": {"5000"}})
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	var verdict string
	err = pool.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict)
	switch {
	case isCorrupt(err):
		return err.Error(), nil
	case err != nil:
		return "", err
	case verdict != "ok":
		return verdict, readFailure(verdict)
	}
	return "", nil
}

// readFailure returns the error when what a check found is that the disk did not give a page, which SQLite puts into words:
// then nobody knows whether the database is damaged.
func readFailure(verdict string) error {
	var code sqlite3.ErrNoExtended
	_, number, _ := strings.Cut(verdict, "error code=")
	if _, err := fmt.Sscan(number, &code); err != nil || sqlite3.ErrNo(code&0xff) != sqlite3.ErrIoErr {
		return nil
	}
	return fmt.Errorf("%s: %w", verdict, sqlite3.Error{Code: sqlite3.ErrIoErr, ExtendedCode: code})
}

// listSetAside returns the damaged predecessors of the database at path, without their logs.
func listSetAside(path string) []string {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	var found []string
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, filepath.Base(path)+asideMark) && !strings.HasSuffix(name, "-wal") && !strings.HasSuffix(name, "-shm") {
			found = append(found, filepath.Join(filepath.Dir(path), name))
		}
	}
	return found
}
