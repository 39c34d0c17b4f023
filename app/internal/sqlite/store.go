package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

var (
	_ detection.Store      = (*Store)(nil)
	_ detection.Operations = (*Store)(nil)
	_ detection.Catalogue  = (*Store)(nil)
)

// Store is the service's store of record: detections, their audit trail and what is owed to TAK.
type Store struct {
	file   *file
	ledger *ledger
	leases *leases
	copies *copies
	keeper *keeper
	news   *news
	now    func() time.Time
}

// storeName is the file's name in its directory.
const storeName = "app.db"

// StoreOptions shape a Store.
type StoreOptions struct {
	Options
	// RestartGrace keeps the leases that were alive when the store went down: at the start each lasts at least so long,
	// time enough for its owner to renew it before others adopt its rows. Each lasts as long as its owner asked for anyway.
	RestartGrace time.Duration
	// Retention says what the store gives up by itself, on a timer. Default: nothing.
	Retention Retention

	checkFirstBytes int64 // checkFirstBytes; tests make it small
	unchecked       bool  // tests show what happens without the checks
	uncatalogued    bool  // tests measure what the catalogue costs
}

// OpenStore opens opts.Dir/app.db or makes it. It refuses one that is damaged; damage in a large one is found while it
// serves, and told to Fatal. Close must be called.
func OpenStore(ctx context.Context, opts StoreOptions) (*Store, error) {
	opts.setDefaults()
	if err := opts.Retention.check(); err != nil {
		return nil, err
	}
	passed := &steady{now: opts.Now}
	s := &Store{leases: newLeases(passed), copies: newCopies(), news: newNews(), now: opts.Now}
	s.ledger = &ledger{epoch: epoch{off: opts.unfenced}, news: s.news, uncatalogued: opts.uncatalogued}
	if opts.checkFirstBytes == 0 {
		opts.checkFirstBytes = checkFirstBytes
	}
	var found look
	defer found.close()
	var err error
	s.file, err = openFile(ctx, opts.Options, storeName, s.ledger, func(path string) error {
		if orphaned(path) {
			return fmt.Errorf("%s is empty but its log %s-wal is not: restore both, or move the log away", path, path)
		}
		if sizeOf(path) == 0 && sizeOf(path+restoringSuffix) > 0 {
			return fmt.Errorf("a restore of %s was interrupted: run it again, or move %s%s away", path, path, restoringSuffix)
		}
		if err := removeCopies(path); err != nil {
			return err
		}
		return found.checkStore(ctx, path, &opts)
	})
	if err != nil {
		return nil, err
	}
	if !opts.unchecked {
		if err := s.noteCommits(); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	s.file.closers = append(s.file.closers, closeFunc(s.endCopies), closeFunc(s.endFollowing))
	if err := s.keepLeases(ctx, opts.RestartGrace); err != nil {
		return nil, errors.Join(fmt.Errorf("keep leases over the restart: %w", err), s.Close())
	}
	s.keeper = newKeeper(s, opts.Retention, &settling{now: opts.Now, passed: passed.elapsed})
	s.file.closers = append(s.file.closers, closeFunc(s.keeper.close))
	if !found.whole {
		s.file.closers = append(s.file.closers, closeFunc(startScrubber(s.file).close))
	}
	return s, nil
}

// noteCommits has each commit from now on noted beside the database.
func (s *Store) noteCommits() error {
	note, err := openHeadNote(s.file.path, s.file.writer.log)
	if err != nil {
		return err
	}
	s.ledger.note = note
	s.file.closers = slices.Insert(s.file.closers, 1, io.Closer(note.file)) // after the writer, before the lock is given back
	return nil
}

// Close commits what is under way, empties the log and gives the file free.
func (s *Store) Close() error { return s.file.close() }

// Ready returns nil while the store can take new detections; the error says why it cannot.
func (s *Store) Ready(ctx context.Context) error {
	return translate("store", detection.ErrUnavailable, s.file.ready(ctx))
}

// SetMaxPages changes Options.MaxPages of the open database; 0 means no limit.
func (s *Store) SetMaxPages(ctx context.Context, pages int64) error {
	return s.file.setMaxPages(ctx, pages)
}

// encoded is a record as the writer needs it. The caller's goroutine makes it; it holds nothing of the caller's.
type encoded struct {
	id, owner        string
	seenAt, received int64 // microseconds
	deliver          bool
	body             []byte
	detail           string // for the audit entry
	facts            facts  // for the catalogue

	repeatOf string // set by the writer; see detection.Record
}

// Commit implements detection.Store.
func (s *Store) Commit(ctx context.Context, records []detection.Record) error {
	if len(records) == 0 {
		return nil
	}
	if err := s.file.space.check(); err != nil {
		return translate("commit detections", detection.ErrUnavailable, err)
	}
	rows, bytes, err := encode(records)
	if err != nil {
		return err
	}
	now := s.now().UnixMicro()
	err = s.file.writer.do(ctx, &op{rows: len(rows), bytes: bytes, run: func() error {
		for i := range rows {
			if err := s.ledger.insert(&rows[i], now); err != nil {
				return err
			}
		}
		return nil
	}})
	if err != nil { // the writer may still be at it: the rows are not ours
		return translate("commit detections", detection.ErrUnavailable, err)
	}
	for i := range rows {
		records[i].RepeatOf = rows[i].repeatOf
	}
	return nil
}

func encode(records []detection.Record) (rows []encoded, bytes int64, err error) {
	rows = make([]encoded, len(records))
	for i := range records {
		d := &records[i].Detection
		if d.ID == "" {
			return nil, 0, detection.Invalid("detection_id", "must not be empty")
		}
		body, err := records[i].DetectionJSON()
		if err != nil {
			return nil, 0, err
		}
		rows[i] = encoded{
			id: d.ID, owner: records[i].Owner, deliver: records[i].Deliver,
			seenAt: d.SeenAt.UnixMicro(), received: d.ReceivedAt.UnixMicro(),
			body: body, detail: digest(body), facts: factsOf(d),
		}
		bytes += int64(len(body)) + rowOverheadBytes
	}
	return rows, bytes, nil
}

// rowOverheadBytes is about what a record takes beside its body: audit entry, outbox row, indexes.
const rowOverheadBytes = 400

// Get implements detection.Store. The record comes back as it was committed, with the owner it had then.
func (s *Store) Get(ctx context.Context, id string) (detection.Record, error) {
	var (
		record detection.Record
		body   []byte
	)
	err := s.file.readers.QueryRowContext(ctx, "SELECT body, deliver, owner FROM detections WHERE id = ?", id).
		Scan(&body, &record.Deliver, &record.Owner)
	if errors.Is(err, sql.ErrNoRows) {
		err = detection.ErrNotFound
	}
	if err == nil {
		err = json.Unmarshal(body, &record.Detection)
	}
	if err != nil {
		return detection.Record{}, translate("get detection "+id, detection.ErrUnavailable, err)
	}
	return record, nil
}

// Stats implements detection.Store.
func (s *Store) Stats(ctx context.Context) (detection.StoreStats, error) {
	var n detection.StoreStats
	err := s.file.readers.QueryRowContext(ctx, "SELECT detections, outbox, dead_letters FROM counts").
		Scan(&n.Detections, &n.Outbox, &n.DeadLetters)
	return n, translate("count detections", detection.ErrUnavailable, err)
}
