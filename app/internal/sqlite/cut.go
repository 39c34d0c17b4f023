package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// cutBatch entries are removed at a time, so that commits go on between.
const cutBatch = 1024

// floor is where the audit trail begins: the newest entry that is gone, zero when none is.
type floor struct {
	entry    auditEntry // Seq and Hash only
	accepted int64      // how many of the entries that are gone say that a detection was accepted
}

func (f floor) String() string {
	return fmt.Sprintf("entries up to %d, %x; detections up to %d", f.entry.Seq, f.entry.Hash, f.accepted)
}

// querier reads: a pool or a connection.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func readFloor(ctx context.Context, from querier) (f floor, err error) {
	var hash []byte
	err = from.QueryRowContext(ctx, `SELECT seq, hash, accepted FROM audit_floor`).Scan(&f.entry.Seq, &hash, &f.accepted)
	if err != nil {
		return floor{}, fmt.Errorf("read floor of the audit trail: %w", err)
	}
	copy(f.entry.Hash[:], hash)
	return f, nil
}

// readRemoved reads which detections are noted as removed.
func readRemoved(ctx context.Context, from querier) (spans, error) {
	rows, err := from.QueryContext(ctx, `SELECT first, last FROM removed ORDER BY first`)
	if err != nil {
		return nil, fmt.Errorf("read what was removed: %w", err)
	}
	defer rows.Close()
	var removed spans
	for rows.Next() {
		var r span
		if err := rows.Scan(&r.first, &r.last); err != nil {
			return nil, fmt.Errorf("read what was removed: %w", err)
		}
		removed = append(removed, r)
	}
	return removed, rows.Err()
}

// cutAudit removes the oldest entries of the audit trail, as far as they are older than age and the detections that they
// vouch for are gone. It follows the chain through what it removes: a broken one stays to be looked at.
func (s *Store) cutAudit(ctx context.Context, age time.Duration) (total int64, err error) {
	for {
		at, err := readFloor(ctx, s.file.readers)
		if err != nil {
			return total, err
		}
		covered, err := s.covered(ctx, at)
		if err != nil {
			return total, err
		}
		next, err := s.nextFloor(ctx, at, covered, s.now().Add(-age).UnixMicro())
		if err != nil || next.entry.Seq == at.entry.Seq {
			return total, err
		}
		began := time.Now()
		n, err := s.moveFloor(ctx, next)
		if total += n; err != nil || n == 0 {
			return total, err
		}
		if err := rest(ctx, time.Since(began)); err != nil {
			return total, err
		}
	}
}

// covered is the number up to which every detection is gone and noted as removed.
func (s *Store) covered(ctx context.Context, at floor) (int64, error) {
	removed, err := readRemoved(ctx, s.file.readers)
	if err == nil {
		removed, err = removed.normal()
	}
	var oldest sql.NullInt64
	if err == nil {
		err = s.file.readers.QueryRowContext(ctx, `SELECT min(seq) FROM detections`).Scan(&oldest)
	}
	if err != nil {
		return 0, err
	}
	covered := at.accepted
	if len(removed) > 0 && removed[0].first == covered+1 {
		covered = removed[0].last
	}
	if oldest.Valid && oldest.Int64 != covered+1 {
		return 0, fmt.Errorf("detection number %d is gone and nothing says that it was removed; see detection-api audit verify", covered+1)
	}
	return covered, nil
}

// nextFloor follows the trail for one batch: to the last entry before a time, before the first detection that is not
// covered, and before the newest entry.
func (s *Store) nextFloor(ctx context.Context, at floor, covered, before int64) (floor, error) {
	rows, err := s.file.readers.QueryContext(ctx, `SELECT seq, detection_id, event, at, detail, prev, hash FROM audit
		WHERE seq > ? AND seq < (SELECT max(seq) FROM audit) ORDER BY seq LIMIT ?`, at.entry.Seq, cutBatch)
	if err != nil {
		return at, fmt.Errorf("read audit trail: %w", err)
	}
	defer rows.Close()
	trail := auditTrail{sum: sha256.New(), last: at.entry}
	for rows.Next() {
		e, err := trail.follow(rows)
		if err != nil {
			return at, err
		}
		if e.AtMicros >= before || e.Event == eventAccepted && at.accepted == covered {
			return at, nil
		}
		at.entry = e
		if e.Event == eventAccepted {
			at.accepted++
		}
	}
	return at, rows.Err()
}

// moveFloor removes the entries up to a new floor, with an entry that says so. The database refuses it for entries that are
// not yet 90 days old; a clock that was set back meanwhile must not make it fail others in the same transaction.
func (s *Store) moveFloor(ctx context.Context, to floor) (int64, error) {
	var n int64
	err := s.file.writer.do(ctx, &op{rows: cutBatch, bytes: cutBatch * rowOverheadBytes, run: func() error {
		now := s.now()
		young, err := s.countYoung(to.entry.Seq, now.Add(-MinAuditAge).UnixMicro())
		if err != nil || young > 0 {
			return err
		}
		if err := s.ledger.append("", eventCut, now.UnixMicro(), to.String()); err != nil {
			return err
		}
		for _, st := range []struct {
			text string
			args []any
		}{
			{`UPDATE audit_floor SET seq = ?, hash = ?, accepted = ?`, []any{to.entry.Seq, to.entry.Hash[:], to.accepted}},
			{`DELETE FROM removed WHERE last <= ?`, []any{to.accepted}},
			{`UPDATE removed SET first = ?1 + 1 WHERE first <= ?1`, []any{to.accepted}},
		} {
			if _, err := s.execute(st.text, st.args...); err != nil {
				return fmt.Errorf("move the floor: %w", err)
			}
		}
		n, err = s.execute(`DELETE FROM audit WHERE seq <= ?`, to.entry.Seq)
		return err
	}})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// countYoung counts the entries up to seq that are younger than a time.
func (s *Store) countYoung(seq, after int64) (n int64, err error) {
	err = s.file.writer.conn.QueryRowContext(context.Background(),
		`SELECT count(*) FROM audit WHERE seq <= ? AND at > ?`, seq, after).Scan(&n)
	return n, err
}

// errNoCut says that the trail does not begin at 1 and does not say why.
var errNoCut = errors.New("the audit trail does not begin at its first entry, and no entry says that it was cut there")

// auditHead is the hash of the newest entry, empty when there is none.
func auditHead(e auditEntry) string {
	if e.Seq == 0 {
		return ""
	}
	return hex.EncodeToString(e.Hash[:])
}
