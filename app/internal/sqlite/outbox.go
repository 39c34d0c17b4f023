package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// Acknowledge implements detection.Store.
func (s *Store) Acknowledge(ctx context.Context, deliveries []detection.Delivery) error {
	for _, d := range deliveries {
		if d.Outcome != detection.Delivered && d.Outcome != detection.DeadLettered {
			return detection.Invalid("outcome", "%q is not an outcome", d.Outcome)
		}
	}
	if len(deliveries) == 0 {
		return nil
	}
	deliveries = slices.Clone(deliveries) // the caller may be gone before the writer comes to it
	err := s.file.writer.do(ctx, &op{rows: len(deliveries), bytes: int64(len(deliveries)) * rowOverheadBytes, run: func() error {
		for i := range deliveries {
			if err := s.ledger.settle(&deliveries[i]); err != nil {
				return err
			}
		}
		return nil
	}})
	return translate("acknowledge deliveries", detection.ErrUnavailable, err)
}

// Renew implements detection.Store. It forgets owners whose lease has ended.
func (s *Store) Renew(ctx context.Context, owner string, lease time.Duration) error {
	if owner == "" {
		return detection.Invalid("owner", "must not be empty")
	}
	now := s.now()
	return s.change(ctx, "renew lease of "+owner,
		statement{`DELETE FROM owners WHERE lease_until <= ?`, []any{now.UnixMicro()}},
		statement{`INSERT INTO owners (owner, lease_until) VALUES (?, ?)
			ON CONFLICT (owner) DO UPDATE SET lease_until = excluded.lease_until`, []any{owner, now.Add(lease).UnixMicro()}})
}

// Release implements detection.Store.
func (s *Store) Release(ctx context.Context, owner string) error {
	return s.change(ctx, "release rows of "+owner,
		statement{`DELETE FROM owners WHERE owner = ?`, []any{owner}},
		statement{`UPDATE outbox SET owner = '' WHERE owner = ?`, []any{owner}})
}

// keepLeases makes the leases of owners who could not renew while the store was down last a little longer.
func (s *Store) keepLeases(ctx context.Context, grace time.Duration) error {
	if grace <= 0 {
		return nil
	}
	until := s.now().Add(grace).UnixMicro()
	return s.change(ctx, "extend leases", statement{`UPDATE owners SET lease_until = max(lease_until, ?)`, []any{until}})
}

type statement struct {
	text string
	args []any
}

// change runs rare statements, which are worth no preparation.
func (s *Store) change(ctx context.Context, doing string, statements ...statement) error {
	err := s.file.writer.do(ctx, &op{rows: 1, bytes: rowOverheadBytes, run: func() error {
		for _, st := range statements {
			if _, err := s.file.writer.conn.ExecContext(context.Background(), st.text, st.args...); err != nil {
				return err
			}
		}
		return nil
	}})
	return translate(doing, detection.ErrUnavailable, err)
}

// Claim implements detection.Store. An unknown id after means from the start.
func (s *Store) Claim(ctx context.Context, owner, after string, limit int) ([]detection.Record, error) {
	if owner == "" {
		return nil, detection.Invalid("owner", "must not be empty")
	}
	if limit <= 0 {
		return nil, nil
	}
	var claimed []int64
	now := s.now().UnixMicro()
	err := s.file.writer.do(ctx, &op{rows: 1 + limit/8, run: func() error {
		c := claim{conn: s.file.writer.conn, owner: owner, nowMicros: now, limit: limit}
		var err error
		claimed, err = c.run(after)
		return err
	}})
	if err != nil {
		return nil, translate("claim outbox rows", detection.ErrUnavailable, err)
	}
	records, unreadable, err := s.load(ctx, claimed)
	if err != nil {
		return nil, translate("load claimed records", detection.ErrUnavailable, err)
	}
	if err := s.Acknowledge(ctx, unreadable); err != nil {
		s.file.writer.log.Warn("dead-letter unreadable detections; the next claim will try again", "error", err)
	}
	for i := range records {
		records[i].Owner = owner
	}
	return records, nil
}

