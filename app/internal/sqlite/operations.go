package sqlite

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// maxOrderIDs bounds how many dead letters one transaction changes.
const maxOrderIDs = 1000

// DeadLetters implements detection.Operations.
func (s *Store) DeadLetters(ctx context.Context, after string, limit int) ([]detection.DeadLetter, error) {
	if limit <= 0 {
		return nil, nil
	}
	rows, err := s.file.readers.QueryContext(ctx, `SELECT d.id, d.received_at, d.body, l.at, l.reason FROM dead_letters l
		JOIN detections d ON d.seq = l.seq
		WHERE l.seq > coalesce((SELECT seq FROM detections WHERE id = ?), 0) ORDER BY l.seq LIMIT ?`, after, limit)
	if err != nil {
		return nil, translate("list dead letters", detection.ErrUnavailable, err)
	}
	defer rows.Close()
	var letters []detection.DeadLetter
	for rows.Next() {
		var (
			letter       detection.DeadLetter
			received, at int64
			body         sql.RawBytes
		)
		if err := rows.Scan(&letter.ID, &received, &body, &at, &letter.Reason); err != nil {
			return nil, translate("read a dead letter", detection.ErrUnavailable, err)
		}
		letter.ReceivedAt, letter.At = receivedAt(body, received), time.UnixMicro(at).UTC()
		letters = append(letters, letter)
	}
	return letters, translate("list dead letters", detection.ErrUnavailable, rows.Err())
}

// receivedAt takes the time from the detection, which the audit trail vouches for, and from the column if that is unreadable:
// then it may be why it is a dead letter.
func receivedAt(body []byte, columnMicros int64) time.Time {
	var d detection.Detection
	if json.Unmarshal(body, &d) != nil {
		return time.UnixMicro(columnMicros).UTC()
	}
	return d.ReceivedAt.UTC()
}

// Redrive implements detection.Operations. It takes at most 1,000 ids.
func (s *Store) Redrive(ctx context.Context, ids []string, order detection.Order) (int, error) {
	return s.settleLetters(ctx, "redrive dead letters", ids, order, s.ledger.redrive)
}

// Purge implements detection.Operations. It takes at most 1,000 ids.
func (s *Store) Purge(ctx context.Context, ids []string, order detection.Order) (int, error) {
	return s.settleLetters(ctx, "purge dead letters", ids, order, s.ledger.purge)
}

func (s *Store) settleLetters(ctx context.Context, doing string, ids []string, order detection.Order,
	settle func(exec execute, id, detail string, nowMicros int64) (bool, error),
) (count int, err error) {
	if err := order.Check(); err != nil {
		return 0, err
	}
	if len(ids) > maxOrderIDs {
		return 0, detection.Invalid("ids", "must be at most %d, are %d", maxOrderIDs, len(ids))
	}
	if len(ids) == 0 {
		return 0, nil
	}
	ids = slices.Clone(ids) // the caller may be gone before the writer comes to it
	done := 0
	now, detail := s.now().UnixMicro(), "by "+order.Operator+": "+order.Reason
	err = s.file.writer.do(ctx, &op{rows: len(ids), bytes: int64(len(ids)) * rowOverheadBytes, run: func() error {
		for _, id := range ids {
			was, err := settle(s.execute, id, detail, now)
			if err != nil {
				return err
			}
			if was {
				done++
			}
		}
		return nil
	}})
	if err != nil { // the writer may still be at it: done is not ours
		return 0, translate(doing, detection.ErrUnavailable, err)
	}
	return done, nil
}

// execute runs one statement inside the writer's transaction and returns how many rows it changed.
type execute func(text string, args ...any) (int64, error)

// redrive puts a dead letter back into the outbox, held by nobody.
func (l *ledger) redrive(exec execute, id, detail string, nowMicros int64) (bool, error) {
	if was, err := l.unletter(exec, id); err != nil || !was {
		return was, err
	}
	if _, err := exec(`INSERT INTO outbox (seq, owner) SELECT seq, '' FROM detections WHERE id = ?`, id); err != nil {
		return false, err
	}
	l.counts.Outbox++
	return true, l.append(id, eventRedriven, nowMicros, detail)
}

// purge takes a dead letter off.
func (l *ledger) purge(exec execute, id, detail string, nowMicros int64) (bool, error) {
	if was, err := l.unletter(exec, id); err != nil || !was {
		return was, err
	}
	return true, l.append(id, eventPurged, nowMicros, detail)
}

func (l *ledger) unletter(exec execute, id string) (bool, error) {
	n, err := exec(`DELETE FROM dead_letters WHERE seq = (SELECT seq FROM detections WHERE id = ?)`, id)
	l.counts.DeadLetters -= n
	return n > 0, err
}

// Audit implements detection.Operations.
func (s *Store) Audit(ctx context.Context, after int64, limit int) ([]detection.AuditEntry, error) {
	if limit <= 0 {
		return nil, nil
	}
	rows, err := s.file.readers.QueryContext(ctx,
		`SELECT seq, detection_id, event, at, detail, hash FROM audit WHERE seq > ? ORDER BY seq LIMIT ?`, after, limit)
	if err != nil {
		return nil, translate("list the audit trail", detection.ErrUnavailable, err)
	}
	entries, err := scanAudit(rows)
	return entries, translate("list the audit trail", detection.ErrUnavailable, err)
}

// scanAuditEntry reads one row of seq, detection_id, event, at, detail and hash.
func scanAuditEntry(rows *sql.Rows) (e detection.AuditEntry, err error) {
	var (
		at   int64
		hash []byte
	)
	err = rows.Scan(&e.Seq, &e.DetectionID, &e.Event, &at, &e.Detail, &hash)
	e.At, e.Hash = time.UnixMicro(at).UTC(), hex.EncodeToString(hash)
	return e, err
}
