package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/detection-api/detection-api/app/internal/sqlite"
)

const (
	databaseSuffix = ".db"
	manifestSuffix = ".json"
	partialSuffix  = ".partial"
	timeLayout     = "20060102T150405Z"
)

var namePattern = regexp.MustCompile(`^app-\d{8}T\d{6}Z$`)

func nameAt(t time.Time) string { return "app-" + t.UTC().Format(timeLayout) }

// Manifest says what a copy was when it was verified.
type Manifest struct {
	Name           string    `json:"name"`       // of both files, without what follows the dot
	TakenAt        time.Time `json:"created_at"` // all that was acknowledged before is in it
	VerifiedAt     time.Time `json:"verified_at"`
	Bytes          int64     `json:"bytes"`
	SHA256         string    `json:"sha256"`
	Store          string    `json:"store"` // host of the store, or the data directory
	ServiceVersion string    `json:"service_version"`
	sqlite.Census
}

func readManifest(path string) (Manifest, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return Manifest{}, err
	}
	var m Manifest
	if err := json.Unmarshal(content, &m); err != nil {
		return Manifest{}, fmt.Errorf("read %s: %w", filepath.Base(path), err)
	}
	if m.Name+manifestSuffix != filepath.Base(path) || m.TakenAt.IsZero() || len(m.SHA256) != 2*sha256.Size {
		return Manifest{}, fmt.Errorf("%s is no manifest of a copy", filepath.Base(path))
	}
	return m, nil
}

// write makes the manifest durable under path, which is there already.
func (m Manifest) write(path string) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	return errors.Join(err, f.Sync(), f.Close())
}

// verify reads the database at path from end to end and returns an error unless it is the one that the manifest describes.
func (m Manifest) verify(ctx context.Context, path string) error {
	if err := m.verifyBytes(ctx, path); err != nil {
		return err
	}
	census, err := sqlite.Inspect(ctx, path)
	if err != nil {
		return err
	}
	if census != m.Census {
		return fmt.Errorf("it holds %+v, its manifest has %+v", census, m.Census)
	}
	return nil
}

// verifyBytes compares size and hash only.
func (m Manifest) verifyBytes(ctx context.Context, path string) error {
	bytes, sum, err := digest(ctx, path)
	if err != nil {
		return err
	}
	if bytes != m.Bytes {
		return fmt.Errorf("it has %d bytes, its manifest has %d", bytes, m.Bytes)
	}
	if sum != m.SHA256 {
		return fmt.Errorf("it has SHA-256 %s, its manifest has %s", sum, m.SHA256)
	}
	return nil
}

// digest reads a file. The first thing it does is to ask the kernel to forget what it has cached, so that the disk answers.
func digest(ctx context.Context, path string) (bytes int64, sum string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	dropCache(f)
	hash := sha256.New()
	bytes, err = io.Copy(hash, reader{ctx, f})
	return bytes, hex.EncodeToString(hash.Sum(nil)), err
}

// reader ends with the context.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
