package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/torture"
)

// write makes files of a module.
func write(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFind(t *testing.T) {
	module := write(t, map[string]string{
		"go.mod":                 "module m",
		"a/a_test.go":            "package a\nfunc TestLong(t *testing.T) { d, _ := torture.Budget(t) }\nfunc TestQuick(t *testing.T) { helper() }",
		"a/b_test.go":            "package a\nfunc TestThrough(t *testing.T) { t.Run(``, func(t *testing.T) { far(t) }) }\nfunc far(t *testing.T) { near(t) }",
		"a/c_test.go":            "package a\nfunc near(t *testing.T) { torture.Budget(t) }",
		"a/a.go":                 "package a\nfunc TestNoTest() { torture.Budget() }",
		"b/b_test.go":            "package b\nfunc TestQuick(t *testing.T) { far(t) }", // another package's far
		"c/testdata/c_test.go":   "package c\nfunc TestData(t *testing.T) { torture.Budget(t) }",
		"d/go.mod":               "module d",
		"d/d_test.go":            "package d\nfunc TestElsewhere(t *testing.T) { torture.Budget(t) }",
		"torture/budget_test.go": "package torture\nfunc TestBudget(t *testing.T) { torture.Budget(t) }",
	})
	for only, want := range map[string]string{"": "a/TestLong a/TestThrough", "Through": "a/TestThrough"} {
		tests, err := find(module, regexp.MustCompile(only))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, found := range tests {
			names = append(names, found.String())
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("with %q found %q, want %q", only, got, want)
		}
	}
}

// TestFindsOurs holds that the tests of this module are found.
func TestFindsOurs(t *testing.T) {
	tests, err := find(filepath.Join("..", "..", ".."), regexp.MustCompile("^internal/sqlite/TestPowerCuts$"))
	if err != nil || len(tests) != 1 {
		t.Errorf("found %v, %v", tests, err)
	}
}

// module is one whose tests pass, fail, report a loss or nothing. It needs no other module.
var module = map[string]string{
	"go.mod": "module m\n\ngo 1.26\n",
	"p/p_test.go": `package p

import (
	"os"
	"testing"
)

func report(t *testing.T, text string) {
	if err := os.WriteFile(os.Getenv("TORTURE_REPORT"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestPasses(t *testing.T) {
	if os.Getenv("TORTURE_FOR") != "1s" || os.Getenv("TORTURE_SEED") != "7" {
		t.Error(os.Environ())
	}
	report(t, "{\"what\":\"nothing\",\"rounds\":2,\"acknowledged\":3}\n")
}
func TestFails(t *testing.T)  { t.Error("on purpose") }
func TestLoses(t *testing.T)  { report(t, "{\"what\":\"a loss\",\"lost\":1}\n") }
func TestSilent(t *testing.T) {}
`,
}

func TestRunner(t *testing.T) {
	dir := write(t, module)
	r := runner{module: dir, work: filepath.Join(dir, "work"), seed: 7, each: time.Second}
	tests := []test{{"p", "TestPasses"}, {"p", "TestFails"}, {"p", "TestLoses"}, {"p", "TestSilent"}}
	outcomes, err := r.runAll(t.Context(), tests)
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range []string{"", "exit status 1", "a loss: 1 lost", "reported nothing"} {
		if got := outcomes[n].err; (want == "") != (got == nil) || got != nil && !strings.Contains(got.Error(), want) {
			t.Errorf("%s: %v, want %q", tests[n], got, want)
		}
	}
	if got := outcomes[0].results; len(got) != 1 || got[0].Acknowledged != 3 {
		t.Errorf("results %+v", got)
	}
	failed := failures(outcomes)
	if failed == nil || strings.Count(failed.Error(), "\n") != 2 || !strings.Contains(failed.Error(), outcomes[1].log) {
		t.Errorf("failures = %v; want three lines with their logs", failed)
	}
	if log, err := os.ReadFile(outcomes[1].log); err != nil || !strings.Contains(string(log), "on purpose") {
		t.Errorf("log %q, %v", log, err)
	}
}

func TestDocument(t *testing.T) {
	doc := document(summary{
		machine: machine{commit: "abc", cores: 2, cpu: "a CPU", kernel: "6.1", fileSystem: "ext2/ext3", goVersion: "go1.26"},
		began:   time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), took: 65 * time.Minute, each: 5 * time.Minute, seed: 9,
		outcomes: []outcome{
			{test: test{"p", "TestA"}, results: []torture.Result{{What: "a|b", Rounds: 1234567, Acknowledged: 12, Control: "lost 3"}}},
			{test: test{"p", "TestB"}, err: errors.New("exit status 1")},
		},
	})
	for _, want := range []string{
		"1 of 2 tests passed, in 1h5m0s", "2026-03-01 12:00 UTC, commit abc, seed 9", "2 cores, a CPU",
		`| a\|b | 1,234,567 | 12 | 0 | lost 3 |  |`, "| `p/TestB` | FAILED: exit status 1 |",
	} {
		if !strings.Contains(doc, want) {
			t.Errorf("%q is missing in:\n%s", want, doc)
		}
	}
}

// TestShortRunsLeaveTheDocumentation holds that docs/torture.md is replaced by whole runs only.
func TestShortRunsLeaveTheDocumentation(t *testing.T) {
	for _, c := range []struct {
		total time.Duration
		only  string
		want  string
	}{
		{65 * time.Minute, "", "/r/docs/torture.md"},
		{3 * time.Minute, "", "/r/build/torture/torture.md"},
		{65 * time.Minute, "Power", "/r/build/torture/torture.md"},
	} {
		o := options{total: c.total, only: regexp.MustCompile(c.only), repository: "/r"}
		if got := o.document(); got != c.want {
			t.Errorf("%v of %q: %s, want %s", c.total, c.only, got, c.want)
		}
	}
}
