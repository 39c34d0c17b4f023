package token

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const thirdSecret = "Hn3Vr8Xc1Ls6Qe0Wz5Ty9Kb4Mj7Dg2FpUaOiSuEwRq"

// keyFiles is a directory of keys that a test changes.
type keyFiles struct {
	t    *testing.T
	path string
}

func newKeyFiles(t *testing.T) keyFiles { return keyFiles{t, t.TempDir()} }

func (f keyFiles) write(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.path, name), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f keyFiles) remove(name string) {
	f.t.Helper()
	if err := os.Remove(filepath.Join(f.path, name)); err != nil {
		f.t.Fatal(err)
	}
}

func mint(t *testing.T, r *Ring, at time.Time) string {
	t.Helper()
	text, err := r.Mint(Identity{Subject: "drone", Roles: []Role{Operate}}, 24*time.Hour, at)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestKeysFollowEachOther(t *testing.T) {
	files := newKeyFiles(t)
	files.write("2026-01", goodSecret)
	files.write(".hidden", "not a key")
	var told []error
	ring, err := Open(files.path, Options{Every: time.Second, Changed: func(err error) { told = append(told, err) }})
	if err != nil {
		t.Fatal(err)
	}
	at := now
	expect := func(text string, good bool, why string) {
		t.Helper()
		if id, err := ring.Verify(text, at); (err == nil) != good || good && (id.Subject != "drone" || !id.Has(Operate) || id.Has(Read)) {
			t.Errorf("%s: %+v, %v", why, id, err)
		}
	}
	later := func() { at = at.Add(2 * time.Second) }
	old := mint(t, ring, at)
	expect(old, true, "at first")

	files.write("2026-02", otherSecret)
	files.write("signing", "2026-01\n")
	expect(old, true, "before the look")
	later()
	expect(old, true, "with two keys")
	if ids, signing := idsOf(ring); !slices.Equal(ids, []string{"2026-01", "2026-02"}) || signing != "2026-01" {
		t.Errorf("got %v, %s signs", ids, signing)
	}
	files.remove("signing")
	later()
	next := mint(t, ring, at)
	expect(next, true, "of the new key")
	expect(old, true, "of the old key")
	if ids, signing := idsOf(ring); signing != "2026-02" {
		t.Errorf("got %v, %s signs", ids, signing)
	}

	files.write("2026-03", "short")
	for range 3 {
		later()
		expect(old, true, "beside a broken key")
	}
	files.remove("2026-03")
	files.remove("2026-01")
	later()
	expect(old, false, "of a key that is gone, though it was remembered")
	expect(next, true, "of the key that is left")
	if len(told) != 4 || told[0] != nil || told[1] != nil || told[2] == nil || told[3] != nil || strings.Contains(told[2].Error(), "short") {
		t.Errorf("told %v; want two changes, one refusal, one change", told)
	}
}

// idsOf are the kids of the keys that verify, and that of the one that signs.
func idsOf(r *Ring) (verifying []string, signing string) {
	k := r.watched.current.Load().value
	return k.ids, k.signing
}

// TestMintWith holds that a token can be signed with any of the keys by its name, and then has that kid.
func TestMintWith(t *testing.T) {
	files := newKeyFiles(t)
	files.write("2026-01", goodSecret)
	first, err := Open(files.path, Options{Every: 1000 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	files.write("2026-02", otherSecret)
	ring, err := Open(files.path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := ring.MintWith("2026-01", Identity{Subject: "drone"}, time.Hour, now)
	if err != nil {
		t.Fatal(err)
	}
	if id, err := first.Verify(text, now); err != nil || id.Subject != "drone" {
		t.Errorf("the key that was named: %+v, %v", id, err)
	}
	if _, err := first.Verify(mint(t, ring, now), now); err == nil {
		t.Error("positive control: the other key signs without a name")
	}
	if _, err := ring.MintWith("2026-03", Identity{Subject: "drone"}, time.Hour, now); err == nil ||
		!strings.HasSuffix(err.Error(), "2026-01, 2026-02") {
		t.Errorf("a key that is not there: %v", err)
	}
}

func TestFilesThatGoAwayKeepTheKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(goodSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var told []error
	ring, err := Open(path, Options{Changed: func(err error) { told = append(told, err) }})
	if err != nil {
		t.Fatal(err)
	}
	text := mint(t, ring, now)
	if strings.Contains(text, "kid") {
		t.Error("a key without a name was named")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		if _, err := ring.Verify(text, now.Add(time.Duration(i)*time.Minute)); err != nil {
			t.Errorf("without its file: %v", err)
		}
	}
	if len(told) != 1 || !errors.Is(told[0], os.ErrNotExist) {
		t.Errorf("told %v, want once that the file is not there", told)
	}
	if err := os.WriteFile(path, []byte(otherSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Verify(text, now.Add(-time.Hour)); err == nil { // a clock that was set back is no reason not to look
		t.Error("a token of the key before was accepted")
	}
	if len(told) != 2 || told[1] != nil {
		t.Errorf("told %v, want that the key was changed", told)
	}
}

func TestKeysByName(t *testing.T) {
	files := newKeyFiles(t)
	files.write("a", goodSecret)
	files.write("b", otherSecret)
	ring, err := Open(files.path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, header, secret string
		good                 bool
	}{
		{"a by name", `{"alg":"HS256","kid":"a"}`, goodSecret, true},
		{"b by name", `{"alg":"HS256","kid":"b"}`, otherSecret, true},
		{"a without a name", hs256, goodSecret, true},
		{"b without a name", hs256, otherSecret, true},
		{"a under the name of b", `{"alg":"HS256","kid":"b"}`, goodSecret, false},
		{"an unknown name", `{"alg":"HS256","kid":"c"}`, goodSecret, false},
		{"a path", `{"alg":"HS256","kid":"../` + filepath.Base(files.path) + `/a"}`, goodSecret, false},
		{"an empty name", `{"alg":"HS256","kid":""}`, goodSecret, false},
		{"no text", `{"alg":"HS256","kid":null}`, goodSecret, false},
		{"a list", `{"alg":"HS256","kid":["a"]}`, goodSecret, false},
		{"another key", hs256, thirdSecret, false},
	} {
		if id, err := ring.Verify(sign(tt.header, goodClaims(), tt.secret), now); (err == nil) != tt.good {
			t.Errorf("%s: got %+v, %v", tt.name, id, err)
		}
	}
}

func TestHostileTokensMeetNamedKeys(t *testing.T) {
	files := newKeyFiles(t)
	files.write("a", goodSecret)
	files.write("b", thirdSecret)
	ring, err := Open(files.path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range hostile(t) {
		if id, err := ring.Verify(text, now); err == nil || id.Subject != "" {
			t.Errorf("%s: accepted as %+v", name, id)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, write := range map[string]func(keyFiles){
		"no keys":            func(keyFiles) {},
		"hidden files only":  func(f keyFiles) { f.write(".a", goodSecret) },
		"a weak key":         func(f keyFiles) { f.write("a", goodSecret); f.write("b", "changeme") },
		"a bad name":         func(f keyFiles) { f.write("a b", goodSecret) },
		"signing by nothing": func(f keyFiles) { f.write("a", goodSecret); f.write("signing", "b") },
		"too many keys": func(f keyFiles) {
			for i := range maxKeys + 1 {
				f.write(string(rune('a'+i)), goodSecret)
			}
		},
		"a huge file": func(f keyFiles) { f.write("a", strings.Repeat("x", maxFileBytes+1)) },
	} {
		files := newKeyFiles(t)
		write(files)
		if _, err := Open(files.path, Options{}); err == nil || strings.Contains(err.Error(), goodSecret) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "nothing"), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// TestKeysChangeUnderLoad verifies from several goroutines while the files change.
func TestKeysChangeUnderLoad(t *testing.T) {
	files := newKeyFiles(t)
	files.write("a", goodSecret)
	ring, err := Open(files.path, Options{Every: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	text := mint(t, ring, now)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 300 {
				if _, err := ring.Verify(text, now.Add(time.Duration(i)*10*time.Millisecond)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 20 {
		files.write("b", otherSecret)
		files.remove("b")
	}
	all.Wait()
}

func BenchmarkVerifyRemembered(b *testing.B) {
	ring := Alone(newTestKey(b, goodSecret))
	text, err := ring.Mint(Identity{Subject: "drone"}, lifetime, now)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ring.Verify(text, now); err != nil {
			b.Fatal(err)
		}
	}
}
