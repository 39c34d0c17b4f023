package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// MinAuditAge is how long an audit entry is kept at least. The database itself refuses to remove a younger one.
const MinAuditAge = 90 * 24 * time.Hour

// Retention says what a Store removes by itself. The zero value: nothing, ever.
type Retention struct {
	// MaxAge of a detection since it was accepted. One that is owed to TAK or a dead letter stays, however old, and so does
	// the newest one. 0: for ever.
	MaxAge time.Duration
	// MaxBytes that the detections may take in app.db, about, without the audit trail. The oldest are removed first, under
	// the same exceptions. 0: no limit.
	MaxBytes int64
	// AuditMaxAge of an audit entry, at least MinAuditAge. The entries of detections that are still there stay, and all that
	// follow them. 0: for ever.
	AuditMaxAge time.Duration
}

func (r Retention) check() error {
	if r.MaxAge < 0 || r.MaxBytes < 0 || r.AuditMaxAge != 0 && r.AuditMaxAge < MinAuditAge {
		return fmt.Errorf("retention: want at least 0, 0 and %v (or 0), got %v, %d bytes and %v", MinAuditAge, r.MaxAge, r.MaxBytes, r.AuditMaxAge)
	}
	return nil
}

const (
	// removeBatch detections are looked at and removed at a time, so that commits go on between.
	removeBatch = 256
	// removePatience is how many young detections in a row end a search. They need not be in the order of their times: one
	// that waited in a pod's queue is older than its place, and a clock that was wrong leaves anything.
	removePatience = 4096
	// removeLooks bounds one search; the next goes on where it ended.
	removeLooks = 1 << 16
)

// Swept is what one Sweep removed.
type Swept struct {
	Detections   int64
	AuditEntries int64
}

// Sweep removes what Retention allows now: detections, each batch with an audit entry, and then the oldest part of the
// audit trail. The store goes on meanwhile. The file does not shrink; what is free in it is used again.
func (s *Store) Sweep(ctx context.Context) (Swept, error) {
	s.keeper.sweeping.Lock()
	defer s.keeper.sweeping.Unlock()
	var (
		swept Swept
		err   error
	)
	if r := s.keeper.retention; r.MaxAge > 0 || r.MaxBytes > 0 {
		if swept.Detections, err = s.removeDetections(ctx, r); err != nil {
			return swept, translate("remove old detections", detection.ErrUnavailable, err)
		}
		if err := s.forgetBlocks(ctx); err != nil {
			return swept, translate("forget what was removed", detection.ErrUnavailable, err)
		}
	}
	if r := s.keeper.retention; r.AuditMaxAge > 0 {
		if swept.AuditEntries, err = s.cutAudit(ctx, r.AuditMaxAge); err != nil {
			return swept, translate("cut the audit trail", detection.ErrUnavailable, err)
		}
	}
	return swept, nil
}

// forgetEvery is after how many empty blocks the index of the catalogue lets them go: it has to be read from end to end.
const forgetEvery = 64

// forgetBlocks removes what the index of the catalogue says about blocks before the oldest detection.
func (s *Store) forgetBlocks(ctx context.Context) error {
	var oldest int64
	if err := s.file.readers.QueryRowContext(ctx, `SELECT coalesce(min(seq), 0) FROM detections`).Scan(&oldest); err != nil {
		return err
	}
	block := oldest / blockSeqs
	if block < s.keeper.forgotten+forgetEvery {
		return nil
	}
	err := s.file.writer.do(ctx, &op{rows: 1, bytes: rowOverheadBytes, run: func() error {
		_, err := s.execute(`DELETE FROM blocks WHERE block < ?`, block)
		return err
	}})
	if err == nil {
		s.keeper.forgotten = block
	}
	return err
}

// removable is a detection as retention sees it.
type removable struct {
	seq, receivedAt, bytes int64
	held                   bool // owed to TAK, a dead letter, or takes a detection back that is there
}

func (s *Store) removeDetections(ctx context.Context, r Retention) (total int64, err error) {
	before := int64(0) // microseconds; nothing is so old
	if r.MaxAge > 0 {
		before = s.now().Add(-r.MaxAge).UnixMicro()
	}
	young := 0
	for looked := 0; looked < removeLooks; looked += removeBatch {
		excess, err := s.excess(ctx, r.MaxBytes)
		if err != nil {
			return total, err
		}
		page, err := s.removable(ctx, s.keeper.at)
		if err != nil {
			return total, err
		}
		due, left := pick(page, before, excess)
		if young += left; len(due) > 0 {
			young = 0
		}
		began := time.Now()
		n, err := s.remove(ctx, due)
		if total += n; err != nil {
			return total, err
		}
		if len(page) < removeBatch || young >= removePatience {
			s.keeper.at = 0 // from the start the next time
			return total, nil
		}
		s.keeper.at = page[len(page)-1].seq
		if err := rest(ctx, time.Since(began)); err != nil {
			return total, err
		}
	}
	return total, nil
}

