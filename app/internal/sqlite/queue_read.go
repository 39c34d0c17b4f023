package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// Get returns the record with the id, or detection.ErrNotFound.
func (q *Queue) Get(ctx context.Context, id string) (detection.Record, error) {
	var (
		body   []byte
		record detection.Record
	)
	err := q.file.readers.QueryRowContext(ctx, `SELECT record FROM items WHERE id = ?`, id).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return record, detection.ErrNotFound
	}
	if err == nil {
		err = unseal(body, &record)
	}
	return record, translate("read a queued record", errQueue, err)
}

// Unstored implements detection.Queue.
func (q *Queue) Unstored(ctx context.Context, limit int) ([]detection.Record, error) {
	records, _, err := q.records(ctx, `SELECT pos, record FROM items WHERE stored = 0 AND pos > ? ORDER BY pos`, 0, limit)
	return records, translate("read records for the store", errQueue, err)
}

// Undelivered implements detection.Queue.
func (q *Queue) Undelivered(ctx context.Context, after int64, limit int) ([]detection.Record, int64, error) {
	records, last, err := q.records(ctx, `SELECT pos, record FROM items WHERE state = 0 AND pos > ? ORDER BY pos`, after, limit)
	return records, last, translate("read records for TAK", errQueue, err)
}

// Unacknowledged implements detection.Queue.
func (q *Queue) Unacknowledged(ctx context.Context, limit int) ([]detection.Delivery, error) {
	var out []detection.Delivery
	err := q.each(ctx, func(rows *sql.Rows) error {
		var (
			d        detection.Delivery
			atMicros int64
		)
		if err := rows.Scan(&d.ID, &d.Outcome, &atMicros, &d.Reason); err != nil {
			return err
		}
		d.At = time.UnixMicro(atMicros).UTC()
		out = append(out, d)
		return nil
	}, `SELECT id, outcome, at, reason FROM items WHERE state = 1 AND stored = 1 ORDER BY pos LIMIT ?`, max(limit, 0))
	if err != nil {
		return nil, translate("read outcomes", errQueue, err)
	}
	return out, nil
}

// errEnough ends a query before its rows do.
var errEnough = errors.New("enough rows")

// records runs a query for positions and records, up to limit of them, and returns the last position, after when there is
// none. An item that cannot be decoded does not block those behind it: it is passed over, stays in the queue and in its
// counts, and is told once.
func (q *Queue) records(ctx context.Context, query string, after int64, limit int) ([]detection.Record, int64, error) {
	var out []detection.Record
	last := after
	err := q.each(ctx, func(rows *sql.Rows) error {
		if len(out) >= limit {
			return errEnough
		}
		var (
			pos    int64
			body   sql.RawBytes
			record detection.Record
		)
		if err := rows.Scan(&pos, &body); err != nil {
			return err
		}
		if err := unseal(body, &record); err != nil {
			q.tellUnreadable(pos, err)
			return nil
		}
		out, last = append(out, record), pos
		return nil
	}, query, after)
	if err != nil && !errors.Is(err, errEnough) {
		return nil, after, err
	}
	return out, last, nil
}

func (q *Queue) tellUnreadable(pos int64, err error) {
	if _, told := q.unreadable.LoadOrStore(pos, true); !told {
		q.file.writer.log.Error("a queued detection cannot be read; it stays in the queue", "position", pos, "error", err)
	}
}

func (q *Queue) each(ctx context.Context, row func(*sql.Rows) error, query string, args ...any) error {
	rows, err := q.file.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
