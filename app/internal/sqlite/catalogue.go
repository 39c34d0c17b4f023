package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// insertCatalogue enters a detection. A retraction of it may be there already: it came from another pod's queue. Without the
// cast SQLite would compile the statement anew each time, in case another value lets it use another partial index.
const insertCatalogue = `INSERT INTO catalogue (seq, accepted, seen_at, lat, lon, class, camera, flag, track, key, retracts, retracted_at)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
		(SELECT d.received_at FROM catalogue c JOIN detections d USING (seq) WHERE c.retracts = CAST(? AS TEXT)))`

// catchUp enters the detections that a release without the catalogue has left: all, or those behind the newest entry.
//
// The audit trail says of each detection that it was accepted, in the order of their numbers, so that the newest such entry is
// about the newest detection.
func catchUp(ctx context.Context, conn *sql.Conn) error {
	tx, err := conn.BeginTx(ctx, nil) // IMMEDIATE: see openWriters
	if err != nil {
		return fmt.Errorf("catch up with the catalogue: %w", err)
	}
	var entered, newest int64
	err = tx.QueryRowContext(ctx, `SELECT (SELECT coalesce(max(seq), 0) FROM catalogue), (SELECT coalesce(max(seq), 0) FROM detections)`).
		Scan(&entered, &newest)
	if err == nil && newest > entered {
		err = enterFrom(ctx, tx, entered, newest)
	}
	if err != nil {
		return fmt.Errorf("catch up with the catalogue: %w", errors.Join(err, tx.Rollback()))
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("catch up with the catalogue: %w", err)
	}
	return nil
}

func enterFrom(ctx context.Context, tx *sql.Tx, entered, newest int64) error {
	for _, st := range []string{
		`INSERT INTO catalogue (seq, seen_at, lat, lon, class, camera, flag, track, retracted_at)
			SELECT f.seq, f.seen_at, lat, lon, class, camera, flag, track,
				(SELECT r.received_at FROM catalogue c JOIN detections r ON r.seq = c.seq WHERE c.retracts = d.id)
			FROM facts f JOIN detections d ON d.seq = f.seq WHERE f.seq > ?1 AND f.seq <= ?2`,
		`WITH a AS MATERIALIZED (
				SELECT seq, ?2 + 1 - row_number() OVER (ORDER BY seq DESC) AS number
				FROM (SELECT seq FROM audit WHERE event = 'accepted' ORDER BY seq DESC LIMIT ?2 - ?1)
			)
			INSERT INTO catalogue (seq, accepted, seen_at) SELECT c.seq, a.seq, c.seen_at FROM a CROSS JOIN catalogue c ON c.seq = a.number WHERE true
			ON CONFLICT (seq) DO UPDATE SET accepted = excluded.accepted`,
		`INSERT OR IGNORE INTO blocks SELECT kind, value, seq / 1024 FROM block_facts WHERE seq > ?1 AND seq <= ?2 AND value IS NOT NULL`,
	} {
		if _, err := tx.ExecContext(ctx, st, entered, newest); err != nil {
			return err
		}
	}
	return nil
}

// facts are what a detection is looked for by, as the view of that name takes them from its JSON.
type facts struct {
	lat, lon                                  float64 // degrees
	class, camera, flag, track, key, retracts string
	reportedBy, reason                        string // of a retraction, for the audit trail
}

func factsOf(d *detection.Detection) facts {
	f := facts{
		lat: d.Fix.LatDeg, lon: d.Fix.LonDeg, class: text(d.ObjectClass), camera: text(d.CameraID), flag: text(string(d.Fix.Flag)),
		key: text(d.IdempotencyKey), retracts: text(d.Retracts), reportedBy: d.ReportedBy, reason: d.Reason,
	}
	if d.Track != nil {
		f.track = text(d.Track.ID)
	}
	return f
}

// text is a string as it is after it was encoded as JSON: each byte that is not UTF-8 is U+FFFD.
func text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}

// known returns the id that the store has already for a record with an idempotency key, or for one that retracts; for
// others, and when there is none, it is empty. The insertion itself finds a known id.
func (l *ledger) known(e *encoded) (string, error) {
	for _, ask := range []struct {
		value string
		stmt  *sql.Stmt
	}{{e.facts.key, l.byKey}, {e.facts.retracts, l.byTarget}} {
		if ask.value == "" {
			continue
		}
		for _, q := range []struct {
			stmt  *sql.Stmt
			value string
		}{{l.byID, e.id}, {ask.stmt, ask.value}} {
			var id string
			err := q.stmt.QueryRow(q.value).Scan(&id)
			if err == nil {
				return id, nil
			}
			if !errors.Is(err, sql.ErrNoRows) {
				return "", fmt.Errorf("look for a repeat: %w", err)
			}
		}
	}
	return "", nil
}

// enter makes the row of a new detection in the catalogue, and those of its values that are new in its block. The entry that
// it was accepted is the next of the audit trail.
func (l *ledger) enter(seq int64, e *encoded) error {
	if l.uncatalogued {
		return nil
	}
	f := &e.facts
	_, err := l.catalogue.Exec(seq, l.head.Seq+1, e.seenAt, f.lat, f.lon, filled(f.class), filled(f.camera),
		filled(f.flag), filled(f.track), filled(f.key), filled(f.retracts), e.id)
	if err != nil || f.retracts != "" {
		return err
	}
	if block := seq / blockSeqs; block != l.block || l.entered == nil {
		l.block, l.entered = block, map[blockValue]bool{}
	}
	for _, v := range [...]blockValue{
		{kind: kindClass, text: f.class},
		{kind: kindCamera, text: f.camera},
		{kind: kindFlag, text: f.flag},
		{kind: kindTrack, text: f.track},
		{kind: kindCell, number: cellOf(f.lat, f.lon)},
		{kind: kindHour, number: hourOf(e.seenAt)},
	} {
		if err := l.enterValue(v); err != nil {
			return err
		}
	}
	return nil
}

// blockValue is a value that is in a block.
type blockValue struct {
	kind   int
	text   string // of the kinds before kindCell
	number int64
}

// enterValue notes a value of the present block, once while this process runs.
func (l *ledger) enterValue(v blockValue) error {
	if l.entered[v] {
		return nil
	}
	var value any = v.number
	if v.kind < kindCell {
		if value = v.text; v.text == "" {
			return nil
		}
	}
	_, err := l.blocks.Exec(v.kind, value, l.block)
	l.entered[v] = err == nil
	return err
}

// filled is NULL for an empty text.
func filled(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// takeBack marks the detection that a new entry retracts, if it is there, and audits that either way.
func (l *ledger) takeBack(e *encoded, nowMicros int64) error {
	f := &e.facts
	if _, err := l.retract.Exec(e.received, f.retracts); err != nil {
		return fmt.Errorf("mark as retracted: %w", err)
	}
	detail := "by " + f.reportedBy
	if f.reason != "" {
		detail += ": " + f.reason
	}
	return l.append(f.retracts, eventRetracted, nowMicros, detail)
}
