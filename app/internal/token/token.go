package token

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// Leeway is how far the clocks of the minting and the verifying machine may be apart.
	Leeway = 30 * time.Second
	// MaxTokenBytes bounds what is parsed at all. A token with our claims has about 250 bytes; other issuers add a few more.
	MaxTokenBytes = 4096
	// maxSubjectBytes bounds the name that ends up in the audit trail.
	maxSubjectBytes = 256
)

var (
	errNoKey   = errors.New("there is no signing key")
	errTooLong = fmt.Errorf("the token is longer than %d bytes", MaxTokenBytes)
	errSubject = fmt.Errorf("the subject must have 1 to %d bytes of printable text", maxSubjectBytes)
	errNewline = errors.New("the token contains a line break")
	errKid     = errors.New("the header names a key (kid) that is not known here")
)

// claims is what is read of a token.
type claims struct {
	jwt.RegisteredClaims
	Roles rolesClaim `json:"roles"`
}

// minted is what is written into one.
type minted struct {
	jwt.RegisteredClaims
	Roles []Role `json:"roles,omitzero"`
}

// Mint returns a token for the subject, without roles, that is valid from now for the lifetime; see Ring.Mint.
func (k Key) Mint(subject string, lifetime time.Duration, now time.Time) (string, error) {
	return k.mint("", Identity{Subject: subject}, lifetime, now)
}

func (k Key) mint(kid string, id Identity, lifetime time.Duration, now time.Time) (string, error) {
	if len(k.secret) == 0 {
		return "", errNoKey
	}
	if !validSubject(id.Subject) {
		return "", errSubject
	}
	if lifetime < time.Second {
		return "", fmt.Errorf("the lifetime must be at least 1s, got %s", lifetime)
	}
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, minted{Roles: id.Roles, RegisteredClaims: jwt.RegisteredClaims{
		Issuer:    Name,
		Subject:   id.Subject,
		Audience:  jwt.ClaimStrings{Name},
		IssuedAt:  jwt.NewNumericDate(now),
		NotBefore: jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(now.Add(lifetime)),
	}})
	if kid != "" {
		t.Header["kid"] = kid
	}
	text, err := t.SignedString(k.secret)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return text, nil
}

// verify judges a token by all that was not remembered of it.
func (k *keys) verify(bearer string, now time.Time) (Identity, error) {
	if len(k.byID) == 0 {
		return Identity{}, errNoKey
	}
	if len(bearer) > MaxTokenBytes {
		return Identity{}, errTooLong
	}
	if strings.ContainsAny(bearer, "\r\n") { // Go's base64 decoder skips them, also in its strict mode
		return Identity{}, errNewline
	}
	if id, known := k.seen.identity(bearer, now); known {
		return id, nil
	}
	said, err := strict(bearer)
	if err != nil {
		return Identity{}, fmt.Errorf("verify token: %w", err)
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithStrictDecoding(),
		jwt.WithLeeway(Leeway),
		jwt.WithTimeFunc(func() time.Time { return now }),
	)
	var c claims
	if _, err := parser.ParseWithClaims(bearer, &c, k.choose); err != nil {
		return Identity{}, fmt.Errorf("verify token: %w", err)
	}
	if !validSubject(c.Subject) {
		return Identity{}, errSubject
	}
	if err := c.meant(said); err != nil {
		return Identity{}, err
	}
	return k.seen.remember(bearer, &c), nil
}

// choose hands the parser the keys that may have signed a token.
func (k *keys) choose(t *jwt.Token) (any, error) {
	if alone, ok := k.byID[""]; ok { // one key without a name: a kid chooses nothing
		return alone.secret, nil
	}
	if kid, named := t.Header["kid"]; named {
		text, _ := kid.(string)
		key, known := k.byID[text]
		if !known {
			return nil, errKid
		}
		return key.secret, nil
	}
	var set jwt.VerificationKeySet
	for _, kid := range k.ids {
		set.Keys = append(set.Keys, k.byID[kid].secret)
	}
	return set, nil
}

func validSubject(subject string) bool {
	if subject == "" || len(subject) > maxSubjectBytes || !utf8.ValidString(subject) {
		return false
	}
	for _, r := range subject {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
