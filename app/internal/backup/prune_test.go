package backup_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/backup"
	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/storeapi"
)

const month = 30 * 24 * time.Hour

func prune(t *testing.T, r *rig) []string {
	t.Helper()
	removed, err := r.dir.Prune(t.Context(), month, r.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return removed
}

func TestPruneKeepsTheNewestSoundCopy(t *testing.T) {
	r := newRig(t)
	first, second, third := r.run(), r.run(), r.run()
	if removed := prune(t, r); len(removed) > 0 {
		t.Errorf("young copies were removed: %v", removed)
	}
	r.clock.Advance(2 * month)
	flip(t, filepath.Join(r.dir.Path, third.Name+".db")) // the newest is rotten: the one before it counts
	if removed := prune(t, r); !slices.Equal(removed, []string{third.Name, first.Name}) {
		t.Errorf("removed %v, want all but %s", removed, second.Name)
	}
	if removed := prune(t, r); len(removed) > 0 {
		t.Errorf("the last copy was removed: %v", removed)
	}
	fourth := r.run()
	if removed := prune(t, r); !slices.Equal(removed, []string{second.Name}) { // positive control: it may go now
		t.Errorf("removed %v beside the new %s, want %s", removed, fourth.Name, second.Name)
	}
}

func TestPruneRemovesNothingWhenNothingIsSound(t *testing.T) {
	r := newRig(t)
	for range 2 {
		flip(t, filepath.Join(r.dir.Path, r.run().Name+".db"))
	}
	r.clock.Advance(2 * month)
	removed, err := r.dir.Prune(t.Context(), month, r.clock.Now())
	if err == nil || len(removed) > 0 || strings.Contains(err.Error(), "\n") {
		t.Errorf("Prune = %v, %v; want nothing removed and one line", removed, err)
	}
}

// TestLeftoversAreNoCopies shows the files that a crash leaves at each step of a run: none is listed, found or verified,
// and they go after a day.
func TestLeftoversAreNoCopies(t *testing.T) {
	const name = "app-20260630T020000Z"
	for step, files := range map[string][]string{
		"while it is written":    {name + ".db.partial"},
		"while SQLite writes it": {name + ".db.partial", name + ".db.partial-journal"},
		"verified":               {name + ".db.partial", name + ".json.partial"},
		"the manifest has it":    {name + ".db.partial", name + ".json"},
	} {
		t.Run(step, func(t *testing.T) {
			r := newRig(t)
			for _, file := range append(files, "notes.txt") {
				path := filepath.Join(r.dir.Path, file)
				if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Chtimes(path, r.clock.Now(), r.clock.Now()); err != nil {
					t.Fatal(err)
				}
			}
			if entries, leftovers, err := r.dir.List(); err != nil || len(entries) > 0 || !slices.Equal(leftovers, files) {
				t.Errorf("List = %v, %v, %v", entries, leftovers, err)
			}
			if e, err := r.dir.Find(""); err == nil {
				t.Errorf("Find = %+v", e)
			}
			r.clock.Advance(23 * time.Hour)
			if removed := prune(t, r); len(removed) > 0 {
				t.Errorf("removed what a run may still be writing: %v", removed)
			}
			r.clock.Advance(2 * time.Hour)
			if removed := prune(t, r); !slices.Equal(removed, files) {
				t.Errorf("removed %v, want %v", removed, files)
			}
			if left := r.files(); !slices.Equal(left, []string{"notes.txt"}) {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func TestMemory(t *testing.T) {
	r := newRig(t)
	m := &backup.Memory{Dir: t.TempDir(), Now: r.clock.Now}
	if _, ok := m.Newest(); ok {
		t.Error("there is a newest one before the first")
	}
	at := func(d time.Duration) storeapi.Backup {
		then := r.clock.Now().Add(d)
		return storeapi.Backup{Name: "app-20260701T120000Z", TakenAt: then, VerifiedAt: then}
	}
	for _, d := range []time.Duration{-2 * time.Hour, -time.Hour, -3 * time.Hour} { // the last one is older and changes nothing
		if err := m.Remember(at(d)); err != nil {
			t.Fatal(err)
		}
	}
	again := &backup.Memory{Dir: m.Dir, Now: r.clock.Now} // a restart
	if b, ok := again.Newest(); !ok || !b.TakenAt.Equal(r.clock.Now().Add(-time.Hour)) {
		t.Errorf("Newest = %+v, %v", b, ok)
	}
	future, nameless, unverified := at(time.Hour), at(0), at(0)
	nameless.Name = "../x"
	unverified.VerifiedAt = time.Time{}
	for _, b := range []storeapi.Backup{future, nameless, unverified} {
		if err := m.Remember(b); detection.CodeOf(err) != detection.CodeInvalidField {
			t.Errorf("Remember(%+v) = %v, want a refusal", b, err)
		}
	}
}
