package server_test

import (
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/detection-api/detection-api/app/internal/server"
)

// TestDiskFull fills a small file system of its own under the service: 507 and nothing stored while there is no room, 201
// again as soon as there is, in the same process, and everything that was acknowledged is still there.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		t.Skipf("needs the right to mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	cfg := serveConfig(t, filepath.Join(dir, "data"))
	cfg.MinFreeBytes = 4 << 20
	s, err := server.NewServe(t.Context(), cfg)
	c := newClient(t, cfg, start(t, s, err).url)
	before := c.post(sample)
	if before.StatusCode != http.StatusCreated {
		t.Fatalf("with room: %d", before.StatusCode)
	}
	filler := filepath.Join(dir, "filler")
	fill(t, filler)
	var refused *http.Response
	eventually(t, "a refusal for want of room", func() bool {
		refused = c.post(sample)
		return refused.StatusCode == http.StatusInsufficientStorage
	})
	if refused.Header.Get("Retry-After") == "" || refused.Header.Get("X-Detection-ID") != "" {
		t.Errorf("headers of the refusal: %v; want Retry-After and no id", refused.Header)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	eventually(t, "acceptance after room was made", func() bool { return c.post(sample).StatusCode == http.StatusCreated })
	if status, _ := c.get("/api/v1/detections/" + before.Header.Get("X-Detection-ID")); status != http.StatusOK {
		t.Errorf("what was acknowledged before: %d", status)
	}
}

// fill writes a file until the file system has no room left.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	chunk := make([]byte, 1<<16)
	for {
		if _, err := f.Write(chunk); err != nil {
			return
		}
	}
}
