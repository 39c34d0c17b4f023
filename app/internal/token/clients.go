package token

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/crypto/bcrypt"
)

const (
	// digestPrefix begins the hash of a random secret: SHA-256 in hex. What nobody can guess needs no slow hash.
	digestPrefix = "sha256:"
	// minSecretBytes is the shortest secret that somebody may choose.
	minSecretBytes = 16
	// maxSecretBytes is what bcrypt looks at.
	maxSecretBytes = 72
	// maxCost bounds what a check takes: some 0.5 s.
	maxCost = 13
	// maxClients bounds the file.
	maxClients = 10_000
)

// ErrNoClient says that no client has these credentials. It does not say which of the two is wrong.
var ErrNoClient = errors.New("no client has these credentials")

// Clients are those who may have tokens for an id and a secret. The zero Clients are none. They are safe for concurrent use.
type Clients struct {
	watched watched[*registry]
}

type registry struct {
	byID  map[string]client
	decoy []byte // hash of bcrypt that is compared with where there is none, so that all answers take as long; nil: no client has one
}

type client struct {
	identity Identity
	digest   []byte // SHA-256 of the secret; nil: there is a slow hash
	slow     []byte // by bcrypt
}

// wireClients is the file.
type wireClients struct {
	Clients []wireClient `json:"clients"`
}

type wireClient struct {
	ID         string   `json:"id"`
	SecretHash string   `json:"secret_hash"` // of NewSecret or HashSecret
	Subject    string   `json:"subject"`     // of the tokens; empty: the id
	Roles      []string `json:"roles"`
}

// OpenClients reads a file of clients in JSON and follows its changes:
//
//	{"clients": [{"id": "uav-1", "secret_hash": "sha256:…", "roles": ["ingest"], "subject": "uav-1"}]}
func OpenClients(path string, opts Options) (*Clients, error) {
	c := &Clients{}
	return c, c.watched.open(path, opts, parseClients)
}

func parseClients(files map[string]string, directory bool) (*registry, error) {
	if directory {
		return nil, errors.New("must be a file")
	}
	var wire wireClients
	if err := json.Unmarshal([]byte(files[""]), &wire, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("clients: %w", err)
	}
	if len(wire.Clients) > maxClients {
		return nil, fmt.Errorf("there are %d clients, at most %d may be", len(wire.Clients), maxClients)
	}
	r := &registry{byID: make(map[string]client, len(wire.Clients))}
	for i, w := range wire.Clients {
		if err := r.add(w); err != nil {
			return nil, fmt.Errorf("client %d: %w", i, err)
		}
	}
	return r, nil
}

func (r *registry) add(w wireClient) error {
	if w.Subject == "" {
		w.Subject = w.ID
	}
	if !validSubject(w.ID) || !validSubject(w.Subject) {
		return fmt.Errorf("id and subject must have 1 to %d bytes of printable text", maxSubjectBytes)
	}
	if _, twice := r.byID[w.ID]; twice {
		return fmt.Errorf("the id %q is there twice", w.ID)
	}
	roles, err := ParseRoles(w.Roles)
	if err != nil {
		return err
	}
	if len(roles) == 0 { // a token without roles would have those of a token from before there were roles
		return errors.New("roles must name one at least: ingest, read or operate")
	}
	c := client{identity: Identity{Subject: w.Subject, Roles: roles}}
	if digest, random := strings.CutPrefix(w.SecretHash, digestPrefix); random {
		if c.digest, err = hex.DecodeString(digest); err != nil || len(c.digest) != sha256.Size {
			return errors.New("secret_hash must have 64 hex digits after the word sha256 and a colon")
		}
	} else {
		if cost, err := bcrypt.Cost([]byte(w.SecretHash)); err != nil || cost > maxCost {
			return fmt.Errorf("secret_hash must begin with sha256: or be one of bcrypt with a cost of at most %d", maxCost)
		}
		c.slow = []byte(w.SecretHash)
		r.decoy = c.slow
	}
	r.byID[w.ID] = c
	return nil
}

// Check returns whom a client with these credentials gets a token for, or ErrNoClient. It takes as long for an id that is
// there as for one that is not.
func (c *Clients) Check(id, secret string, now time.Time) (Identity, error) {
	r, ok := c.watched.get(now)
	if !ok {
		return Identity{}, ErrNoClient
	}
	found, known := r.byID[id]
	sum := sha256.Sum256([]byte(secret))
	digest, slow := found.digest, found.slow
	if digest == nil {
		digest = make([]byte, sha256.Size)
	}
	right := subtle.ConstantTimeCompare(sum[:], digest) == 1 && found.digest != nil
	if r.decoy != nil {
		if slow == nil {
			slow = r.decoy
		}
		same := len(secret) <= maxSecretBytes && bcrypt.CompareHashAndPassword(slow, []byte(secret)) == nil
		right = right || same && found.slow != nil
	}
	if !known || !right {
		return Identity{}, ErrNoClient
	}
	return found.identity, nil
}

// NewSecret returns a random secret of 256 bits and the hash for the file of clients.
func NewSecret() (secret, hash string) {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // it never fails
	secret = base64.RawURLEncoding.EncodeToString(random)
	sum := sha256.Sum256([]byte(secret))
	return secret, digestPrefix + hex.EncodeToString(sum[:])
}

// HashSecret returns the hash, for the file of clients, of a secret that somebody has chosen: by bcrypt, as it may be guessed.
func HashSecret(secret string) (string, error) {
	switch {
	case len(secret) < minSecretBytes || len(secret) > maxSecretBytes:
		return "", fmt.Errorf("the secret must have %d to %d bytes, has %d", minSecretBytes, maxSecretBytes, len(secret))
	case isSample(secret) || isPattern(secret):
		return "", errors.New("the secret is a sample or a repetition; " + howToMake)
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(secret), bcrypt.DefaultCost)
	if err != nil {
		return "", fmt.Errorf("hash the secret: %w", err)
	}
	return string(hash), nil
}
