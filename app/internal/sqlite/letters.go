package sqlite

import (
	"context"
	"database/sql"
	"fmt"
)

// letter is what is known of a dead letter: when it became one, in microseconds, and why.
type letter struct {
	at     int64
	reason string
}

// compareLetters holds the dead letters against the audit trail. There are as many as the service counted, and no id twice:
// that is known by then.
func (w *walker) compareLetters(ctx context.Context, conn *sql.Conn) error {
	rows, err := conn.QueryContext(ctx, `SELECT d.id, l.at, l.reason FROM dead_letters l JOIN detections d USING (seq)`)
	if err != nil {
		return fmt.Errorf("read dead letters: %w", err)
	}
	defer rows.Close()
	found := 0
	for rows.Next() {
		var (
			id  string
			row letter
		)
		if err := rows.Scan(&id, &row.at, &row.reason); err != nil {
			return fmt.Errorf("read a dead letter: %w", err)
		}
		if said, ok := w.dead[id]; !ok || said != row {
			return fmt.Errorf("the dead letter %s is not what the audit trail says", id)
		}
		found++
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read dead letters: %w", err)
	}
	if found != len(w.dead) {
		return fmt.Errorf("there are %d dead letters, the audit trail has %d", found, len(w.dead))
	}
	return nil
}
