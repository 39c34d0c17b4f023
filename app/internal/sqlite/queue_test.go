package sqlite

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/detection/storetest"
)

func openQueue(t testing.TB, opts QueueOptions) *Queue {
	t.Helper()
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	q, err := OpenQueue(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

func TestAQueueAtItsCapRefusesAndReusesItsPages(t *testing.T) {
	q := openQueue(t, QueueOptions{MaxBytes: 2 << 20})
	n, biggest := 0, int64(0)
	for round := range 3 {
		start := n
		var err error
		for ; err == nil; n += 10 {
			err = q.Put(t.Context(), storetest.Queued(n, n+10, false))
		}
		n -= 10
		if !errors.Is(err, detection.ErrFull) || !q.Depth().Full || !errors.Is(q.Ready(t.Context()), detection.ErrFull) {
			t.Fatalf("Put over the cap = %v, full %v, ready %v", err, q.Depth().Full, q.Ready(t.Context()))
		}
		if stored := int64(n - start); q.Depth().Undelivered != stored || q.Depth().Unstored != stored || stored < 500 {
			t.Fatalf("round %d: depth %+v after %d records", round, q.Depth(), stored)
		}
		size := q.backlog.pages.Load() * pageBytes
		if round > 0 && size > biggest+biggest/20 {
			t.Errorf("round %d: the file grew from %d to %d bytes", round, biggest, size)
		}
		biggest = max(biggest, size)

		finish(t, q, start, start+20) // a little room is not enough: the flag must not flap
		if err := q.Put(t.Context(), storetest.Queued(n, n+1, false)); !errors.Is(err, detection.ErrFull) {
			t.Errorf("Put just below the cap = %v, want ErrFull", err)
		}
		finish(t, q, start+20, n)
		if q.Depth().Full || q.Ready(t.Context()) != nil {
			t.Errorf("round %d: still full when empty: %+v", round, q.Depth())
		}
	}
}

func finish(t testing.TB, q *Queue, from, to int) {
	t.Helper()
	for ; from < to; from += 256 {
		end := min(from+256, to)
		ids := storetest.IDs(from, end)
		if err := errors.Join(
			q.MarkStored(t.Context(), ids),
			q.MarkDelivered(t.Context(), storetest.Deliveries(from, end, detection.Delivered, time.Now())),
			q.MarkAcknowledged(t.Context(), ids),
		); err != nil {
			t.Fatal(err)
		}
	}
}

func TestADamagedQueueIsSetAside(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(path string) error
	}{
		{"header", func(path string) error { return overwrite(path, 0, 100) }},
		{"pages in the middle", func(path string) error { return overwrite(path, 5*pageBytes, 3*pageBytes) }},
		{"half of the file is missing", func(path string) error { return os.Truncate(path, sizeOf(path)/2) }},
		{"emptied, with a log", func(path string) error {
			return errors.Join(os.Truncate(path, 0), os.WriteFile(path+"-wal", []byte("acknowledged"), 0o600))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log bytes.Buffer
			opts := QueueOptions{Options: Options{Dir: t.TempDir(), Logger: slog.New(slog.NewTextHandler(&log, nil))}}
			q := openQueue(t, opts)
			path := q.file.path
			if err := errors.Join(q.Put(t.Context(), storetest.Queued(0, 200, false)), q.Close()); err != nil {
				t.Fatal(err)
			}
			if err := c.damage(path); err != nil {
				t.Fatal(err)
			}
			want := sizeOf(path) + sizeOf(path+"-wal")
			q = openQueue(t, opts)
			if got := q.Depth(); got.Undelivered != 0 {
				t.Errorf("depth = %+v, want an empty queue", got)
			}
			if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), asideMark) {
				t.Errorf("the log does not tell: %q", log.String())
			}
			aside := q.SetAside()
			if len(aside) != 1 || sizeOf(aside[0])+sizeOf(aside[0]+"-wal") != want {
				t.Errorf("set aside %v with %d bytes, want %d", aside, sizeOf(aside[0]), want)
			}
			if err := errors.Join(q.Put(t.Context(), storetest.Queued(0, 1, false)), q.Close()); err != nil {
				t.Fatal(err)
			}
			if q = openQueue(t, opts); len(q.SetAside()) != 1 || q.Depth().Undelivered != 1 {
				t.Errorf("after a restart: set aside %v, depth %+v; want it still shown and the new queue kept", q.SetAside(), q.Depth())
			}
		})
	}
}

