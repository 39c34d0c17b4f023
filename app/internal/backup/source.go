package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/sqlite"
	"github.com/detection-api/detection-api/app/internal/storeapi"
)

// Source is where copies come from.
type Source interface {
	// Copy writes the database to the new file path, synced. room is asked before and while it writes, with the bytes
	// that are still to come.
	Copy(ctx context.Context, path string, room func(bytes int64) error) (Origin, error)
	// Verified is told of a copy that is kept.
	Verified(ctx context.Context, b storeapi.Backup) error
}

// Origin says where a copy comes from.
type Origin struct {
	Store   string
	Version string
	TakenAt time.Time
	Took    time.Duration // to make it, while the store went on
}

// Remote is a store behind HTTP.
type Remote struct {
	Client *storeapi.Client
	// Wait is how long a store that cannot be reached is asked again. Default: not at all.
	Wait time.Duration
	// Pause is the time between two attempts. Default 5 s.
	Pause time.Duration
}

// Copy implements Source.
func (r Remote) Copy(ctx context.Context, path string, room func(bytes int64) error) (Origin, error) {
	c, err := r.ask(ctx)
	if err != nil {
		return Origin{}, err
	}
	defer c.Close()
	if err := room(c.Bytes); err != nil {
		return Origin{}, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return Origin{}, err
	}
	_, err = io.Copy(&askingWriter{f: f, left: c.Bytes, room: room}, c)
	err = errors.Join(err, f.Sync(), f.Close())
	return Origin{Store: c.Host, Version: c.Version, TakenAt: c.TakenAt, Took: c.Took}, err
}

// ask repeats itself while the store makes a copy for somebody else, and for some time while it is away.
func (r Remote) ask(ctx context.Context) (*storeapi.Copy, error) {
	pause := r.Pause
	if pause <= 0 {
		pause = 5 * time.Second
	}
	began := time.Now()
	for {
		c, err := r.Client.Copy(ctx)
		code := detection.CodeOf(err)
		again := code == detection.CodeConflict || code == detection.CodeUnavailable && time.Since(began) < r.Wait
		if err == nil || !again {
			return c, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(pause):
		}
	}
}

// askingWriter asks for room with each part.
type askingWriter struct {
	f    *os.File
	left int64
	room func(bytes int64) error
}

func (w *askingWriter) Write(p []byte) (int, error) {
	if err := w.room(w.left); err != nil {
		return 0, err
	}
	n, err := w.f.Write(p)
	w.left -= int64(n)
	return n, err
}

// Verified implements Source.
func (r Remote) Verified(ctx context.Context, b storeapi.Backup) error {
	return r.Client.Verified(ctx, b)
}

// Local is a data directory of this machine. The service may be running on it.
type Local struct {
	DataDir string
	Version string
	Now     func() time.Time
}

// Copy implements Source.
func (l Local) Copy(ctx context.Context, path string, room func(bytes int64) error) (Origin, error) {
	dir, err := filepath.Abs(l.DataDir)
	if err != nil {
		return Origin{}, err
	}
	if !exists(filepath.Join(dir, "app.db")) {
		return Origin{}, fmt.Errorf("there is no app.db in %s", dir)
	}
	began := l.Now()
	err = sqlite.CopyTo(ctx, dir, path, room)
	return Origin{Store: dir, Version: l.Version, TakenAt: began, Took: l.Now().Sub(began)}, err
}

// Verified implements Source.
func (l Local) Verified(_ context.Context, b storeapi.Backup) error {
	return (&Memory{Dir: l.DataDir, Now: l.Now}).Remember(b)
}
