package crashvfs

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
)

// nothing and everything are the two ends of what may become of what was not synced.
func nothing() Fate    { return Fate{Rand: rand.New(rand.NewPCG(1, 1))} }
func everything() Fate { return Fate{Rand: rand.New(rand.NewPCG(1, 1)), Keep: 1} }

func TestImagesHoldWhatWasSynced(t *testing.T) {
	base := Event{Kind: Base, File: 1, Name: "a", done: 1}
	write := Event{Kind: Write, File: 1, Name: "a", Data: []byte("new"), done: 2}
	for _, c := range []struct {
		name      string
		log       Log
		none, all string // with nothing and everything of what was not synced; "-" when the file is not there
	}{
		{"a write", Log{base, write}, "", "new"},
		{"a synced write", Log{base, write, {Kind: Sync, File: 1, done: 3}}, "new", "new"},
		{"a sync of another file", Log{base, write, {Kind: Sync, File: 2, done: 3}}, "", "new"},
		{"a sync that has not returned", Log{base, write, {Kind: Sync, File: 1}}, "", "new"},
		{"a sync that began before the write was over", Log{base, {Kind: Write, File: 1, Data: []byte("new"), done: 3}, {Kind: Sync, File: 1, done: 3}}, "", "new"},
		{"a sync after one that failed", Log{base, write, {Kind: Sync, File: 1, failed: true}, {Kind: Sync, File: 1, done: 4}}, "", "new"},
		{"a truncation", Log{base, write, {Kind: Sync, File: 1, done: 3}, {Kind: Truncate, File: 1, Offset: 1, done: 4}}, "new", "n"},
		{"a new name", Log{{Kind: Create, File: 1, Name: "a", done: 1}}, "-", ""},
		{"a new name in a synced directory", Log{{Kind: Create, File: 1, Name: "a", done: 1}, {Kind: Sync, File: 2, SyncsDir: true, done: 2}}, "", ""},
		{"a deletion", Log{base, {Kind: Delete, File: 1, Name: "a", done: 2}}, "", "-"},
		{"a deletion that synced the directory", Log{base, {Kind: Delete, File: 1, Name: "a", SyncsDir: true, done: 2}}, "-", "-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for what, fate := range map[string]Fate{c.none: nothing(), c.all: everything()} {
				data, there := c.log.Image(len(c.log), fate)["a"]
				if got := string(data); there != (what != "-") || there && got != what {
					t.Errorf("keep %v: %q, there %v; want %q", fate.Keep, got, there, what)
				}
			}
		})
	}
}

func TestImagesTearWrites(t *testing.T) {
	log := Log{
		{Kind: Base, File: 1, Name: "a", Data: bytes.Repeat([]byte("."), 4096), done: 1},
		{Kind: Write, File: 1, Name: "a", Offset: 100, Data: bytes.Repeat([]byte("x"), 3000), done: 2},
	}
	fate := Fate{Rand: rand.New(rand.NewPCG(1, 1)), Keep: 0.5, Torn: true}
	seen := map[string]bool{}
	for range 200 {
		data := log.Image(2, fate)["a"]
		if len(data) != 4096 || strings.Trim(string(data[:100])+string(data[3100:]), ".") != "" {
			t.Fatal("bytes changed that nobody wrote")
		}
		for from := 512; from < 3072; from += sectorBytes {
			if piece := data[from : from+sectorBytes]; piece[0] != piece[sectorBytes-1] {
				t.Fatalf("the sector at %d is torn", from)
			}
		}
		seen[string(data)] = true
	}
	if len(seen) < 50 { // of 128
		t.Errorf("only %d different images", len(seen))
	}
}

// TestOnlyTestsLinkIt looks at every import of the application.
func TestOnlyTestsLinkIt(t *testing.T) {
	users := 0
	err := filepath.WalkDir("../../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return nil // not Go for the compiler either
		}
		for _, spec := range file.Imports {
			if !strings.HasSuffix(spec.Path.Value, `/sqlite/crashvfs"`) {
				continue
			}
			if users++; !strings.HasSuffix(path, "_test.go") {
				t.Errorf("%s imports a package for tests", path)
			}
		}
		return nil
	})
	if err != nil || users == 0 {
		t.Errorf("found %d users, %v", users, err)
	}
}
