package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// Acknowledge implements detection.Store.
func (s *Store) Acknowledge(ctx context.Context, deliveries []detection.Delivery) error {
	outcomes := []detection.Outcome{detection.Delivered, detection.DeadLettered, detection.Superseded, detection.Expired}
	for _, d := range deliveries {
		if !slices.Contains(outcomes, d.Outcome) {
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

// Claim implements detection.Store. An unknown id after means from the start.
func (s *Store) Claim(ctx context.Context, owner, after string, limit int) ([]detection.Record, error) {
	if owner == "" {
		return nil, detection.Invalid("owner", "must not be empty")
	}
	if limit <= 0 {
		return nil, nil
	}
	var records []detection.Record
	for len(records) < limit {
		asked := limit - len(records)
		page, err := s.claimPage(ctx, owner, after, asked)
		if err != nil {
			return nil, err
		}
		records = append(records, page.records...)
		if page.len() < asked {
			break
		}
		after = page.last
	}
	return records, nil
}

// claimed are the rows of a claim.
type claimed struct {
	records    []detection.Record
	unreadable []detection.Delivery // one that cannot be decoded never will be: it is a dead letter and keeps no other back
	retracted  []string             // what nobody has been shown need not be taken back
	last       string               // id of the last row, handed out or not
}

func (c *claimed) len() int { return len(c.records) + len(c.unreadable) + len(c.retracted) }

func (s *Store) claimPage(ctx context.Context, owner, after string, limit int) (page claimed, err error) {
	var seqs []int64
	err = s.file.writer.do(ctx, &op{rows: 1 + limit/8, run: func() error {
		c := claim{conn: s.file.writer.conn, owner: owner, live: s.leases.live(), limit: limit}
		var err error
		seqs, err = c.run(after)
		return err
	}})
	if err != nil {
		return page, translate("claim outbox rows", detection.ErrUnavailable, err)
	}
	if page, err = s.load(ctx, seqs, owner); err != nil {
		return page, translate("load claimed records", detection.ErrUnavailable, err)
	}
	if err := s.Acknowledge(ctx, page.unreadable); err != nil {
		s.file.writer.log.Warn("dead-letter unreadable detections; the next claim will try again", "error", err)
	}
	if err := s.withdraw(ctx, page.retracted); err != nil {
		s.file.writer.log.Warn("take retracted detections off; the next claim will try again", "error", err)
	}
	return page, nil
}

// load reads the detections outside the writer's transaction, oldest first.
func (s *Store) load(ctx context.Context, seqs []int64, owner string) (page claimed, err error) {
	if len(seqs) == 0 {
		return page, nil
	}
	list, err := json.Marshal(seqs)
	if err != nil {
		return page, err
	}
	rows, err := s.file.readers.QueryContext(ctx, `SELECT id, body, retracted_at IS NOT NULL, EXISTS (
			SELECT 1 FROM audit INDEXED BY audit_detection
			WHERE detection_id = id AND detection_id <> '' AND event <> 'accepted' AND event = 'redriven')
		FROM detections LEFT JOIN catalogue USING (seq) WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY seq`, string(list))
	if err != nil {
		return page, err
	}
	defer rows.Close()
	page.records = make([]detection.Record, 0, len(seqs))
	for rows.Next() {
		var (
			body                sql.RawBytes
			retracted, redriven bool
		)
		if err := rows.Scan(&page.last, &body, &retracted, &redriven); err != nil {
			return page, err
		}
		if retracted {
			page.retracted = append(page.retracted, page.last)
			continue
		}
		record := detection.Record{Deliver: true, Owner: owner, Redriven: redriven}
		if err := json.Unmarshal(body, &record.Detection); err != nil {
			s.file.writer.log.Error("a detection cannot be read; it goes to the dead letters", "detection_id", page.last, "error", err)
			page.unreadable = append(page.unreadable, detection.Delivery{
				ID: page.last, Outcome: detection.DeadLettered, At: s.now(), Reason: "decode: " + err.Error(),
			})
			continue
		}
		page.records = append(page.records, record)
	}
	return page, rows.Err()
}

// withdraw takes detections off the outbox because they were retracted. One whose delivery is told meanwhile has that outcome.
func (s *Store) withdraw(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	now := s.now().UnixMicro()
	return s.file.writer.do(ctx, &op{rows: len(ids), bytes: int64(len(ids)) * rowOverheadBytes, run: func() error {
		for _, id := range ids {
			if err := s.ledger.withdraw(id, now); err != nil {
				return err
			}
		}
		return nil
	}})
}

// claim is one call of Claim inside the writer's transaction. Its cost depends on limit and on how many owners there are,
// not on how long the outbox is.
type claim struct {
	conn  *sql.Conn
	owner string
	live  []string // owners whose rows are their own
	limit int
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
  AND (name IN (?, '') OR name NOT IN (SELECT value FROM json_each(?)))`

func (c claim) run(after string) ([]int64, error) {
	live, err := json.Marshal(c.live)
	if err != nil {
		return nil, err
	}
	names, err := collect[string](c.conn, claimable, c.owner, string(live))
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
