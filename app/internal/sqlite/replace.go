package sqlite

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// restoringSuffix names a copy that is about to take the place of app.db. While it is there and app.db is not, OpenStore
// refuses: an interrupted restore must not look like a new, empty store.
const restoringSuffix = ".restoring"

// Owned is a data directory whose lock this process holds without its database being open.
type Owned struct {
	dir  string
	lock *os.File
}

// Own takes the lock of app.db in dir, which is made when it is missing. It fails while a store is open there.
func Own(dir string) (*Owned, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	lock, err := lockFile(filepath.Join(dir, storeName))
	if err != nil {
		return nil, err
	}
	return &Owned{dir: dir, lock: lock}, nil
}

// Close gives the lock back.
func (o *Owned) Close() error { return o.lock.Close() }

func (o *Owned) path() string { return filepath.Join(o.dir, storeName) }

// Occupied says that there is a database, or the log of one.
func (o *Owned) Occupied() bool {
	for _, suffix := range []string{"", "-wal"} {
		if _, err := os.Lstat(o.path() + suffix); err == nil {
			return true
		}
	}
	return false
}

// Later is what a database has that a copy does not.
type Later struct {
	Descends     bool // the database goes on where the copy ends; otherwise all of it is counted
	Detections   int64
	AuditEntries int64
	Newest       time.Time // when its newest detection was received; zero when there is none
}

// Beyond compares the database in the directory with a copy. It reads what it needs only and changes nothing.
func (o *Owned) Beyond(ctx context.Context, of Census) (Later, error) {
	if orphaned(o.path()) {
		return Later{}, errors.New("app.db is empty but its log is not")
	}
	conn, err := pinned(ctx, openReaders(o.path(), 1))
	if err != nil {
		return Later{}, err
	}
	defer conn.Close()
	c, err := count(ctx, conn.Conn)
	if err != nil {
		return Later{}, err
	}
	l := Later{Detections: c.Detections, Newest: c.NewestReceivedAt}
	var last sql.NullInt64
	if err := conn.QueryRowContext(ctx, `SELECT max(seq) FROM audit`).Scan(&last); err != nil {
		return Later{}, fmt.Errorf("read audit trail: %w", err)
	}
	l.AuditEntries = last.Int64
	var at []byte
	err = conn.QueryRowContext(ctx, `SELECT hash FROM audit WHERE seq = ?`, of.AuditEntries).Scan(&at)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Later{}, fmt.Errorf("read audit trail: %w", err)
	}
	if l.Descends = hex.EncodeToString(at) == of.AuditHead; !l.Descends {
		return l, nil
	}
	l.AuditEntries -= of.AuditEntries
	// Counted in the trail, because retention may have removed others meanwhile.
	err = conn.QueryRowContext(ctx, `SELECT count(*) FROM audit WHERE seq > ? AND event = ?`, of.AuditEntries, eventAccepted).Scan(&l.Detections)
	if err != nil {
		return Later{}, fmt.Errorf("read audit trail: %w", err)
	}
	return l, nil
}

// Install puts a copy, read from r, in the place of app.db. check is given the path of the new file once it is on the
// disk and before anything is moved. A database that is there is set aside under the suffix and never deleted; the name it
// got is returned, empty when there was none.
func (o *Owned) Install(r io.Reader, asideSuffix string, check func(path string) error) (aside string, err error) {
	fresh := o.path() + restoringSuffix
	if err := writeSynced(fresh, r); err != nil {
		return "", errors.Join(fmt.Errorf("write %s: %w", filepath.Base(fresh), err), os.Remove(fresh))
	}
	if err := check(fresh); err != nil {
		return "", errors.Join(err, os.Remove(fresh))
	}
	if err := syncDir(fresh); err != nil { // from here on OpenStore refuses until the last rename
		return "", err
	}
	aside, err = o.setAside(asideSuffix)
	if err != nil {
		return "", fmt.Errorf("set the old database aside: %w", err)
	}
	if err := os.Rename(fresh, o.path()); err != nil {
		return aside, err
	}
	return aside, syncDir(fresh)
}

// setAside moves the database first and its log after it: with the log alone in its place OpenStore refuses, while the
// database alone would be opened without what is in the log. The note of the last commit is about the old one.
func (o *Owned) setAside(suffix string) (aside string, err error) {
	for _, part := range []string{"", "-wal", "-shm", headSuffix} {
		to := o.path() + suffix + part
		if _, err := os.Lstat(to); err == nil {
			return "", fmt.Errorf("%s exists already", to)
		}
		err := os.Rename(o.path()+part, to)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		if err := syncDir(to); err != nil {
			return "", err
		}
		if part == "" || part == "-wal" {
			aside = o.path() + suffix
		}
	}
	return aside, nil
}

func writeSynced(path string, r io.Reader) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}
