package sqlite

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestADamagedLogOfAQueueIsTold cuts a log and flips a bit of it: what is before is used, the whole is kept aside. The
// positive controls take away what the queue knows of its log, as a machine that stopped does.
func TestADamagedLogOfAQueueIsTold(t *testing.T) {
	files, want := crashedQueue(t)
	size := len(files["queue.db-wal"])
	for _, c := range []struct {
		name    string
		damage  damage
		without string
		want    verdict
	}{
		{"sound", damage{file: "none"}, "", harmless},
		{"the last page cut", damage{"queue.db-wal", size - pageBytes, 0}, "", told},
		{"one byte cut", damage{"queue.db-wal", size - 1, 0}, "", told},
		{"all of it cut", damage{"queue.db-wal", 0, 0}, "", told},
		{"a bit of its header flipped", damage{"queue.db-wal", 17, 4}, "", told},
		{"a bit in the middle flipped", damage{"queue.db-wal", size / 2, 1}, "", told},
		{"a bit of the index flipped", damage{"queue.db-shm", 16, 1}, "", harmless},
		{"cut, without an index", damage{"queue.db-wal", size - 1, 0}, "queue.db-shm", lostEnd},
		{"cut, after a stop of the machine", damage{"queue.db-wal", size - 1, 0}, "queue.db.lock", lostEnd},
	} {
		t.Run(c.name, func(t *testing.T) {
			left := maps.Clone(files)
			delete(left, c.without)
			if got, err := meetQueue(left, want, c.damage); err != nil || got != c.want {
				t.Errorf("verdict %d, %v; want %d", got, err, c.want)
			}
		})
	}
}

func TestADamagedLogIsKeptAside(t *testing.T) {
	files, want := crashedQueue(t)
	cut := files["queue.db-wal"][:len(files["queue.db-wal"])/2]
	dir, err := files.damaged(damage{"queue.db-wal", len(cut), 0})
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for range 2 { // it is told at each start, and kept once
		q := openQueue(t, QueueOptions{Options: Options{Dir: dir, MinFreeBytes: -1}})
		aside := q.SetAside()
		if len(aside) != 1 || !strings.HasPrefix(filepath.Base(aside[0]), "queue.db"+asideMark) {
			t.Fatalf("set aside: %v", aside)
		}
		if kept, err := os.ReadFile(aside[0]); err != nil || !bytes.Equal(kept, cut) {
			t.Errorf("%d bytes are kept of a log of %d: %v", len(kept), len(cut), err)
		}
		if got, _, err := askQueue(q); err != nil || len(got) <= len(want)/2 || !isEarlier(got, want) {
			t.Errorf("%d of %d items are left: %v", len(got), len(want), err)
		}
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	}
}
