// Package token mints and verifies the bearer tokens of the API: JSON Web Tokens (RFC 7519) signed with HMAC-SHA-256 (HS256).
// One secret signs and verifies, so tokens minted by any other program with the same secret are accepted too.
package token

import (
	"errors"
	"fmt"
	"strings"
)

// MinKeyBytes is the shortest secret that is accepted: a key of HS256 is at least as long as the hash (RFC 7518 section 3.2).
const MinKeyBytes = 32

// howToMake ends each refusal of a secret.
const howToMake = "make one with: openssl rand -base64 48"

// Key is a secret that may sign and verify. It prints as "[secret]", so that it cannot reach a log by accident.
// The zero Key signs and verifies nothing.
type Key struct {
	secret []byte
}

// NewKey returns the key for a secret, or an error of one line that says what is wrong with it and how to make a good one.
// White space around the secret, which editors and openssl add to files, is not part of it.
func NewKey(secret string) (Key, error) {
	secret = strings.TrimSpace(secret)
	switch {
	case secret == "":
		return Key{}, errors.New("the signing key is empty; " + howToMake)
	case len(secret) < MinKeyBytes:
		return Key{}, fmt.Errorf("the signing key has %d bytes and needs at least %d; %s", len(secret), MinKeyBytes, howToMake)
	case isSample(secret):
		return Key{}, errors.New("the signing key is a sample from documentation that anyone can look up; " + howToMake)
	case isPattern(secret):
		return Key{}, errors.New("the signing key is a repetition of a few characters; " + howToMake)
	}
	return Key{secret: []byte(secret)}, nil
}

// String hides the secret from fmt and log.
func (Key) String() string { return "[secret]" }

// GoString hides the secret from %#v.
func (Key) GoString() string { return "[secret]" }
