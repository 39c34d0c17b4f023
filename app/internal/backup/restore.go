package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/detection-api/detection-api/app/internal/sqlite"
)

// Restore puts a copy in the place of a data directory's app.db.
type Restore struct {
	Directory Directory
	Name      string // of the copy; empty: the newest
	DataDir   string
	Replace   bool // set a database that is there aside
	Yes       bool // do it; otherwise only what it would do is told
	Now       func() time.Time
	// Tell is told what will happen and what happened, in words for people.
	Tell func(format string, args ...any)
}

// ErrNotConfirmed means that all is well and nothing was changed, because nobody said yes.
var ErrNotConfirmed = errors.New("nothing was changed; give --yes to do it")

// Run restores. It fails while a store has the directory open, when the copy is not sound, and when there is a database
// and Replace is not set. Nothing is ever deleted.
func (r Restore) Run(ctx context.Context) error {
	e, err := r.Directory.Find(r.Name)
	if err != nil {
		return err
	}
	owned, err := sqlite.Own(r.DataDir)
	if err != nil {
		return fmt.Errorf("take the data directory: %w", err)
	}
	defer owned.Close()
	if owned.Occupied() && !r.Replace {
		return fmt.Errorf("%s has an app.db already; give --replace to set it aside", r.DataDir)
	}
	if err := r.Directory.Verify(ctx, e); err != nil {
		return fmt.Errorf("the copy is not sound: %w", err)
	}
	r.foretell(ctx, owned, e.Manifest)
	if !r.Yes {
		return ErrNotConfirmed
	}
	return r.install(ctx, owned, e.Manifest)
}

// foretell says which copy it is, how old it is, and what will be lost.
func (r Restore) foretell(ctx context.Context, owned *sqlite.Owned, m Manifest) {
	r.Tell("copy %s of %s, taken %s ago: %d detections, %d owed to TAK, verified now",
		m.Name, m.Store, r.Now().Sub(m.TakenAt).Round(time.Second), m.Detections, m.Outbox)
	if m.Outbox > 0 {
		r.Tell("what it owes to TAK will be sent again; what was delivered since keeps its uid, so nothing is doubled on the map")
	}
	if !owned.Occupied() {
		r.Tell("%s holds no database: nothing is replaced; what was accepted after the copy is not in it", r.DataDir)
		return
	}
	later, err := owned.Beyond(ctx, m.Census)
	switch {
	case err != nil:
		r.Tell("the present database cannot be read, so what it has beyond the copy is not known: %v", err)
	case !later.Descends:
		r.Tell("the present database does not go on from this copy: all its %d detections will be missing; %s",
			later.Detections, newest(later))
	default:
		r.Tell("will be lost: %d detections and %d audit entries that are newer than the copy; %s",
			later.Detections, later.AuditEntries, newest(later))
	}
}

func newest(l sqlite.Later) string {
	if l.Newest.IsZero() {
		return "there is no detection in it"
	}
	return "the newest one was received " + l.Newest.Format(time.RFC3339)
}

func (r Restore) install(ctx context.Context, owned *sqlite.Owned, m Manifest) error {
	f, err := os.Open(r.Directory.file(m.Name, databaseSuffix))
	if err != nil {
		return err
	}
	defer f.Close()
	suffix := ".replaced-" + r.Now().UTC().Format(timeLayout)
	aside, err := owned.Install(reader{ctx, f}, suffix, func(path string) error { return m.verify(ctx, path) })
	if err != nil {
		return fmt.Errorf("install the copy: %w", err)
	}
	if aside != "" {
		r.Tell("the old database is kept as %s", aside)
	}
	return nil
}
