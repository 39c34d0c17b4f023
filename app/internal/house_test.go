package internal_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/detection-api/detection-api/app/internal/"

// house says which packages of the service each package may import, tests included. What is not here does not exist.
var house = map[string][]string{
	"geo":         {},
	"terrain":     {"geo"},
	"groupcommit": {},
	"token":       {},
	"torture":     {}, // any test may import it, and nothing else
	"detection":   {"geo"},
	"cot":         {"detection", "geo"},
	"tak":         {"detection"},
	"sqlite":      {"detection", "groupcommit", "geo"},
	"storeapi":    {"detection", "groupcommit", "geo", "sqlite"}, // sqlite in tests only: see TestSiblings
	"httpapi":     {"detection", "geo"},
	"relay":       {"detection", "geo"},
	"track":       {"detection", "geo"},
	"pictures":    {"detection"},
	"backup":      {"detection", "geo", "sqlite", "storeapi"}, // above the adapters, as server is
	"server":      {"backup", "cot", "detection", "geo", "httpapi", "pictures", "relay", "sqlite", "storeapi", "tak", "token", "track"},
}

// TestHouse holds every import against the table: geo <- detection <- adapters <- backup <- server <- cmd.
func TestHouse(t *testing.T) {
	for path, imports := range importsBelow(t, ".") {
		pkg, _, _ := strings.Cut(path, "/")
		allowed, known := house[pkg]
		if !known {
			t.Errorf("%s: package %s is not in the house; add it on purpose", path, pkg)
		}
		if strings.HasSuffix(path, "_test.go") {
			allowed = append(slices.Clone(allowed), "torture")
		}
		for _, used := range imports {
			if used != pkg && !slices.Contains(allowed, used) {
				t.Errorf("%s imports %s; %s may import %v", path, used, pkg, allowed)
			}
		}
	}
}

// TestSiblings holds that no adapter imports another one outside its tests.
func TestSiblings(t *testing.T) {
	adapters := []string{"cot", "tak", "sqlite", "storeapi", "httpapi", "relay", "track", "pictures"}
	for path, imports := range importsBelow(t, ".") {
		pkg, _, _ := strings.Cut(path, "/")
		if strings.HasSuffix(path, "_test.go") || !slices.Contains(adapters, pkg) {
			continue
		}
		for _, used := range imports {
			if used != pkg && slices.Contains(adapters, used) {
				t.Errorf("%s imports its sibling %s", path, used)
			}
		}
	}
}

// importsBelow returns, for each Go file, the packages of the service that it imports.
func importsBelow(t *testing.T, root string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || !strings.Contains(path, "/") {
			return err
		}
		if strings.Contains(path, "/testdata/") || strings.Contains(path, "/generate/") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		found[path] = nil
		for _, spec := range file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if rest, ok := strings.CutPrefix(name, module); ok {
				used, _, _ := strings.Cut(rest, "/")
				found[path] = append(found[path], used)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
