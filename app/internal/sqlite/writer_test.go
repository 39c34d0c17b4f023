package sqlite

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"

	sqlite3 "github.com/mattn/go-sqlite3"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/detection/storetest"
)

// TestAFailedCommitFailsItsWholeBatch uses a deferred foreign key: such a COMMIT fails and leaves the transaction open.
func TestAFailedCommitFailsItsWholeBatch(t *testing.T) {
	s := openStore(t, StoreOptions{})
	w, ctx := s.file.writer, context.Background()
	if err := s.Commit(t.Context(), storetest.Records(0, 2, "pod-a")); err != nil {
		t.Fatal(err)
	}
	_, err := w.conn.ExecContext(ctx, `PRAGMA foreign_keys = ON; CREATE TABLE parent (id INTEGER PRIMARY KEY);
		CREATE TABLE child (id INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)`)
	if err != nil {
		t.Fatal(err)
	}
	rows, _, err := encode(storetest.Records(2, 3, "pod-a"))
	if err != nil {
		t.Fatal(err)
	}
	good := &op{rows: 1, run: func() error { return s.ledger.insert(&rows[0], 1) }}
	bad := &op{rows: 1, run: func() error {
		_, err := w.conn.ExecContext(ctx, "INSERT INTO child VALUES (7)")
		return err
	}}
	var sqliteErr sqlite3.Error
	if err := w.batch([]*op{good, bad}); !errors.As(err, &sqliteErr) || sqliteErr.Code != sqlite3.ErrConstraint {
		t.Fatalf("batch = %v, want a constraint error from COMMIT", err)
	}
	if w.inTransaction() {
		t.Error("the failed transaction is still open")
	}
	stats, err := s.Stats(t.Context())
	if err != nil || stats.Detections != 2 {
		t.Errorf("Stats = %+v, %v; want only what was there before", stats, err)
	}
	if err := s.Commit(t.Context(), storetest.Records(2, 4, "pod-a")); err != nil {
		t.Errorf("the next Commit = %v", err)
	}
	if events, broken := walkAudit(t, shell(t, s.file.path)); len(events) != 4 || broken != 0 {
		t.Errorf("%d audit entries, chain broken at %d", len(events), broken)
	}
}

func TestErrorsAreToldApart(t *testing.T) {
	for _, c := range []struct {
		name        string
		err         error
		full, fatal bool
	}{
		{"max_page_count or a full disk", sqlite3.Error{Code: sqlite3.ErrFull}, true, false},
		{"full disk while growing the log's index", sqlite3.Error{Code: sqlite3.ErrIoErr, ExtendedCode: sqlite3.ErrIoErrSHMSize, SystemErrno: syscall.ENOSPC}, true, false},
		{"quota", sqlite3.Error{Code: sqlite3.ErrIoErr, ExtendedCode: sqlite3.ErrIoErrWrite, SystemErrno: syscall.EDQUOT}, true, false},
		{"bad block", sqlite3.Error{Code: sqlite3.ErrIoErr, ExtendedCode: sqlite3.ErrIoErrWrite, SystemErrno: syscall.EIO}, false, true},
		{"failed sync", sqlite3.Error{Code: sqlite3.ErrIoErr, ExtendedCode: sqlite3.ErrIoErrFsync, SystemErrno: syscall.EIO}, false, true},
		{"failed sync for lack of room", sqlite3.Error{Code: sqlite3.ErrIoErr, ExtendedCode: sqlite3.ErrIoErrFsync, SystemErrno: syscall.ENOSPC}, false, true},
		{"damage", sqlite3.Error{Code: sqlite3.ErrCorrupt}, false, true},
		{"not a database", sqlite3.Error{Code: sqlite3.ErrNotADB}, false, true},
		{"locked by a tool", sqlite3.Error{Code: sqlite3.ErrBusy}, false, false},
		{"not SQLite's", errors.New("x"), false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := fmt.Errorf("commit: %w", c.err)
			if isFull(err) != c.full || isFatal(err) != c.fatal {
				t.Errorf("full %v, fatal %v; want %v, %v", isFull(err), isFatal(err), c.full, c.fatal)
			}
			want := detection.ErrUnavailable
			if c.full {
				want = detection.ErrFull
			}
			if got := translate("x", detection.ErrUnavailable, err); !errors.Is(got, want) || !errors.Is(got, c.err) {
				t.Errorf("translate = %v, want %v and the cause", got, want)
			}
		})
	}
}
