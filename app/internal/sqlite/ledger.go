package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// The events of the audit trail, beside the outcomes of deliveries.
const (
	eventAccepted = "accepted"
	eventRedriven = "redriven" // an operator wants a dead letter delivered after all
	eventPurged   = "purged"   // an operator gave a dead letter up
	eventRemoved  = "removed"  // detections were removed by retention
	eventCut      = "cut"      // the oldest entries of the trail were removed

	eventRetracted = "retracted" // a client took the detection back
	eventWithdrawn = "withdrawn" // it was taken back before it was delivered, and is no longer owed to TAK
)

// ledger writes the tables of app.db. Only the writer's goroutine uses it; it keeps the head of the audit chain and the
// counts in memory, in step with the tables.
type ledger struct {
	detection, outbox, audit, unqueue, deadLetter, setCounts *sql.Stmt
	readCounts, readHead                                     *sql.Stmt
	catalogue, blocks, retract, byID, byKey, byTarget        *sql.Stmt

	epoch          epoch
	counts, stored counts     // now, and as the table has it
	head           auditEntry // the newest one; zero when there is none
	sum            hash.Hash
	note           *headNote
	news           *news

	block   int64               // the newest one
	entered map[blockValue]bool // what the table blocks has of it for certain

	uncatalogued bool // in tests
}

// counts is the row of the table of that name.
type counts struct {
	detection.StoreStats
	bytes int64 // of the detections' JSON
}

// auditEntry is one row of the audit trail.
type auditEntry struct {
	Seq         int64
	DetectionID string
	Event       string
	AtMicros    int64
	Detail      string
	Hash        [sha256.Size]byte
}

func (l *ledger) prepare(add prepareFunc) error {
	l.sum = sha256.New()
	for _, p := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&l.detection, `INSERT INTO detections (id, seen_at, received_at, deliver, owner, body) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO NOTHING`},
		{&l.catalogue, insertCatalogue},
		{&l.blocks, `INSERT OR IGNORE INTO blocks (kind, value, block) VALUES (?, ?, ?)`},
		{&l.retract, `UPDATE catalogue SET retracted_at = ? WHERE seq = (SELECT seq FROM detections WHERE id = ?)`},
		{&l.byID, `SELECT id FROM detections WHERE id = ?`},
		{&l.byKey, `SELECT d.id FROM catalogue c JOIN detections d USING (seq) WHERE c.key = CAST(? AS TEXT)`},
		{&l.byTarget, `SELECT d.id FROM catalogue c JOIN detections d USING (seq) WHERE c.retracts = CAST(? AS TEXT)`},
		{&l.outbox, `INSERT INTO outbox (seq, owner) VALUES (?, ?)`},
		{&l.audit, `INSERT INTO audit (seq, detection_id, event, at, detail, prev, hash) VALUES (?, ?, ?, ?, ?, ?, ?)`},
		{&l.unqueue, `DELETE FROM outbox WHERE seq = (SELECT seq FROM detections WHERE id = ?)`},
		{&l.deadLetter, `INSERT INTO dead_letters (seq, at, reason) SELECT seq, ?, ? FROM detections WHERE id = ?`},
		{&l.setCounts, `UPDATE counts SET detections = ?, outbox = ?, dead_letters = ?, bytes = ?`},
		{&l.readCounts, `SELECT detections, outbox, dead_letters, bytes FROM counts`},
		{&l.readHead, `SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1`},
		{&l.epoch.read, `SELECT epoch FROM epoch`},
	} {
		if err := add(p.stmt, p.text); err != nil {
			return err
		}
	}
	return nil
}

func (l *ledger) reload(ctx context.Context) error {
	n := &l.counts
	if err := l.readCounts.QueryRowContext(ctx).Scan(&n.Detections, &n.Outbox, &n.DeadLetters, &n.bytes); err != nil {
		return fmt.Errorf("read counts: %w", err)
	}
	l.stored, l.entered = l.counts, nil
	l.head = auditEntry{}
	var sum []byte
	err := l.readHead.QueryRowContext(ctx).Scan(&l.head.Seq, &sum)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read head of the audit trail: %w", err)
	}
	copy(l.head.Hash[:], sum)
	return nil
}

func (l *ledger) own(ctx context.Context, conn *sql.Conn) error {
	if err := l.epoch.raise(ctx, conn); err != nil {
		return err
	}
	return catchUp(ctx, conn)
}

