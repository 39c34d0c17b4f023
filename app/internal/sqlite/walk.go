package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"hash"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// BrokenAuditError says where the hash chain of an audit trail does not hold.
type BrokenAuditError struct {
	Seq   int64 // the first entry that does not fit
	After int64 // the last one that does
}

func (e *BrokenAuditError) Error() string {
	return fmt.Sprintf("the audit trail is broken at entry %d (after %d)", e.Seq, e.After)
}

// walk follows the audit trail from its first entry, or from where it was cut, and holds each detection against the entry
// that says it was accepted, with the hash of its content. The n-th such entry is about the detection with number n: one
// that is not there must have been removed by retention, which left an entry as well.
func walk(ctx context.Context, conn *sql.Conn, c *Census) error {
	w := walker{trail: auditTrail{sum: sha256.New()}, dead: map[string]letter{}}
	cuttable, err := forgets(ctx, conn)
	if err != nil {
		return err
	}
	if cuttable {
		if w.floor, err = readFloor(ctx, conn); err != nil {
			return err
		}
		w.trail.last, w.number, c.AuditFloor = w.floor.entry, w.floor.accepted, w.floor.entry.Seq
	}
	if err := w.run(ctx, conn); err != nil {
		return err
	}
	c.AuditEntries, c.AuditHead = w.trail.last.Seq, auditHead(w.trail.last)
	if err := w.compareLetters(ctx, conn); err != nil {
		return err
	}
	if err := w.settle(); err != nil || !cuttable {
		return err
	}
	return w.compare(ctx, conn)
}

// walker reads the trail and the detections side by side.
type walker struct {
	trail  auditTrail
	floor  floor
	number int64    // of the last detection that was accepted
	next   accepted // the detection that is to come

	missing, removed spans  // not there, and said to be removed
	cut              string // what the newest entry about a cut says
	dead             map[string]letter
}

func (w *walker) run(ctx context.Context, conn *sql.Conn) error {
	detections, err := conn.QueryContext(ctx, `SELECT seq, id, body FROM detections ORDER BY seq`)
	if err != nil {
		return fmt.Errorf("read detections: %w", err)
	}
	defer detections.Close()
	w.next = accepted{rows: detections}
	if err := w.next.advance(); err != nil {
		return err
	}
	entries, err := conn.QueryContext(ctx, `SELECT seq, detection_id, event, at, detail, prev, hash FROM audit
		WHERE seq > ? ORDER BY seq`, w.floor.entry.Seq)
	if err != nil {
		return fmt.Errorf("read audit trail: %w", err)
	}
	defer entries.Close()
	for entries.Next() {
		e, err := w.trail.follow(entries)
		if err == nil {
			err = w.take(e)
		}
		if err != nil {
			return err
		}
	}
	if err := entries.Err(); err != nil {
		return fmt.Errorf("read audit trail: %w", err)
	}
	return nil
}

// take draws from an entry what it says about detections.
func (w *walker) take(e auditEntry) error {
	switch e.Event {
	case eventAccepted:
		w.number++
		if w.next.seq != w.number {
			w.missing.add(w.number)
			return nil
		}
		return w.next.match(e)
	case string(detection.DeadLettered):
		w.dead[e.DetectionID] = letter{e.AtMicros, e.Detail}
	case eventRedriven, eventPurged:
		delete(w.dead, e.DetectionID)
	case eventRemoved:
		removed, err := removedBy(e.Detail)
		if err != nil {
			return fmt.Errorf("read audit entry %d: %w", e.Seq, err)
		}
		for _, r := range removed {
			w.removed.addSpan(r)
			if r.last > w.number {
				return fmt.Errorf("audit entry %d removes detection number %d, which was not accepted before", e.Seq, r.last)
			}
		}
	case eventCut:
		w.cut = e.Detail
	}
	return nil
}

// settle says whether all detections are accounted for.
func (w *walker) settle() error {
	if !w.next.done {
		return fmt.Errorf("the audit trail does not say that detection %s was accepted", w.next.id)
	}
	if w.floor.entry.Seq > 0 && w.cut != w.floor.String() {
		return errNoCut
	}
	removed, err := w.removed.normal()
	if err != nil {
		return fmt.Errorf("the audit trail removes detections twice: %w", err)
	}
	w.removed = removed.above(w.floor.accepted)
	if n, found := w.missing.without(w.removed); found {
		return fmt.Errorf("detection number %d is gone, and no entry of the audit trail says that it was removed", n)
	}
	if n, found := w.removed.without(w.missing); found {
		return fmt.Errorf("detection number %d is there, and the audit trail says that it was removed", n)
	}
	return nil
}

// compare holds the service's own note of what was removed against the trail.
func (w *walker) compare(ctx context.Context, conn *sql.Conn) error {
	noted, err := readRemoved(ctx, conn)
	if err != nil {
		return err
	}
	if noted, err = noted.normal(); err != nil {
		return fmt.Errorf("the service's note of removed detections is wrong: %w", err)
	}
	if noted.String() != w.removed.String() {
		return errors.New("the service's note of removed detections is not what the audit trail says")
	}
	return nil
}

// accepted walks the detections.
type accepted struct {
	rows   *sql.Rows
	seq    int64 // 0 when there is none left
	id     string
	digest string
	done   bool
}

func (a *accepted) advance() error {
	a.seq, a.id, a.digest = 0, "", ""
	if !a.rows.Next() {
		a.done = true
		if err := a.rows.Err(); err != nil {
			return fmt.Errorf("read detections: %w", err)
		}
		return nil
	}
	var body sql.RawBytes
	if err := a.rows.Scan(&a.seq, &a.id, &body); err != nil {
		return fmt.Errorf("read a detection: %w", err)
	}
	a.digest = digest(body)
	return nil
}

func (a *accepted) match(e auditEntry) error {
	if a.id != e.DetectionID {
		return fmt.Errorf("detection number %d is %s, the audit trail has %s", a.seq, a.id, e.DetectionID)
	}
	if a.digest != e.Detail {
		return fmt.Errorf("detection %s is not what was accepted: %s, the audit trail has %s", a.id, a.digest, e.Detail)
	}
	return a.advance()
}

// auditTrail recomputes the chain.
type auditTrail struct {
	sum  hash.Hash
	last auditEntry
}

func (t *auditTrail) follow(rows *sql.Rows) (auditEntry, error) {
	var (
		e         auditEntry
		prev, own []byte
	)
	if err := rows.Scan(&e.Seq, &e.DetectionID, &e.Event, &e.AtMicros, &e.Detail, &prev, &own); err != nil {
		return e, fmt.Errorf("read an audit entry: %w", err)
	}
	e.Hash = auditHash(t.sum, t.last.Hash, e)
	if e.Seq != t.last.Seq+1 || !bytes.Equal(prev, t.last.Hash[:]) || !bytes.Equal(own, e.Hash[:]) {
		return e, &BrokenAuditError{Seq: e.Seq, After: t.last.Seq}
	}
	t.last = e
	return e, nil
}
