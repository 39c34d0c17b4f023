package main

import (
	"context"
	"database/sql"
	"errors"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/detection/storetest"
	"github.com/detection-api/detection-api/app/internal/sqlite"
	"github.com/detection-api/detection-api/app/internal/storeapi"
)

// lettered makes a store with ten detections, the first six of them dead letters.
func lettered(t *testing.T) (*sqlite.Store, string) {
	t.Helper()
	dir := t.TempDir()
	s, err := sqlite.OpenStore(t.Context(), sqlite.StoreOptions{Options: sqlite.Options{Dir: dir}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), storetest.Records(0, 10, "pod-a")); err != nil {
		t.Fatal(err)
	}
	if err := s.Acknowledge(t.Context(), storetest.Deliveries(0, 6, detection.DeadLettered, time.Now())); err != nil {
		t.Fatal(err)
	}
	return s, dir
}

// TestOperations goes the same way on a data directory and through the address of a store.
func TestOperations(t *testing.T) {
	t.Run("data directory", func(t *testing.T) {
		s, dir := lettered(t)
		if code, out, _ := said(t, "audit", "verify", "--data-dir", dir); code != 0 || !strings.HasPrefix(out, "good 16 entries from 1 to 16, head ") {
			t.Errorf("audit verify of a live store: code %d, %q", code, out)
		}
		if code, _, errs := said(t, "deadletters", "list", "--data-dir", dir); code != 1 || !strings.Contains(errs, "in use by another process") {
			t.Errorf("list of a live store: code %d, %q", code, errs)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		operations(t, "--data-dir", dir)
	})
	t.Run("store", func(t *testing.T) {
		s, _ := lettered(t)
		defer s.Close()
		token := strings.Repeat("0123456789abcdef", 2)
		server := httptest.NewServer(storeapi.NewServer(storeapi.ServerOptions{
			Store: s, Operations: s, Token: token, Copy: func(ctx context.Context) (*storeapi.Copy, error) {
				c, err := s.Copy(ctx)
				if err != nil {
					return nil, err
				}
				return &storeapi.Copy{ReadCloser: c, Bytes: c.Bytes, TakenAt: c.TakenAt}, nil
			},
		}))
		defer server.Close()
		operations(t, "--store-url", server.URL, "--store-token", token)
	})
}

func operations(t *testing.T, where ...string) {
	order := append([]string{"--operator", "alice", "--reason", "mended"}, where...)
	for _, step := range []struct {
		code int
		args []string
		want string
	}{
		{0, append([]string{"deadletters", "list"}, where...), `^(\{"detection_id":"0190[^\n]*"reason":"cannot be encoded"\}\n){6}$`},
		{0, append([]string{"deadletters", "list", "--limit", "1", "--after", storetest.ID(3)}, where...), `^\{"detection_id":"` + storetest.ID(4) + `"[^\n]*\n$`},
		{0, append(append([]string{"deadletters", "redrive"}, order...), storetest.ID(0), storetest.ID(1)), `^2 redriven\n$`},
		{1, append(append([]string{"deadletters", "redrive"}, order...), storetest.ID(1), storetest.ID(2)), `^1 redriven\n$`},
		{0, append(append([]string{"deadletters", "purge"}, order...), storetest.ID(3)), `^1 purged\n$`},
		{0, append(append([]string{"deadletters", "redrive"}, order...), "--all"), `^2 redriven\n$`},
		{0, append([]string{"deadletters", "list"}, where...), `^$`},
		{0, append([]string{"audit", "list", "--after", "16"}, where...), `^(\{"seq":\d+,[^\n]*"detail":"by alice: mended"[^\n]*\n){6}$`},
		{0, append([]string{"audit", "list", "--limit", "2"}, where...), `^(\{"seq":[12],[^\n]*\n){2}$`},
		{0, append([]string{"audit", "verify"}, where...), `^good 22 entries from 1 to 22, head [0-9a-f]{64}, 10 detections\n$`},
	} {
		if code, out, errs := said(t, step.args...); code != step.code || !regexp.MustCompile(step.want).MatchString(out) {
			t.Errorf("%v: code %d, want %d; %q, want %q; %s", step.args, code, step.code, out, step.want, errs)
		}
	}
}

// TestAuditVerifyFindsTheFirstBrokenEntry changes an entry behind the triggers' back.
func TestAuditVerifyFindsTheFirstBrokenEntry(t *testing.T) {
	s, dir := lettered(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite3", filepath.Join(dir, "app.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(`DROP TRIGGER audit_never_updated; UPDATE audit SET detail = 'x' WHERE seq IN (9, 12)`)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	code, out, errs := said(t, "audit", "verify", "--data-dir", dir)
	if code != 1 || out != "BAD  first broken entry 9, sound up to 8\n" || strings.Count(errs, "\n") != 1 {
		t.Errorf("code %d, %q, %q", code, out, errs)
	}
}
