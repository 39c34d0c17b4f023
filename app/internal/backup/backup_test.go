package backup_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/backup"
	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/detection/storetest"
)

// TestThereAndBack is the restore drill: what was in the store when the copy was taken is what comes back.
func TestThereAndBack(t *testing.T) {
	r := newRig(t)
	r.commit(0, 200)
	if err := r.store.Acknowledge(t.Context(), storetest.Deliveries(0, 50, detection.Delivered, r.clock.Now())); err != nil {
		t.Fatal(err)
	}
	m := r.run()
	if m.Detections != 200 || m.Outbox != 150 || m.AuditEntries != 250 || m.Store != "store-0" || m.ServiceVersion != "1.2.3" {
		t.Errorf("manifest %+v", m)
	}
	if got := r.files(); !slices.Equal(got, []string{m.Name + ".db", m.Name + ".json"}) {
		t.Errorf("files %v", got)
	}
	if b, ok := r.memory.Newest(); !ok || !b.TakenAt.Equal(m.TakenAt) || b.SHA256 != m.SHA256 {
		t.Errorf("the store knows of %+v, %v", b, ok)
	}
	r.commit(200, 203) // newer than the copy
	if err := r.restore(nil); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Fatalf("restore over a live store = %v", err)
	}
	r.close()
	if err := r.restore(func(o *backup.Restore) { o.Replace = false }); err == nil || !strings.Contains(err.Error(), "--replace") {
		t.Fatalf("restore over a database = %v", err)
	}
	if err := r.restore(func(o *backup.Restore) { o.Yes = false }); !errors.Is(err, backup.ErrNotConfirmed) {
		t.Fatalf("restore without yes = %v", err)
	}
	r.open()
	if n := r.detections(); n != 203 {
		t.Fatalf("after refusals there are %d detections, want 203", n)
	}
	r.close()
	r.said = nil
	if err := r.restore(nil); err != nil {
		t.Fatal(err)
	}
	if said := strings.Join(r.said, "\n"); !strings.Contains(said, "will be lost: 3 detections and 3 audit entries") || !strings.Contains(said, "1m0s ago") {
		t.Errorf("it said %q", said)
	}
	r.open()
	if n := r.detections(); n != 200 {
		t.Errorf("restored %d detections, want 200", n)
	}
	for n := range 200 {
		if got, err := r.store.Get(t.Context(), storetest.ID(n)); err != nil || got.Detection.ID != storetest.ID(n) {
			t.Fatalf("detection %d: %+v, %v", n, got, err)
		}
	}
	r.commit(300, 301) // the chain goes on
	if aside, _ := filepath.Glob(filepath.Join(r.dataDir, "app.db.replaced-*")); len(aside) == 0 {
		t.Error("the old database is gone")
	}
}

// TestDamagedCopiesAreRefused flips a bit and cuts the tail of a copy: verify, restore and list say no. The sound copy is
// the control.
func TestDamagedCopiesAreRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, path string)
		bad    bool
	}{
		{"sound", func(*testing.T, string) {}, false},
		{"a flipped bit", flip, true},
		{"cut", func(t *testing.T, path string) {
			if err := os.Truncate(path, 8192); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"without its manifest", func(t *testing.T, path string) {
			if err := os.Remove(strings.TrimSuffix(path, ".db") + ".json"); err != nil {
				t.Fatal(err)
			}
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.commit(0, 50)
			m := r.run()
			r.close()
			c.damage(t, filepath.Join(r.dir.Path, m.Name+".db"))
			e, err := r.dir.Find(m.Name)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.dir.Verify(t.Context(), e); (err != nil) != c.bad {
				t.Errorf("Verify = %v", err)
			}
			if err := r.restore(func(o *backup.Restore) { o.Name = m.Name + ".db" }); (err != nil) != c.bad {
				t.Errorf("restore = %v", err)
			}
			if aside, _ := filepath.Glob(filepath.Join(r.dataDir, "app.db.replaced-*")); (len(aside) == 0) != c.bad {
				t.Errorf("set aside: %v", aside)
			}
		})
	}
}

// TestCopyUnderLoad commits through the whole job: what was acknowledged before it began is in the copy.
func TestCopyUnderLoad(t *testing.T) {
	r := newRig(t)
	r.commit(0, 3000)
	stop := make(chan struct{})
	var acked atomic.Int64
	var all sync.WaitGroup
	for caller := range 4 {
		all.Go(func() {
			for n := 1_000_000 * (caller + 1); ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := r.store.Commit(t.Context(), storetest.Records(n, n+1, "pod-a")); err != nil {
					t.Error(err)
					return
				}
				acked.Add(1)
			}
		})
	}
	for acked.Load() < 20 { // they are under way
	}
	before := 3000 + acked.Load()
	m := r.run()
	close(stop)
	all.Wait()
	if m.Detections < before {
		t.Errorf("%d were acknowledged before, the copy has %d", before, m.Detections)
	}
}

// TestTwoRunsOfOneSecond take a name each.
func TestTwoRunsOfOneSecond(t *testing.T) {
	r := newRig(t)
	job := r.job(backup.Local{DataDir: r.dataDir, Now: r.clock.Now})
	for range 2 {
		if _, err := job.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.files(); len(got) != 4 {
		t.Errorf("files %v", got)
	}
}

func TestRunOfADataDirectory(t *testing.T) {
	r := newRig(t)
	r.commit(0, 20)
	local := backup.Local{DataDir: r.dataDir, Version: "1", Now: r.clock.Now}
	for _, running := range []bool{true, false} {
		if !running {
			r.close()
		}
		m, err := r.job(local).Run(t.Context())
		if err != nil || m.Detections != 20 {
			t.Errorf("running %v: %+v, %v", running, m, err)
		}
		if b, ok := r.memory.Newest(); !ok || b.Name != m.Name {
			t.Errorf("running %v: the directory knows of %+v", running, b)
		}
		r.clock.Advance(time.Minute)
	}
	if _, err := r.job(backup.Local{DataDir: t.TempDir(), Now: r.clock.Now}).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "no app.db") {
		t.Errorf("Run of an empty directory = %v", err)
	}
}
