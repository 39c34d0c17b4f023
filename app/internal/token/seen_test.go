package token

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// TestRememberedTokensAreJudgedAsNewOnes holds that a key that has seen a token says the same of it at each time as one
// that has not.
func TestRememberedTokensAreJudgedAsNewOnes(t *testing.T) {
	at := func(offset time.Duration) *jwt.NumericDate { return jwt.NewNumericDate(now.Add(offset)) }
	for name, claims := range map[string]jwt.RegisteredClaims{
		"from now on": {Subject: "drone", IssuedAt: at(0), ExpiresAt: at(lifetime)},
		"from later":  {Subject: "drone", IssuedAt: at(-time.Hour), NotBefore: at(time.Minute), ExpiresAt: at(lifetime)},
		"for ever":    {Subject: "drone", ExpiresAt: at(lifetime)},
	} {
		t.Run(name, func(t *testing.T) {
			key := newTestKey(t, goodSecret)
			knows := aloneKeys(key)
			text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(key.secret)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := knows.verify(text, now.Add(2*time.Minute)); err != nil || len(knows.seen.tokens) != 1 {
				t.Fatalf("Verify: %v, %d remembered", err, len(knows.seen.tokens))
			}
			for _, edge := range []time.Duration{-Leeway, time.Minute - Leeway, lifetime + Leeway, 0, 365 * 24 * time.Hour} {
				for _, step := range []time.Duration{-time.Second, -1, 0, 1, time.Second} {
					when := now.Add(edge + step)
					_, want := aloneKeys(key).verify(text, when)
					id, got := knows.verify(text, when)
					if (got == nil) != (want == nil) || got == nil && (id.Subject != "drone" || !slices.Equal(id.Roles, []Role{Ingest, Read})) {
						t.Errorf("%v after now: %v, %v; a key that does not know it says %v", edge+step, id, got, want)
					}
				}
			}
		})
	}
}

func TestOnlySoundTokensAreRemembered(t *testing.T) {
	key := aloneKeys(newTestKey(t, goodSecret))
	text, err := newTestKey(t, strings.Repeat("another secret ", 4)).Mint("drone", lifetime, now)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := key.verify(text, now); err == nil {
			t.Error("a token of another key was accepted")
		}
	}
	if len(key.seen.tokens) != 0 {
		t.Errorf("%d refused tokens are remembered", len(key.seen.tokens))
	}
}

func TestRememberedTokensAreBounded(t *testing.T) {
	s := newSeen()
	claims := &claims{RegisteredClaims: jwt.RegisteredClaims{Subject: "drone", ExpiresAt: jwt.NewNumericDate(now)}}
	for i := range 2*maxSeen + 1 {
		s.remember(fmt.Sprint(i), claims)
	}
	if len(s.tokens) > maxSeen {
		t.Errorf("%d tokens are remembered, at most %d wanted", len(s.tokens), maxSeen)
	}
}
