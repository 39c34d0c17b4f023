package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"
)

const (
	goodSecret  = "Zx8Qm2Rv7Lk4Tn9Wc3Yb6Hd1Jf5Gp0SaEuIoAqVwBz"
	otherSecret = "Pt6Nk1Vb9Xs4Qd7Mw2Hz8Jc5Lf3Rg0TyUeOiAaBmCq"
	lifetime    = time.Hour
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func newTestKey(t testing.TB, secret string) Key {
	t.Helper()
	key, err := NewKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign makes a token of any header and claims, as an attacker with a JSON editor would.
func sign(header, claims, secret string) string {
	text := encode(header) + "." + encode(claims)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// hs256 and claimsOf are the parts of a good token.
const hs256 = `{"alg":"HS256","typ":"JWT"}`

func claimsOf(format string, args ...any) string {
	return fmt.Sprintf(format, args...)
}

func goodClaims() string {
	return claimsOf(`{"sub":"drone","iat":%d,"exp":%d}`, now.Unix(), now.Add(lifetime).Unix())
}

func TestMintAndVerify(t *testing.T) {
	ring := Alone(newTestKey(t, goodSecret))
	text, err := ring.Mint(Identity{Subject: "drone-7"}, lifetime, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Duration{-Leeway, 0, lifetime - time.Second, lifetime + Leeway - time.Second} {
		id, err := ring.Verify(text, now.Add(at))
		if err != nil || id.Subject != "drone-7" {
			t.Errorf("at %s: got %q, %v", at, id.Subject, err)
		}
	}
	for _, at := range []time.Duration{-Leeway - time.Second, lifetime + Leeway, 365 * 24 * time.Hour} {
		if id, err := ring.Verify(text, now.Add(at)); err == nil || id.Subject != "" {
			t.Errorf("at %s: accepted as %q", at, id.Subject)
		}
	}
}

func TestVerifyAcceptsTokensOfOthers(t *testing.T) {
	exp := now.Add(lifetime).Unix()
	tests := []struct{ name, header, claims string }{
		{"as the Python original", `{"typ":"JWT","alg":"HS256"}`, goodClaims()},
		{"no typ", `{"alg":"HS256"}`, goodClaims()},
		{"no iat", hs256, claimsOf(`{"sub":"drone","exp":%d}`, exp)},
		{"with issuer, audience, id and scope", hs256, claimsOf(`{"iss":"detection-api","aud":["a","detection-api"],"jti":"1","scope":"write","sub":"drone","exp":%d}`, exp)},
		{"one audience", hs256, claimsOf(`{"aud":"detection-api","sub":"drone","exp":%d}`, exp)},
		{"an access token of RFC 9068", `{"typ":"application/at+JWT","alg":"HS256"}`, goodClaims()},
		{"a claim of its own that looks like ours", hs256, claimsOf(`{"subject":"x","x":{"sub":"y","sub2":1},"sub":"drone","exp":%d}`, exp)},
		{"fraction of a second", hs256, claimsOf(`{"sub":"drone","exp":%d.75}`, exp)},
		{"a key id, which chooses nothing", `{"alg":"HS256","kid":"2026-11"}`, goodClaims()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id, err := Alone(newTestKey(t, goodSecret)).Verify(sign(tt.header, tt.claims, goodSecret), now)
			if err != nil || id.Subject != "drone" {
				t.Errorf("got %q, %v", id.Subject, err)
			}
		})
	}
}

func TestZeroKeyDoesNothing(t *testing.T) {
	var key Key
	if text, err := key.Mint("drone", lifetime, now); err == nil {
		t.Errorf("minted %q", text)
	}
	for _, ring := range []*Ring{{}, Alone(key)} {
		if id, err := ring.Verify(sign(hs256, goodClaims(), ""), now); err == nil {
			t.Errorf("accepted %q, signed with an empty key", id.Subject)
		}
		if text, err := ring.Mint(Identity{Subject: "drone"}, lifetime, now); err == nil {
			t.Errorf("minted %q", text)
		}
	}
}

func TestMintRefuses(t *testing.T) {
	key := newTestKey(t, goodSecret)
	tests := []struct {
		name, subject string
		lifetime      time.Duration
	}{
		{"no subject", "", lifetime},
		{"control character", "a\tb", lifetime},
		{"not UTF-8", "a\xffb", lifetime},
		{"too long", strings.Repeat("d", maxSubjectBytes+1), lifetime},
		{"no lifetime", "drone", 0},
		{"negative lifetime", "drone", -time.Hour},
		{"less than the resolution", "drone", time.Second - 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if text, err := key.Mint(tt.subject, tt.lifetime, now); err == nil {
				t.Errorf("minted %q", text)
			}
		})
	}
}

// FuzzVerify looks for panics and for tokens that pass without the key's signature.
func FuzzVerify(f *testing.F) {
	for _, text := range hostile(f) {
		if len(text) <= MaxTokenBytes {
			f.Add(text)
		}
	}
	alone := Alone(newTestKey(f, goodSecret))
	named := &Ring{}
	named.watched.current.Store(&state[*keys]{&keys{
		byID: map[string]Key{"a": newTestKey(f, goodSecret), "b": newTestKey(f, goodSecret)}, ids: []string{"a", "b"}, seen: newSeen(),
	}})
	f.Fuzz(func(t *testing.T, text string) {
		id, err := alone.Verify(text, now)
		if _, again := named.Verify(text, now); again == nil && err != nil {
			t.Errorf("%q passes with named keys only: %v", text, err)
		}
		if err != nil {
			return
		}
		dot := strings.LastIndexByte(text, '.')
		mac := hmac.New(sha256.New, []byte(goodSecret))
		mac.Write([]byte(text[:dot]))
		if want := base64.RawURLEncoding.EncodeToString(mac.Sum(nil)); text[dot+1:] != want || id.Subject == "" {
			t.Errorf("%q passed as %q", text, id.Subject)
		}
	})
}