// load reads the detections outside the writer's transaction, oldest first. One that cannot be decoded never will be: it is
// a dead letter and keeps no other back.
func (s *Store) load(ctx context.Context, seqs []int64) (records []detection.Record, unreadable []detection.Delivery, err error) {
	if len(seqs) == 0 {
		return nil, nil, nil
	}
	list, err := json.Marshal(seqs)
	if err != nil {
		return nil, nil, err
	}
	rows, err := s.file.readers.QueryContext(ctx,
		`SELECT id, body FROM detections WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY seq`, string(list))
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	records = make([]detection.Record, 0, len(seqs))
	for rows.Next() {
		var (
			id   string
			body sql.RawBytes
		)
		record := detection.Record{Deliver: true}
		if err := rows.Scan(&id, &body); err != nil {
			return nil, nil, err
		}
		if err := json.Unmarshal(body, &record.Detection); err != nil {
			s.file.writer.log.Error("a detection cannot be read; it goes to the dead letters", "detection_id", id, "error", err)
			unreadable = append(unreadable, detection.Delivery{
				ID: id, Outcome: detection.DeadLettered, At: s.now(), Reason: "decode: " + err.Error(),
			})
			continue
		}
		records = append(records, record)
	}
	return records, unreadable, rows.Err()
}

// claim is one call of Claim inside the writer's transaction. Its cost depends on limit and on how many owners there are,
// not on how long the outbox is.
type claim struct {
	conn      *sql.Conn
	owner     string
	nowMicros int64
	limit     int
}

type outboxRow struct {
	seq  int64
	mine bool
}

// claimable finds the owners whose rows may be taken. The recursive part jumps from owner to owner in the index instead
// of reading every row of the outbox.
const claimable = `
WITH RECURSIVE holder(name) AS (
  SELECT min(owner) FROM outbox
  UNION ALL
  SELECT (SELECT min(owner) FROM outbox WHERE owner > holder.name) FROM holder WHERE holder.name IS NOT NULL
)
SELECT name FROM holder
WHERE name IS NOT NULL
  AND (name IN (?, '') OR NOT EXISTS (SELECT 1 FROM owners WHERE owners.owner = holder.name AND lease_until > ?))`

func (c claim) run(after string) ([]int64, error) {
	names, err := collect[string](c.conn, claimable, c.owner, c.nowMicros)
	if err != nil {
		return nil, fmt.Errorf("find owners: %w", err)
	}
	start, err := collect[int64](c.conn, `SELECT seq FROM detections WHERE id = ?`, after)
	if err != nil {
		return nil, fmt.Errorf("find start: %w", err)
	}
	var rows []outboxRow
	for _, name := range names {
		seqs, err := collect[int64](c.conn, `SELECT seq FROM outbox WHERE owner = ? AND seq > ? ORDER BY seq LIMIT ?`,
			name, append(start, 0)[0], c.limit)
		if err != nil {
			return nil, fmt.Errorf("read rows: %w", err)
		}
		for _, seq := range seqs {
			rows = append(rows, outboxRow{seq, name == c.owner})
		}
	}
	slices.SortFunc(rows, func(a, b outboxRow) int { return int(a.seq - b.seq) })
	return c.take(rows[:min(len(rows), c.limit)])
}

// take makes the rows the claimer's.
func (c claim) take(rows []outboxRow) ([]int64, error) {
	taken := make([]int64, len(rows))
	for i, row := range rows {
		taken[i] = row.seq
		if row.mine {
			continue
		}
		_, err := c.conn.ExecContext(context.Background(), `UPDATE outbox SET owner = ? WHERE seq = ?`, c.owner, row.seq)
		if err != nil {
			return nil, fmt.Errorf("take row: %w", err)
		}
	}
	return taken, nil
}

// collect returns the single column of a query.
func collect[T any](conn *sql.Conn, query string, args ...any) ([]T, error) {
	rows, err := conn.QueryContext(context.Background(), query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		var value T
		if err := rows.Scan(&value); err != nil {
			return nil, err
		}
		out = append(out, value)
	}
	return out, rows.Err()
}
