package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// Unstored implements detection.Queue.
func (q *Queue) Unstored(ctx context.Context, limit int) ([]detection.Record, error) {
	records, _, err := q.records(ctx, `SELECT pos, record FROM items WHERE stored = 0 AND pos > ? ORDER BY pos LIMIT ?`, 0, limit)
	return records, translate("read records for the store", errQueue, err)
}

// Undelivered implements detection.Queue.
func (q *Queue) Undelivered(ctx context.Context, after int64, limit int) ([]detection.Record, int64, error) {
	records, last, err := q.records(ctx, `SELECT pos, record FROM items WHERE state = 0 AND pos > ? ORDER BY pos LIMIT ?`, after, limit)
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

// records runs a query for positions and records and returns the last position, after when there is none.
func (q *Queue) records(ctx context.Context, query string, after int64, limit int) ([]detection.Record, int64, error) {
	var out []detection.Record
	last := after
	err := q.each(ctx, func(rows *sql.Rows) error {
		var (
			body   sql.RawBytes
			record detection.Record
		)
		if err := rows.Scan(&last, &body); err != nil {
			return err
		}
		if err := json.Unmarshal(body, &record); err != nil {
			return fmt.Errorf("decode item %d: %w", last, err)
		}
		out = append(out, record)
		return nil
	}, query, after, max(limit, 0))
	if err != nil {
		return nil, after, err
	}
	return out, last, nil
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
