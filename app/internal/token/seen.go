package token

import (
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// maxSeen bounds the tokens that are remembered: 10,000 of 200 bytes are some 4 MB.
const maxSeen = 10_000

// seen remembers tokens that were verified. A client sends the same one with each detection, and to parse it takes a tenth
// of what a detection costs. What was refused is not remembered: only who has the secret can fill it.
type seen struct {
	mu     sync.RWMutex
	tokens map[string]span
}

// span is what a token says: who, and from when until when it is valid, Leeway included.
type span struct {
	subject     string
	from, until time.Time // from is zero for a token without iat and nbf
}

func spanOf(claims *jwt.RegisteredClaims) span {
	s := span{subject: claims.Subject, until: claims.ExpiresAt.Add(Leeway)}
	for _, begin := range []*jwt.NumericDate{claims.IssuedAt, claims.NotBefore} {
		if begin != nil && begin.Add(-Leeway).After(s.from) {
			s.from = begin.Add(-Leeway)
		}
	}
	return s
}

// subject returns who a token that was verified before belongs to, if it is valid at now.
func (s *seen) subject(bearer string, now time.Time) (string, bool) {
	s.mu.RLock()
	known, found := s.tokens[bearer]
	s.mu.RUnlock()
	if !found || now.Before(known.from) || !now.Before(known.until) {
		return "", false // the parser says why
	}
	return known.subject, true
}

// remember forgets all when there are too many: those that are in use come back with their next detection.
func (s *seen) remember(bearer string, claims *jwt.RegisteredClaims) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tokens) >= maxSeen {
		clear(s.tokens)
	}
	s.tokens[bearer] = spanOf(claims)
}
