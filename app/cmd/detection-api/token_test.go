package main

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTokenFile holds that a token minted from a key file is one line, and that the newline of the file is not the key's.
func TestTokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(strings.Repeat("0123456789abcdef", 3)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), streams{out: &out, err: &errs}, []string{"token", "--jwt-secret-key-file", path}); code != 0 || strings.Count(out.String(), ".") != 2 {
		t.Errorf("code %d, output %q, error %q", code, out.String(), errs.String())
	}
}

// TestTokenOfAKey holds that with several keys the last one signs, as in serve, or the one that is named.
func TestTokenOfAKey(t *testing.T) {
	keys := t.TempDir()
	for name, text := range map[string]string{"2026-01": "0123456789abcdef", "2026-02": "fedcba9876543210"} {
		if err := os.WriteFile(filepath.Join(keys, name), []byte(strings.Repeat(text, 3)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ kid, want string }{{"", "2026-02"}, {"2026-01", "2026-01"}, {"2026-02", "2026-02"}} {
		_, out, errs := said(t, "token", "--jwt-keys", keys, "--kid", test.kid)
		head, err := base64.RawURLEncoding.DecodeString(strings.SplitN(out, ".", 2)[0])
		if err != nil || !strings.Contains(string(head), `"kid":"`+test.want+`"`) {
			t.Errorf("%q: %q, %v, %s", test.kid, head, err, errs)
		}
	}
	if code, _, errs := said(t, "token", "--jwt-keys", keys, "--kid", "2026-03"); code != 2 || !strings.Contains(errs, "2026-01, 2026-02") {
		t.Errorf("a key that is not there: %d, %s", code, errs)
	}
}