// rest leaves the disk to others for as long as it was used.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(min(d, time.Second))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// excess is how many bytes the detections take too many.
func (s *Store) excess(ctx context.Context, most int64) (int64, error) {
	if most <= 0 {
		return 0, nil
	}
	var rows, bytes int64
	err := s.file.readers.QueryRowContext(ctx, `SELECT detections, bytes FROM counts`).Scan(&rows, &bytes)
	return bytes + rows*rowOverheadBytes - most, err
}

// retracting says that the entry d takes back a detection that is there: it goes after that.
const retracting = `EXISTS (SELECT 1 FROM catalogue c JOIN detections t ON t.id = c.retracts WHERE c.seq = d.seq)`

// removable reads the next detections, all but the newest.
func (s *Store) removable(ctx context.Context, after int64) ([]removable, error) {
	rows, err := s.file.readers.QueryContext(ctx, `SELECT seq, received_at, octet_length(body),
		EXISTS (SELECT 1 FROM outbox WHERE seq = d.seq) OR EXISTS (SELECT 1 FROM dead_letters WHERE seq = d.seq) OR `+retracting+`
		FROM detections d WHERE seq > ? AND seq < (SELECT max(seq) FROM detections) ORDER BY seq LIMIT ?`, after, removeBatch)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var page []removable
	for rows.Next() {
		var d removable
		if err := rows.Scan(&d.seq, &d.receivedAt, &d.bytes, &d.held); err != nil {
			return nil, err
		}
		page = append(page, d)
	}
	return page, rows.Err()
}

// pick chooses what was received before a time, and the oldest until excess bytes are made good. left is how many could go
// but need not.
func pick(page []removable, before, excess int64) (due []int64, left int) {
	for _, d := range page {
		switch {
		case d.held:
		case d.receivedAt < before || excess > 0:
			due = append(due, d.seq)
			excess -= d.bytes + rowOverheadBytes
		default:
			left++
		}
	}
	return due, left
}

// remove takes detections off with one audit entry that names them by their numbers. What came to be held since they were
// chosen stays.
func (s *Store) remove(ctx context.Context, seqs []int64) (n int64, err error) {
	if len(seqs) == 0 {
		return 0, nil
	}
	list, err := json.Marshal(seqs)
	if err != nil {
		return 0, err
	}
	var removed int64
	err = s.file.writer.do(ctx, &op{rows: len(seqs), bytes: int64(len(seqs)) * rowOverheadBytes, run: func() error {
		gone, bytes, err := s.deleteDetections(string(list))
		if err != nil || len(gone) == 0 {
			return err
		}
		for _, r := range gone {
			removed += r.last - r.first + 1
			if err := s.noteRemoved(r); err != nil {
				return fmt.Errorf("note what is removed: %w", err)
			}
		}
		s.ledger.counts.Detections -= removed
		s.ledger.counts.bytes -= bytes
		return s.ledger.append("", eventRemoved, s.now().UnixMicro(), "retention: "+strconv.FormatInt(removed, 10)+" detections: "+gone.String())
	}})
	if err != nil {
		return 0, err
	}
	return removed, nil
}

// noteRemoved makes the range before it longer where they meet, so that there are few however much is removed.
func (s *Store) noteRemoved(r span) error {
	n, err := s.execute(`UPDATE removed SET last = ?2 WHERE last = ?1 - 1 AND first = (SELECT max(first) FROM removed WHERE first < ?1)`,
		r.first, r.last)
	if err != nil || n > 0 {
		return err
	}
	_, err = s.execute(`INSERT INTO removed (first, last) VALUES (?, ?)
		ON CONFLICT (first) DO UPDATE SET last = max(last, excluded.last)`, r.first, r.last)
	return err
}

// deleteDetections deletes those of a JSON list that are not held and returns which they were and their bytes.
func (s *Store) deleteDetections(list string) (gone spans, bytes int64, err error) {
	rows, err := s.file.writer.conn.QueryContext(context.Background(), `DELETE FROM detections AS d
		WHERE seq IN (SELECT value FROM json_each(?)) AND seq < (SELECT max(seq) FROM detections)
		AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.seq = d.seq)
		AND NOT EXISTS (SELECT 1 FROM dead_letters WHERE dead_letters.seq = d.seq) AND NOT `+retracting+`
		RETURNING seq, octet_length(body)`, list)
	if err != nil {
		return nil, 0, fmt.Errorf("delete detections: %w", err)
	}
	defer rows.Close()
	var seqs []int64
	for rows.Next() {
		var seq, size int64
		if err := rows.Scan(&seq, &size); err != nil {
			return nil, 0, fmt.Errorf("delete detections: %w", err)
		}
		seqs, bytes = append(seqs, seq), bytes+size
	}
	slices.Sort(seqs)
	for _, seq := range seqs {
		gone.add(seq)
	}
	return gone, bytes, rows.Err()
}

// removedBy reads the numbers out of the entry that remove wrote.
func removedBy(detail string) (spans, error) {
	_, list, _ := strings.Cut(detail, " detections: ")
	return parseSpans(list)
}
