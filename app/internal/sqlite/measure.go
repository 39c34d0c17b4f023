//go:build measure

package sqlite

import (
	"context"
	"fmt"
)

// This file is only in programs that measure (build tag measure): it makes databases worse, to show what that gains or costs.

// Weaken sets PRAGMA synchronous of the databases that are opened with the options, such as NORMAL.
func (o *Options) Weaken(synchronous string) { o.synchronous = synchronous }

// Checkpoint carries the log over now, so that what a measurement leaves is not carried over during the next one.
func (s *Store) Checkpoint(ctx context.Context) error {
	_, _, err := checkpoint(ctx, s.file.checkpointer.conn, "PASSIVE")
	return err
}

// CheckpointInCommit makes each COMMIT that finds so many pages in the log carry them over before it returns.
func (s *Store) CheckpointInCommit(ctx context.Context, pages int) error {
	return s.file.writer.do(ctx, &op{rows: 1, run: func() error {
		_, err := s.file.writer.conn.ExecContext(context.Background(), fmt.Sprintf("PRAGMA wal_autocheckpoint = %d", pages))
		return err
	}})
}

// Path is the database's file.
func (s *Store) Path() string { return s.file.path }
