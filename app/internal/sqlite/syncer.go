package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// levelNormal syncs the log before each checkpoint only: a power cut undoes the newest transactions, the last one first.
const levelNormal = 1

// syncer sets for each transaction of a connection whether its COMMIT syncs the log. One that does makes all before it
// durable too, as they are in the same log.
type syncer struct {
	conn *sql.Conn
	full int // level of transactions that must last: what the connection was opened with
	now  int // level of the connection
}

func newSyncer(ctx context.Context, conn *sql.Conn) (*syncer, error) {
	s := &syncer{conn: conn}
	var err error
	s.full, err = s.read(ctx)
	s.now = s.full
	return s, err
}

func (s *syncer) read(ctx context.Context) (level int, err error) {
	if err := s.conn.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&level); err != nil {
		return 0, fmt.Errorf("read back synchronous: %w", err)
	}
	return level, nil
}

// prepare is called between two transactions: SQLite refuses the change inside of one. The statement cannot be prepared
// in advance, as SQLite changes the level when it compiles it.
func (s *syncer) prepare(ctx context.Context, ops []*op) error {
	want := s.full
	if !slices.ContainsFunc(ops, func(o *op) bool { return !o.repeatable }) {
		want = levelNormal
	}
	if want == s.now {
		return nil
	}
	if _, err := s.conn.ExecContext(ctx, fmt.Sprintf("PRAGMA synchronous = %d", want)); err != nil {
		return fmt.Errorf("set synchronous: %w", err)
	}
	var err error
	s.now, err = s.read(ctx)
	if err == nil && s.now != want {
		err = fmt.Errorf("synchronous reads back %d, want %d", s.now, want)
	}
	return err
}
