package server

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// TestOldPicturesGo holds that a picture goes soon after it is too old, while no other one comes.
func TestOldPicturesGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, strings.Repeat("0a", 32))
		if err := os.WriteFile(path, []byte("pixels"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Now(), time.Now()); err != nil { // the file's clock is not that of the test
			t.Fatal(err)
		}
		s := &Server{}
		cfg := ServeConfig{PicturesDir: dir, PicturesMaxBytes: 1 << 20, PicturesMaxAge: 24 * time.Hour}
		cfg.Logger, cfg.Now = slog.New(slog.DiscardHandler), time.Now
		if _, err := s.pictureKeeper(cfg, prometheus.NewRegistry()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(23*time.Hour + 59*time.Minute)
		synctest.Wait()
		if _, err := os.Stat(path); err != nil {
			t.Errorf("before its age: %v", err)
		}
		time.Sleep(pruneEvery + time.Minute)
		synctest.Wait()
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("after its age: %v", err)
		}
		if err := s.closers.closeAll(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
