package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

const (
	// maxEntries bounds what one call of the catalogue returns.
	maxEntries = 10_000
	// firstBlocks are read by the first query of a search; each that follows reads twice as many, up to mostBlocks.
	firstBlocks, mostBlocks = 2, 64
	// maxTrail bounds the audit entries of one detection.
	maxTrail = 1000
)

// Find implements detection.Catalogue. It returns at most 10,000 entries a call.
func (s *Store) Find(ctx context.Context, q detection.Query, before int64, limit int) ([]detection.Entry, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	limit = min(limit, maxEntries)
	if limit <= 0 || before < 0 {
		return nil, nil
	}
	if before == 0 {
		before = math.MaxInt64
	}
	found := collector{store: s, limit: limit}
	if err := found.search(ctx, searchOf(&q), before); err != nil {
		return nil, translate("find detections", detection.ErrUnavailable, err)
	}
	return found.entries, nil
}

// collector gathers entries up to a limit.
type collector struct {
	store   *Store
	limit   int
	entries []detection.Entry
}

func (c *collector) search(ctx context.Context, what search, before int64) error {
	query, ok := what.candidates(before)
	if !ok {
		return c.page(ctx, what, "", before)
	}
	rows, err := c.store.file.readers.QueryContext(ctx, query.text, query.args...)
	if err != nil {
		return err
	}
	blocks, err := scanNumbers(rows)
	for n := firstBlocks; err == nil && len(blocks) > 0 && len(c.entries) < c.limit; n = min(2*n, mostBlocks) {
		n = min(n, len(blocks))
		var list []byte
		if list, err = json.Marshal(blocks[:n]); err == nil {
			err = c.page(ctx, what, string(list), before)
		}
		blocks = blocks[n:]
	}
	return err
}

// page adds what there is in a list of blocks, or anywhere, below a position. What cannot be decoded is passed over: a claim
// or the inspection tells of it.
func (c *collector) page(ctx context.Context, what search, blocks string, before int64) error {
	for {
		want := c.limit - len(c.entries)
		read, last, err := c.read(ctx, what.entries(blocks, before, want))
		if err != nil || read < want || len(c.entries) == c.limit {
			return err
		}
		before = last
	}
}

// read runs a query for entries and returns how many rows it had, and the position of the last.
func (c *collector) read(ctx context.Context, query statement) (read int, last int64, err error) {
	rows, err := c.store.file.readers.QueryContext(ctx, query.text, query.args...)
	if err != nil {
		return 0, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var (
			e           detection.Entry
			body        sql.RawBytes
			retractedAt sql.NullInt64
		)
		if err := rows.Scan(&e.Seq, &body, &retractedAt); err != nil {
			return 0, 0, err
		}
		read, last = read+1, e.Seq
		if json.Unmarshal(body, &e.Detection) != nil {
			continue
		}
		if retractedAt.Valid {
			e.RetractedAt = time.UnixMicro(retractedAt.Int64).UTC()
		}
		c.entries = append(c.entries, e)
	}
	return read, last, rows.Err()
}

// followed reads the record from a position on.
const followed = `SELECT d.seq, d.body, c.retracted_at FROM detections d LEFT JOIN catalogue c USING (seq)
	WHERE d.seq > ? ORDER BY d.seq LIMIT ?`

// Follow implements detection.Catalogue. It returns at most 10,000 entries a call, and early when the store stops.
func (s *Store) Follow(ctx context.Context, after int64, limit int, wait time.Duration) ([]detection.Entry, error) {
	limit = min(limit, maxEntries)
	if limit <= 0 {
		return nil, nil
	}
	patience := time.NewTimer(max(wait, 0))
	defer patience.Stop()
	for {
		committed := s.news.listen()
		entries, err := s.after(ctx, after, limit)
		if err != nil || len(entries) > 0 || wait <= 0 {
			return entries, translate("follow the record", detection.ErrUnavailable, err)
		}
		select {
		case <-committed:
		case <-patience.C:
			return nil, nil
		case <-s.news.stopped:
			return nil, nil
		case <-ctx.Done():
			return nil, translate("follow the record", detection.ErrUnavailable, context.Cause(ctx))
		}
	}
}

// after passes over what cannot be decoded, and does not take it for the end.
func (s *Store) after(ctx context.Context, position int64, limit int) ([]detection.Entry, error) {
	c := collector{store: s, limit: limit}
	for {
		read, last, err := c.read(ctx, statement{followed, []any{position, limit}})
		if err != nil || read < limit || len(c.entries) > 0 {
			return c.entries, err
		}
		position = last
	}
}

// Last implements detection.Catalogue.
func (s *Store) Last(ctx context.Context) (int64, error) {
	var newest int64
	err := s.file.readers.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM detections`).Scan(&newest)
	return newest, translate("read the newest position", detection.ErrUnavailable, err)
}

// trailed reads the audit trail of one detection.
const trailed = `SELECT * FROM (
	SELECT a.seq, detection_id, event, at, detail, hash FROM detections d JOIN catalogue c USING (seq) JOIN audit a ON a.seq = c.accepted
	WHERE d.id = ?1 AND a.detection_id = ?1
	UNION ALL
	SELECT seq, detection_id, event, at, detail, hash FROM audit INDEXED BY audit_detection
	WHERE detection_id = ?1 AND detection_id <> '' AND event <> 'accepted') ORDER BY seq LIMIT ?2`

// Trail implements detection.Catalogue. It returns at most 1,000 entries, the oldest ones. The entry that a detection was
// accepted is not among them once the detection itself was removed.
func (s *Store) Trail(ctx context.Context, id string) ([]detection.AuditEntry, error) {
	rows, err := s.file.readers.QueryContext(ctx, trailed, id, maxTrail)
	var entries []detection.AuditEntry
	if err == nil {
		entries, err = scanAudit(rows)
	}
	if err == nil && len(entries) == 0 {
		err = detection.ErrNotFound
	}
	return entries, translate(fmt.Sprintf("read the audit trail of %s", id), detection.ErrUnavailable, err)
}

// scanAudit reads entries of the audit trail and closes the rows.
func scanAudit(rows *sql.Rows) (entries []detection.AuditEntry, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		e, err := scanAuditEntry(rows)
		if err != nil {
			return nil, fmt.Errorf("read an audit entry: %w", err)
		}
		entries = append(entries, e)
	}
	return entries, rows.Err()
}
