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
	// MaxTokenBytes bounds what is parsed at all. A token with our claims has about 200 bytes; other issuers add a few more.
	MaxTokenBytes = 4096
	// maxSubjectBytes bounds the name that ends up in the audit trail.
	maxSubjectBytes = 256
)

var (
	errNoKey   = errors.New("there is no signing key")
	errTooLong = fmt.Errorf("the token is longer than %d bytes", MaxTokenBytes)
	errSubject = fmt.Errorf("the subject must have 1 to %d bytes of printable text", maxSubjectBytes)
	errNewline = errors.New("the token contains a line break")
	errCrit    = errors.New("the header demands an extension (crit) that is not known here")
)

// Mint returns a token for the subject that is valid from now for the lifetime, which must be at least one second because
// the times in a token are whole seconds.
func (k Key) Mint(subject string, lifetime time.Duration, now time.Time) (string, error) {
	if len(k.secret) == 0 {
		return "", errNoKey
	}
	if !validSubject(subject) {
		return "", errSubject
	}
	if lifetime < time.Second {
		return "", fmt.Errorf("the lifetime must be at least 1s, got %s", lifetime)
	}
	claims := jwt.RegisteredClaims{
		Subject:   subject,
		IssuedAt:  jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(now.Add(lifetime)),
	}
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(k.secret)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return text, nil
}

// Verify returns the subject of a token that this key signed and that is valid at now, give or take Leeway. The token is
// what follows "Bearer " in the Authorization header. It must have a subject and an end (exp); iss and aud are not looked
// at, so that tokens minted elsewhere with the same secret work. The error is for the log; tell the client nothing of it.
func (k Key) Verify(bearer string, now time.Time) (subject string, err error) {
	if len(k.secret) == 0 {
		return "", errNoKey
	}
	if len(bearer) > MaxTokenBytes {
		return "", errTooLong
	}
	if strings.ContainsAny(bearer, "\r\n") { // Go's base64 decoder skips them, also in its strict mode
		return "", errNewline
	}
	if subject, known := k.seen.subject(bearer, now); known {
		return subject, nil
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithStrictDecoding(),
		jwt.WithLeeway(Leeway),
		jwt.WithTimeFunc(func() time.Time { return now }),
	)
	var claims jwt.RegisteredClaims
	if _, err := parser.ParseWithClaims(bearer, &claims, k.choose); err != nil {
		return "", fmt.Errorf("verify token: %w", err)
	}
	if !validSubject(claims.Subject) {
		return "", errSubject
	}
	k.seen.remember(bearer, &claims)
	return claims.Subject, nil
}

// choose hands the parser the secret. There is one, so a kid chooses nothing. A crit header has to be understood or the
// token refused (RFC 7515 section 4.1.11); the parser does not look at it.
func (k Key) choose(t *jwt.Token) (any, error) {
	if _, ok := t.Header["crit"]; ok {
		return nil, errCrit
	}
	return k.secret, nil
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
