package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/detection-api/detection-api/app/internal/sqlite"
	"github.com/detection-api/detection-api/app/internal/storeapi"
)

// Job takes one copy.
type Job struct {
	Source    Source
	Directory Directory
	Now       func() time.Time
	// Progress is told what happens, in words for people.
	Progress func(format string, args ...any)
}

// Run takes a copy, verifies it by reading it back, keeps it and tells the source. What a failed run leaves does not look
// like a copy.
func (j Job) Run(ctx context.Context) (Manifest, error) {
	if err := os.MkdirAll(j.Directory.Path, 0o750); err != nil {
		return Manifest{}, fmt.Errorf("make backup directory: %w", err)
	}
	name, err := j.Directory.reserve(j.Now())
	if err != nil {
		return Manifest{}, fmt.Errorf("name the copy: %w", err)
	}
	m, took, err := j.take(ctx, name)
	if err != nil {
		removeErr := j.Directory.remove(name+databaseSuffix+partialSuffix, name+manifestSuffix+partialSuffix)
		return Manifest{}, errors.Join(err, removeErr)
	}
	if err := j.publish(m); err != nil {
		return Manifest{}, fmt.Errorf("keep %s: %w", name, err)
	}
	told := storeapi.Backup{
		Name: m.Name, TakenAt: m.TakenAt, VerifiedAt: m.VerifiedAt, Bytes: m.Bytes, SHA256: m.SHA256, CopyMS: took.Milliseconds(),
	}
	if err := j.Source.Verified(ctx, told); err != nil { // the copy is good; an alert on its age errs on the safe side
		j.Progress("the copy is kept, but the store could not be told: %v", err)
	}
	return m, nil
}

// take brings the copy and its manifest to the disk under their .partial names.
func (j Job) take(ctx context.Context, name string) (Manifest, time.Duration, error) {
	path := j.Directory.file(name, databaseSuffix+partialSuffix)
	room := (&progress{room: j.Directory.room, tell: j.Progress, now: j.Now}).ask
	origin, err := j.Source.Copy(ctx, path, room)
	if err != nil {
		return Manifest{}, 0, fmt.Errorf("take copy: %w", err)
	}
	j.Progress("the copy is on the disk; reading it back")
	m := Manifest{Name: name, TakenAt: origin.TakenAt.UTC(), Store: origin.Store, ServiceVersion: origin.Version}
	if m.Bytes, m.SHA256, err = digest(ctx, path); err != nil {
		return Manifest{}, 0, fmt.Errorf("read copy: %w", err)
	}
	if m.Census, err = sqlite.Inspect(ctx, path); err != nil {
		return Manifest{}, 0, fmt.Errorf("verify copy: %w", err)
	}
	m.VerifiedAt = j.Now().UTC()
	if err := m.write(j.Directory.file(name, manifestSuffix+partialSuffix)); err != nil {
		return Manifest{}, 0, fmt.Errorf("write manifest: %w", err)
	}
	return m, origin.Took, j.Directory.sync()
}

// publish gives the files their names, the database last: its name says that it is complete.
func (j Job) publish(m Manifest) error {
	for _, suffix := range []string{manifestSuffix, databaseSuffix} {
		to := j.Directory.file(m.Name, suffix)
		if err := os.Rename(to+partialSuffix, to); err != nil {
			return err
		}
		if err := j.Directory.sync(); err != nil {
			return err
		}
	}
	return nil
}

// progress tells now and then how far a copy is, beside asking whether there is room.
type progress struct {
	room  func(bytes int64) error
	tell  func(format string, args ...any)
	now   func() time.Time
	total int64
	told  time.Time
}

func (p *progress) ask(left int64) error {
	if p.total == 0 {
		p.total, p.told = left, p.now()
	}
	if now := p.now(); now.Sub(p.told) >= 5*time.Second {
		p.told = now
		p.tell("%d of %d MiB copied", (p.total-left)>>20, p.total>>20)
	}
	return p.room(left)
}
