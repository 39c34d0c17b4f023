package backup

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/storeapi"
)

// Memory is what a store knows of its newest verified copy: a small file beside app.db, so that it survives restarts and
// is no part of the copies. It may be used concurrently.
type Memory struct {
	Dir string
	Now func() time.Time

	mu sync.Mutex
}

// maxAheadOf is how far a backup job's clock may be ahead of the store's. A time in the far future would silence the alert
// on the age for good.
const maxAheadOf = 5 * time.Minute

// Remember keeps b if it is newer than what is known.
func (m *Memory) Remember(b storeapi.Backup) error {
	switch {
	case !namePattern.MatchString(b.Name):
		return detection.Invalid("name", "%q is not the name of a copy", b.Name)
	case b.TakenAt.IsZero() || b.VerifiedAt.Before(b.TakenAt.Add(-maxAheadOf)):
		return detection.Invalid("verified_at", "%v is before taken_at, %v", b.VerifiedAt, b.TakenAt)
	case b.TakenAt.After(m.Now().Add(maxAheadOf)):
		return detection.Invalid("taken_at", "%v is in the future", b.TakenAt)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if known, ok := m.Newest(); ok && !b.TakenAt.After(known.TakenAt) {
		return nil
	}
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return m.replace(text)
}

func (m *Memory) path() string { return filepath.Join(m.Dir, "last-backup.json") }

func (m *Memory) replace(text []byte) error {
	fresh := m.path() + partialSuffix
	f, err := os.OpenFile(fresh, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(fresh, m.path()); err != nil {
		return err
	}
	return Directory{m.Dir}.sync()
}

// Newest returns the newest verified copy that the store was told of; false when there is none.
func (m *Memory) Newest() (storeapi.Backup, bool) {
	var b storeapi.Backup
	text, err := os.ReadFile(m.path())
	if err != nil || json.Unmarshal(text, &b) != nil {
		return storeapi.Backup{}, false
	}
	return b, true
}
