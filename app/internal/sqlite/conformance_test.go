package sqlite_test

import (
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection/storetest"
	"github.com/detection-api/detection-api/app/internal/sqlite"
)

func TestStoreConformance(t *testing.T) {
	storetest.RunStore(t, func(t *testing.T, now func() time.Time) *storetest.StoreUnderTest {
		opts := sqlite.StoreOptions{Options: sqlite.Options{Dir: t.TempDir(), Now: now}}
		under := &storetest.StoreUnderTest{}
		open := func() *sqlite.Store {
			s, err := sqlite.OpenStore(t.Context(), opts)
			if err != nil {
				t.Fatal(err)
			}
			under.Store = s
			return s
		}
		current := open()
		under.Restart = func() {
			closed(t, current)
			current = open()
		}
		t.Cleanup(func() { closed(t, current) })
		return under
	})
}

func TestQueueConformance(t *testing.T) {
	storetest.RunQueue(t, func(t *testing.T) *storetest.QueueUnderTest {
		opts := sqlite.QueueOptions{Options: sqlite.Options{Dir: t.TempDir()}}
		under := &storetest.QueueUnderTest{}
		open := func() *sqlite.Queue {
			q, err := sqlite.OpenQueue(t.Context(), opts)
			if err != nil {
				t.Fatal(err)
			}
			under.Queue = q
			return q
		}
		current := open()
		under.Restart = func() {
			closed(t, current)
			current = open()
		}
		t.Cleanup(func() { closed(t, current) })
		return under
	})
}

func closed(t *testing.T, c interface{ Close() error }) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}
