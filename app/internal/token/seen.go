package token

import (
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// maxSeen bounds the tokens that are remembered: 10,000 of 250 bytes are some 5 MB.
const maxSeen = 10_000

// seen remembers tokens that were verified with one set of keys. A client sends the same one with each detection, and to parse
// it takes a tenth of what a detection costs. What was refused is not remembered: only who has a secret can fill it.
type seen struct {
	mu     sync.RWMutex
	tokens map[string]span
}

func newSeen() *seen { return &seen{tokens: map[string]span{}} }

// span is what a token says: who, and from when until when it is valid, Leeway included.
type span struct {
	identity    Identity
	from, until time.Time // from is zero for a token without iat and nbf
}

func spanOf(c *claims) span {
	id := Identity{Subject: c.Subject, Roles: c.Roles.all(), ExpiresAt: c.ExpiresAt.Time}
	s := span{identity: id, until: c.ExpiresAt.Add(Leeway)}
	for _, begin := range []*jwt.NumericDate{c.IssuedAt, c.NotBefore} {
		if begin != nil && begin.Add(-Leeway).After(s.from) {
			s.from = begin.Add(-Leeway)
		}
	}
	return s
}

// identity returns who a token that was verified before belongs to, if it is valid at now.
func (s *seen) identity(bearer string, now time.Time) (Identity, bool) {
	s.mu.RLock()
	known, found := s.tokens[bearer]
	s.mu.RUnlock()
	if !found || now.Before(known.from) || !now.Before(known.until) {
		return Identity{}, false // the parser says why
	}
	return known.identity, true
}

// remember forgets all when there are too many: those that are in use come back with their next detection.
func (s *seen) remember(bearer string, c *claims) Identity {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tokens) >= maxSeen {
		clear(s.tokens)
	}
	span := spanOf(c)
	s.tokens[bearer] = span
	return span.identity
}
