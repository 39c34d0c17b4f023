package backup_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/backup"
	"github.com/detection-api/detection-api/app/internal/detection/storetest"
	"github.com/detection-api/detection-api/app/internal/sqlite"
	"github.com/detection-api/detection-api/app/internal/storeapi"
)

const token = "a-token-of-tests"

// rig is a store behind HTTP and a directory for its copies.
type rig struct {
	t       *testing.T
	clock   *storetest.Clock
	dataDir string
	store   *sqlite.Store
	memory  *backup.Memory
	dir     backup.Directory
	handler http.Handler
	client  *storeapi.Client
	said    []string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, clock: storetest.NewClock(), dataDir: t.TempDir(), dir: backup.Directory{Path: t.TempDir()}}
	r.open()
	r.memory = &backup.Memory{Dir: r.dataDir, Now: r.clock.Now}
	r.handler = storeapi.NewServer(storeapi.ServerOptions{
		Store: r.store, Token: token,
		Copy: func(ctx context.Context) (*storeapi.Copy, error) {
			c, err := r.store.Copy(ctx)
			if err != nil {
				return nil, err
			}
			return &storeapi.Copy{ReadCloser: c, Bytes: c.Bytes, TakenAt: c.TakenAt, Took: c.Took, Host: "store-0", Version: "1.2.3"}, nil
		},
		Verified: func(_ context.Context, b storeapi.Backup) error { return r.memory.Remember(b) },
	})
	server := httptest.NewServer(r.handler)
	t.Cleanup(server.Close)
	r.client = r.newClient(server.URL, token)
	return r
}

func (r *rig) newClient(url, token string) *storeapi.Client {
	r.t.Helper()
	c, err := storeapi.NewClient(storeapi.ClientOptions{BaseURL: url, Token: token, Timeout: 10 * time.Second})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	return c
}

func (r *rig) open() {
	r.t.Helper()
	var err error
	if r.store, err = sqlite.OpenStore(r.t.Context(), sqlite.StoreOptions{Options: sqlite.Options{Dir: r.dataDir, Now: r.clock.Now}}); err != nil {
		r.t.Fatal(err)
	}
	store := r.store
	r.t.Cleanup(func() { _ = store.Close() })
}

func (r *rig) commit(from, to int) {
	r.t.Helper()
	if err := r.store.Commit(r.t.Context(), storetest.Records(from, to, "pod-a")); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) tell(format string, args ...any) { r.said = append(r.said, fmt.Sprintf(format, args...)) }

func (r *rig) job(source backup.Source) backup.Job {
	return backup.Job{Source: source, Directory: r.dir, Now: r.clock.Now, Progress: r.tell}
}

// run takes a copy and moves the clock on, so that the next one has another name.
func (r *rig) run() backup.Manifest {
	r.t.Helper()
	m, err := r.job(backup.Remote{Client: r.client}).Run(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	r.clock.Advance(time.Minute)
	return m
}

func (r *rig) restore(change func(*backup.Restore)) error {
	o := backup.Restore{Directory: r.dir, DataDir: r.dataDir, Replace: true, Yes: true, Now: r.clock.Now, Tell: r.tell}
	if change != nil {
		change(&o)
	}
	return o.Run(r.t.Context())
}

func (r *rig) close() {
	r.t.Helper()
	if err := r.store.Close(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) files() []string {
	r.t.Helper()
	found, err := os.ReadDir(r.dir.Path)
	if err != nil {
		r.t.Fatal(err)
	}
	var names []string
	for _, f := range found {
		names = append(names, f.Name())
	}
	return names
}

func (r *rig) detections() int64 {
	r.t.Helper()
	stats, err := r.store.Stats(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return stats.Detections
}

// flip changes one bit in the middle of a file.
func flip(t *testing.T, path string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
