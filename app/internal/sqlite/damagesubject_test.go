package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/detection/storetest"
)

// answers is all that a store says.
type answers struct {
	detections map[string]string
	owed, dead []string
	audit      []string
	stats      detection.StoreStats
}

const damageRecords = 60

func askStore(s *Store) (a answers, err error) {
	ctx := context.Background()
	a.detections = map[string]string{}
	for _, id := range storetest.IDs(0, damageRecords) {
		r, err := s.Get(ctx, id)
		if errors.Is(err, detection.ErrNotFound) {
			continue
		} else if err != nil {
			return a, err
		}
		if a.detections[id], err = contentOf(r); err != nil {
			return a, err
		}
	}
	if a.stats, err = s.Stats(ctx); err != nil {
		return a, err
	}
	entries, err := s.Audit(ctx, 0, 1000)
	if err != nil {
		return a, err
	}
	for _, e := range entries {
		a.audit = append(a.audit, fmt.Sprint(e))
	}
	letters, err := s.DeadLetters(ctx, "", 1000)
	if err != nil {
		return a, err
	}
	for _, l := range letters {
		a.dead = append(a.dead, fmt.Sprint(l))
	}
	owed, err := s.Claim(ctx, "tester", "", 1000)
	for _, r := range owed {
		content, contentErr := contentOf(r)
		err = errors.Join(err, contentErr)
		a.owed = append(a.owed, content)
	}
	slices.Sort(a.owed)
	return a, err
}

func contentOf(r detection.Record) (string, error) {
	body, err := r.DetectionJSON()
	return string(body), err
}

func (a answers) equal(b answers) bool { return fmt.Sprint(a) == fmt.Sprint(b) } // maps are printed in order

// crashedStore is a store that was killed with one half of its records in the database and the other half in the log.
func crashedStore(t *testing.T) (crashFiles, answers, []byte) {
	t.Helper()
	ctx, dir := t.Context(), scratchDir(t)
	open := func() *Store { return openStore(t, StoreOptions{Options: Options{Dir: dir, MinFreeBytes: -1}}) }
	change := func(s *Store, from, to int) {
		for n := from; n < to; n += 3 {
			if err := s.Commit(ctx, storetest.Records(n, n+3, "pod-a")); err != nil {
				t.Fatal(err)
			}
		}
		at := time.Date(2026, 7, 1, 13, 0, 0, 0, time.UTC)
		done := append(storetest.Deliveries(from, from+5, detection.Delivered, at), storetest.Deliveries(from+5, from+7, detection.DeadLettered, at)...)
		if err := s.Acknowledge(ctx, done); err != nil {
			t.Fatal(err)
		}
	}
	s := open()
	change(s, 0, damageRecords/2)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open()
	change(s, damageRecords/2, damageRecords)
	files := takeFiles(t, dir, "app.db", "app.db-wal", "app.db-head")
	copied, err := s.Copy(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	var content bytes.Buffer
	if _, err := content.ReadFrom(copied); err != nil {
		t.Fatal(err)
	}
	want, err := askStore(s)
	if err != nil {
		t.Fatal(err)
	}
	return files, want, content.Bytes()
}

func meetStore(files crashFiles, want answers, d damage, unchecked bool) (verdict, error) {
	dir, err := files.damaged(d)
	if err != nil {
		return silent, err
	}
	defer os.RemoveAll(dir)
	var fatal atomic.Bool
	s, err := OpenStore(context.Background(), StoreOptions{unchecked: unchecked, Options: Options{
		Dir: dir, MinFreeBytes: -1, Fatal: func(error) { fatal.Store(true) },
	}})
	if err != nil {
		return told, nil
	}
	got, err := askStore(s)
	_ = s.Close() // damage may keep it from closing well
	switch {
	case err != nil || fatal.Load():
		return told, nil
	case got.equal(want):
		return harmless, nil
	}
	return silent, nil
}

func meetCopy(files crashFiles, want Census, d damage) (verdict, error) {
	dir, err := files.damaged(d)
	if err != nil {
		return silent, err
	}
	defer os.RemoveAll(dir)
	c, err := Inspect(context.Background(), filepath.Join(dir, d.file))
	switch {
	case err != nil:
		return told, nil
	case c == want:
		return harmless, nil
	}
	return silent, nil
}

// askQueue is all that a queue says, oldest first: what the store must get, then what TAK must get.
func askQueue(q *Queue) (items, outcomes []string, err error) {
	ctx := context.Background()
	unstored, err := q.Unstored(ctx, 1000)
	if err != nil {
		return nil, nil, err
	}
	undelivered, _, err := q.Undelivered(ctx, 0, 1000)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range append(unstored, undelivered...) {
		content, err := contentOf(r)
		if err != nil {
			return nil, nil, err
		}
		items = append(items, content)
	}
	settled, err := q.Unacknowledged(ctx, 1000)
	for _, d := range settled {
		outcomes = append(outcomes, fmt.Sprint(d))
	}
	return items, outcomes, err
}

func crashedQueue(t *testing.T) (crashFiles, []string) {
	t.Helper()
	ctx, dir := t.Context(), scratchDir(t)
	open := func() *Queue { return openQueue(t, QueueOptions{Options: Options{Dir: dir, MinFreeBytes: -1}}) }
	q := open()
	fill := func(from int) {
		for n := from; n < from+30; n += 3 {
			if err := q.Put(ctx, storetest.Queued(n, n+3, false)); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill(0)
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	q = open()
	fill(30)
	files := takeFiles(t, dir, "queue.db", "queue.db-wal", "queue.db-shm", "queue.db.lock")
	want, _, err := askQueue(q)
	if err != nil {
		t.Fatal(err)
	}
	return files, want
}

func meetQueue(files crashFiles, want []string, d damage) (verdict, error) {
	dir, err := files.damaged(d)
	if err != nil {
		return silent, err
	}
	defer os.RemoveAll(dir)
	var log bytes.Buffer
	q, err := OpenQueue(context.Background(), QueueOptions{Options: Options{
		Dir: dir, MinFreeBytes: -1, Fatal: func(error) {}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}})
	if err != nil {
		return told, nil
	}
	got, outcomes, err := askQueue(q)
	aside := len(q.SetAside()) > 0
	_ = q.Close()
	switch {
	case err != nil || aside || strings.Contains(log.String(), "level=ERROR"):
		return told, nil
	case slices.Equal(got, want) && len(outcomes) == 0:
		return harmless, nil
	case len(outcomes) == 0 && isEarlier(got, want):
		return lostEnd, nil
	}
	return silent, nil
}

// isEarlier says that a queue is as it was some commits ago.
func isEarlier(got, want []string) bool {
	n, half := len(got)/2, len(want)/2
	return len(got)%2 == 0 && n <= half && n%3 == 0 &&
		slices.Equal(got[:n], want[:n]) && slices.Equal(got[n:], want[half:half+n])
}
