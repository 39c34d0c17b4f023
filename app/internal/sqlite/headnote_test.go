package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheLastCommitIsNoted opens a store without its database, with an older one and with a note that is old or unreadable.
func TestTheLastCommitIsNoted(t *testing.T) {
	files, want, _ := crashedStore(t)
	older, _, err := newestHead(files["app.db-head"], -1)
	if err != nil {
		t.Fatal(err)
	}
	newer, _, err := newestHead(files["app.db-head"], 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, file string
		content    []byte
		refused    string
	}{
		{"no database", "app.db", nil, "restore a copy"},
		{"no log", "app.db-wal", nil, "was committed and is not there"},
		{"a note of later", "app.db-head", newer, "was committed and is not there"},
		{"a note of the same place in another trail", "app.db-head", older, "was committed and is not there"},
		{"an unreadable note", "app.db-head", []byte("x"), ""},
		{"an empty note", "app.db-head", []byte{}, ""},
		{"no note", "app.db-head", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for file, content := range files {
				if file == c.file {
					content = c.content
				}
				if content == nil || c.file == "app.db" && file == "app.db-wal" {
					continue
				}
				if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s, err := OpenStore(t.Context(), StoreOptions{Options: Options{Dir: dir, MinFreeBytes: -1}})
			if c.refused != "" {
				if err == nil || !strings.Contains(err.Error(), c.refused) || strings.Contains(err.Error(), "\n") {
					t.Errorf("OpenStore = %v, want one line with %q", err, c.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, err := askStore(s); err != nil || !got.equal(want) {
				t.Errorf("answers differ: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// newestHead is a note like the given one about an entry that is by further.
func newestHead(note []byte, by int64) (content []byte, h head, err error) {
	if _, err = fmt.Sscanf(string(note), "%d %s", &h.seq, &h.hash); err != nil {
		return nil, h, err
	}
	h.seq += by
	return h.encode(), h, nil
}