func TestASoundQueueIsNotSetAside(t *testing.T) {
	opts := QueueOptions{Options: Options{Dir: t.TempDir()}}
	q := openQueue(t, opts)
	if err := errors.Join(q.Put(t.Context(), storetest.Queued(0, 200, false)), q.Close()); err != nil {
		t.Fatal(err)
	}
	if q = openQueue(t, opts); len(q.SetAside()) != 0 || q.Depth().Undelivered != 200 {
		t.Errorf("set aside %v, depth %+v", q.SetAside(), q.Depth())
	}
}

func overwrite(path string, at, n int) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(bytes.Repeat([]byte{0xA5}, n), int64(at))
	return errors.Join(err, f.Close())
}

func TestDepthCountsTheLog(t *testing.T) {
	q := openQueue(t, QueueOptions{})
	if err := q.Put(t.Context(), storetest.Queued(0, 100, false)); err != nil {
		t.Fatal(err)
	}
	if got := q.Depth().Bytes; got < 100*500 {
		t.Errorf("Bytes = %d, want at least the payload", got)
	}
}

// TestAnUnreadableItemBlocksNoOther holds that an item whose JSON was damaged, which no check of the file finds, stays
// counted and is passed over.
func TestAnUnreadableItemBlocksNoOther(t *testing.T) {
	var log bytes.Buffer
	q := openQueue(t, QueueOptions{Options: Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}})
	if err := q.Put(t.Context(), storetest.Queued(0, 10, false)); err != nil {
		t.Fatal(err)
	}
	if _, err := shell(t, q.file.path).Exec(`UPDATE items SET record = x'7b' WHERE pos IN (1, 4)`); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		unstored, err := q.Unstored(t.Context(), 5)
		if err != nil || len(unstored) != 5 || unstored[0].Detection.ID != storetest.IDs(1, 2)[0] {
			t.Errorf("Unstored = %d records, %v; want the 5 from the second on", len(unstored), err)
		}
		owed, last, err := q.Undelivered(t.Context(), 0, 100)
		if err != nil || len(owed) != 8 || last != 10 {
			t.Errorf("Undelivered = %d records up to %d, %v; want 8 up to 10", len(owed), last, err)
		}
	}
	if got := q.Depth(); got.Undelivered != 10 || got.Unstored != 10 {
		t.Errorf("depth %+v, want 10 and 10", got)
	}
	if got := strings.Count(log.String(), "level=ERROR"); got != 2 {
		t.Errorf("%d complaints, want one for each item:\n%s", got, log.String())
	}
}

// TestCopiesLeaveRoom holds that what the store has too cannot fill the queue: it stays ready and takes what is only here.
func TestCopiesLeaveRoom(t *testing.T) {
	q := openQueue(t, QueueOptions{MaxBytes: 2 << 20})
	n := 0
	var err error
	for ; err == nil; n += 10 {
		err = q.Put(t.Context(), storetest.Queued(n, n+10, true))
	}
	if !errors.Is(err, detection.ErrFull) || n < 250 {
		t.Fatalf("Put of %d copies = %v, want ErrFull at about half of the cap", n, err)
	}
	if q.Depth().Full || q.Ready(t.Context()) != nil {
		t.Errorf("full %v, ready %v after copies only", q.Depth().Full, q.Ready(t.Context()))
	}
	if err := q.Put(t.Context(), storetest.Queued(n, n+250, false)); err != nil {
		t.Errorf("Put of records that are nowhere else = %v", err)
	}
}

func TestQueueGet(t *testing.T) {
	queue := openQueue(t, QueueOptions{Options: Options{Dir: t.TempDir()}})
	items := storetest.Queued(0, 3, false)
	if err := queue.Put(t.Context(), items); err != nil {
		t.Fatal(err)
	}
	want := items[1].Record.Detection.ID
	if got, err := queue.Get(t.Context(), want); err != nil || got.Detection.ID != want {
		t.Errorf("got %q, %v; want %q", got.Detection.ID, err, want)
	}
	if _, err := queue.Get(t.Context(), "no such id"); !errors.Is(err, detection.ErrNotFound) {
		t.Errorf("unknown id: %v, want ErrNotFound", err)
	}
}
