package sqlite

import (
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	sqlite3 "github.com/mattn/go-sqlite3"
)

// refused holds that an error is one line with the words.
func refused(t *testing.T, what string, err error, words ...string) {
	t.Helper()
	if err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("%s = %v, want one line", what, err)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%s = %q, want it to say %q", what, err, word)
		}
	}
}

func TestAnOldSQLiteIsRefused(t *testing.T) {
	refused(t, "3.51.2", checkVersion("3.51.2", 3051002), "3.51.2", "build with 3.51.3")
	version, number, _ := sqlite3.Version()
	for v, n := range map[string]int{"3.51.3": 3051003, version: number} { // positive control
		if err := checkVersion(v, n); err != nil {
			t.Errorf("%s: %v", v, err)
		}
	}
}

// TestAWeakConnectionIsRefused opens connections that are not as durable as they are asked to be.
func TestAWeakConnectionIsRefused(t *testing.T) {
	for _, c := range []struct {
		journal, synchronous string
		want                 []string // empty: the positive control
	}{
		{"WAL", "FULL", nil},
		{"WAL", "NORMAL", []string{"synchronous reads back 1", "FULL"}},
		{"WAL", "OFF", []string{"synchronous reads back 0", "FULL"}},
		{"DELETE", "FULL", []string{"journal_mode", "delete", "want wal"}},
	} {
		t.Run(c.journal+" "+c.synchronous, func(t *testing.T) {
			pool := openPool(filepath.Join(t.TempDir(), "x.db"), 1, url.Values{"_journal": {c.journal}, "_sync": {c.synchronous}})
			defer pool.Close()
			conn, err := pin(t.Context(), pool, syncFull)
			if c.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				if err := conn.Close(); err != nil {
					t.Error(err)
				}
				return
			}
			refused(t, "pin", err, c.want...)
		})
	}
}

func TestANetworkFileSystemIsRefused(t *testing.T) {
	for magic, name := range sharedFileSystems {
		var told strings.Builder
		opts := Options{
			Dir: t.TempDir(), Logger: slog.New(slog.NewTextHandler(&told, nil)),
			fileSystem: func(string) (uint32, error) { return magic, nil },
		}
		_, err := OpenStore(t.Context(), StoreOptions{Options: opts})
		refused(t, "OpenStore on "+name, err, name, opts.Dir, "--allow-network-filesystem")
		_, err = OpenQueue(t.Context(), QueueOptions{Options: opts})
		refused(t, "OpenQueue on "+name, err, name)
		opts.AllowNetworkFileSystem = true // positive control
		openStore(t, StoreOptions{Options: opts})
		if !strings.Contains(told.String(), "level=WARN") || !strings.Contains(told.String(), name) {
			t.Errorf("%s was allowed and the log says %q", name, told.String())
		}
	}
}

func TestAContainersLayerIsTold(t *testing.T) {
	var told strings.Builder
	const magicExt4 = 0xef53
	opts := Options{Dir: t.TempDir(), Logger: slog.New(slog.NewTextHandler(&told, nil)), fileSystem: func(string) (uint32, error) { return magicExt4, nil }}
	openStore(t, StoreOptions{Options: opts}) // positive control
	if strings.Contains(told.String(), "volume") {
		t.Errorf("the log says %q", told.String())
	}
	opts.Dir, opts.fileSystem = t.TempDir(), func(string) (uint32, error) { return magicOverlay, nil }
	openStore(t, StoreOptions{Options: opts})
	if !strings.Contains(told.String(), "mount a volume") {
		t.Errorf("the log says %q", told.String())
	}
}
