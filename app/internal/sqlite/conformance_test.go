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
		under.Restart = reopened(t, func() (*sqlite.Store, error) { return sqlite.OpenStore(t.Context(), opts) },
			func(s *sqlite.Store) { under.Store, under.Operations, under.Catalogue = s, s, s })
		return under
	})
}

func TestQueueConformance(t *testing.T) {
	storetest.RunQueue(t, func(t *testing.T) *storetest.QueueUnderTest {
		opts := sqlite.QueueOptions{Options: sqlite.Options{Dir: t.TempDir()}}
		under := &storetest.QueueUnderTest{}
		under.Restart = reopened(t, func() (*sqlite.Queue, error) { return sqlite.OpenQueue(t.Context(), opts) },
			func(q *sqlite.Queue) { under.Queue = q })
		return under
	})
}

// reopened opens a database, hands it to use, and returns what closes it and does both again.
func reopened[T interface{ Close() error }](t *testing.T, open func() (T, error), use func(T)) (restart func()) {
	t.Helper()
	var current T
	start := func() {
		var err error
		if current, err = open(); err != nil {
			t.Fatal(err)
		}
		use(current)
	}
	start()
	t.Cleanup(func() { closed(t, current) })
	return func() {
		closed(t, current)
		start()
	}
}

func closed(t *testing.T, c interface{ Close() error }) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}
