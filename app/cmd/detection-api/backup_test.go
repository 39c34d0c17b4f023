package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/detection-api/detection-api/app/internal/detection/storetest"
	"github.com/detection-api/detection-api/app/internal/sqlite"
)

// said runs a command and returns its exit code and what it printed.
func said(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), streams{out: &o, err: &e}, args)
	return code, o.String(), e.String()
}

// TestBackupCommands goes the whole way by the commands alone: run, list, verify, restore, and a copy that is damaged.
func TestBackupCommands(t *testing.T) {
	data, copies, fresh := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "fresh")
	s, err := sqlite.OpenStore(t.Context(), sqlite.StoreOptions{Options: sqlite.Options{Dir: data}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), storetest.Records(0, 7, "pod-a")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		code int
		args []string
		want string
	}{
		{0, []string{"backup", "run", "--data-dir", data, "--backup-dir", copies}, `^app-\d{8}T\d{6}Z: 7 detections, .* verified`},
		{0, []string{"backup", "list", "--backup-dir", copies}, `(?m)^app-\S+ +\d+s +\d+ +7 `},
		{0, []string{"backup", "verify", "--backup-dir", copies, "--all"}, `^good app-`},
		{0, []string{"restore", "--backup-dir", copies, "--data-dir", fresh, "--yes"}, `^restored and verified`},
		{1, []string{"restore", "--backup-dir", copies, "--data-dir", fresh, "--yes"}, `^$`},
		{0, []string{"backup", "prune", "--backup-dir", copies}, `^0 removed`},
	} {
		if code, out, errs := said(t, step.args...); code != step.code || !regexp.MustCompile(step.want).MatchString(out) {
			t.Errorf("%v: code %d, want %d; %q, want %q; %s", step.args, code, step.code, out, step.want, errs)
		}
	}
	if _, _, errs := said(t, "backup", "run", "--data-dir", data, "--backup-dir", t.TempDir()); !strings.Contains(errs, "same device") {
		t.Errorf("a copy beside its database: %q", errs)
	}
	found, err := filepath.Glob(filepath.Join(copies, "*.db"))
	if err != nil || len(found) != 1 {
		t.Fatalf("copies %v, %v", found, err)
	}
	if err := os.Truncate(found[0], 5000); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := said(t, "backup", "verify", found[0]); code != 1 || !strings.HasPrefix(out, "BAD  app-") || strings.Count(errs, "\n") != 1 {
		t.Errorf("verify of a damaged copy by its path: code %d, %q, %q", code, out, errs)
	}
}

func TestCheck(t *testing.T) {
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		if r.URL.Path == "/ready" || r.URL.Path == "/second" && calls > 1 {
			return
		}
		http.Error(w, "not yet", http.StatusServiceUnavailable)
	}))
	defer server.Close()
	for _, c := range []struct {
		args  []string
		code  int
		lines string
	}{
		{[]string{server.URL + "/ready"}, 0, "ok"},
		{[]string{server.URL + "/ready", server.URL + "/never", "http://127.0.0.1:1/"}, 1, "ok FAIL FAIL"},
		{[]string{"--retries", "1", server.URL + "/second"}, 0, "ok"},
		{[]string{server.URL + "/second"}, 1, "FAIL"},
	} {
		calls = 0
		code, out, _ := said(t, append([]string{"check"}, c.args...)...)
		var first []string
		for line := range strings.Lines(out) {
			first = append(first, strings.Fields(line)[0])
		}
		if code != c.code || strings.Join(first, " ") != c.lines {
			t.Errorf("check %v: code %d, %q; want %d, %q", c.args, code, out, c.code, c.lines)
		}
	}
}