func (l *ledger) begun(ctx context.Context) error { return l.epoch.check(ctx) }

func (l *ledger) finish(ctx context.Context) error {
	if l.counts == l.stored {
		return nil
	}
	n := &l.counts
	_, err := l.setCounts.ExecContext(ctx, n.Detections, n.Outbox, n.DeadLetters, n.bytes)
	return err
}

func (l *ledger) committed() {
	if l.counts.Detections > l.stored.Detections {
		l.news.tell()
	}
	l.stored = l.counts
	l.note.write(l.head)
}

// insert adds a record with its audit entry, its row of the catalogue and its outbox row, unless it is known.
func (l *ledger) insert(e *encoded, nowMicros int64) error {
	known, err := l.known(e)
	if err != nil || known != "" {
		e.repeatOf = known
		return err
	}
	result, err := l.detection.Exec(e.id, e.seenAt, e.received, e.deliver, e.owner, e.body)
	n, err := changed(result, err)
	if err != nil {
		return fmt.Errorf("insert detection: %w", err)
	}
	if n == 0 {
		e.repeatOf = e.id
		return nil
	}
	seq, err := result.LastInsertId()
	if err != nil {
		return err
	}
	if err := l.enter(seq, e); err != nil {
		return fmt.Errorf("enter into the catalogue: %w", err)
	}
	l.counts.Detections++
	l.counts.bytes += int64(len(e.body))
	if e.deliver {
		if _, err := l.outbox.Exec(seq, e.owner); err != nil {
			return fmt.Errorf("insert outbox row: %w", err)
		}
		l.counts.Outbox++
	}
	if err := l.append(e.id, eventAccepted, nowMicros, e.detail); err != nil || e.facts.retracts == "" {
		return err
	}
	return l.takeBack(e, nowMicros)
}

// settle takes an outbox row off and audits how its delivery ended. An id without one is ignored.
func (l *ledger) settle(d *detection.Delivery) error {
	result, err := l.unqueue.Exec(d.ID)
	if err != nil {
		return fmt.Errorf("delete outbox row: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return err
	}
	l.counts.Outbox--
	if d.Outcome == detection.DeadLettered {
		if _, err := l.deadLetter.Exec(d.At.UnixMicro(), d.Reason, d.ID); err != nil {
			return fmt.Errorf("insert dead letter: %w", err)
		}
		l.counts.DeadLetters++
	}
	return l.append(d.ID, string(d.Outcome), d.At.UnixMicro(), d.Reason)
}

// withdraw takes the outbox row of a retracted detection off. An id without one is ignored.
func (l *ledger) withdraw(id string, nowMicros int64) error {
	n, err := changed(l.unqueue.Exec(id))
	if err != nil {
		return fmt.Errorf("delete outbox row: %w", err)
	}
	if n == 0 {
		return nil
	}
	l.counts.Outbox--
	return l.append(id, eventWithdrawn, nowMicros, "retracted before it was delivered")
}

// append adds an entry to the audit trail.
func (l *ledger) append(id, event string, atMicros int64, detail string) error {
	next := auditEntry{Seq: l.head.Seq + 1, DetectionID: id, Event: event, AtMicros: atMicros, Detail: detail}
	next.Hash = auditHash(l.sum, l.head.Hash, next)
	_, err := l.audit.Exec(next.Seq, id, event, atMicros, detail, l.head.Hash[:], next.Hash[:])
	if err != nil {
		return fmt.Errorf("append to audit trail: %w", err)
	}
	l.head = next
	return nil
}

// auditHash is SHA-256 over the hash of the entry before (zeros for the first), then the sequence number and the time as
// 8 bytes each, big-endian, then id, event and detail, each after its length in 8 bytes. Changing, removing or
// reordering entries breaks the chain.
func auditHash(sum hash.Hash, prev [sha256.Size]byte, e auditEntry) (out [sha256.Size]byte) {
	sum.Reset()
	var buf [256]byte
	b := append(buf[:0], prev[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Seq))
	b = binary.BigEndian.AppendUint64(b, uint64(e.AtMicros))
	for _, text := range [...]string{e.DetectionID, e.Event, e.Detail} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(text)))
		b = append(b, text...)
	}
	sum.Write(b)
	sum.Sum(out[:0])
	return out
}

// digest ties an audit entry to the stored detection.
func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return "sha256:" + hex.EncodeToString(sum[:])
}
