package token

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// signingFile is the name of the file, in a directory of keys, that holds the kid of the one that signs.
	signingFile = "signing"
	// maxKeys bounds the keys that verify at one time: two while one follows another, and some room.
	maxKeys = 16
	// maxKidBytes bounds the name of a key, which is in each token.
	maxKidBytes = 64
)

// keys are those that verify at one time, and what was verified with them: tokens of a key that is taken away are forgotten
// with it.
type keys struct {
	byID    map[string]Key
	ids     []string // sorted
	signing string
	seen    *seen
}

// Ring holds the keys of a service, of which all verify and one signs. The zero Ring has none. It is safe for concurrent use.
type Ring struct {
	watched watched[*keys]
}

// Alone returns a ring with one key that has no name, so that a kid in a token chooses nothing.
func Alone(key Key) *Ring {
	if len(key.secret) == 0 {
		return &Ring{}
	}
	r := &Ring{}
	r.watched.current.Store(&state[*keys]{value: aloneKeys(key)})
	return r
}

func aloneKeys(key Key) *keys {
	return &keys{byID: map[string]Key{"": key}, ids: []string{""}, seen: newSeen()}
}

// Open reads the keys at a path and looks for new ones while they are used. The path is a file with one secret, or a directory
// in which the name of each file is the kid of the secret in it; names that begin with a dot are left out, so that a mounted
// Kubernetes Secret is such a directory. The key with the last name signs, or the one whose kid is in the file "signing": with
// it a key can be given to all pods before one of them signs with it. Tokens with a kid are verified by that key, tokens
// without one by each.
func Open(path string, opts Options) (*Ring, error) {
	r := &Ring{}
	return r, r.watched.open(path, opts, parseKeys)
}

// Verify returns whom a token that one of the keys signed was given to, if it is valid at now, give or take Leeway. The token
// is what follows "Bearer " in the Authorization header. It must have a subject and an end (exp). It may be minted elsewhere
// with the same secret, without an issuer (iss) and an audience (aud); those that it has must be Name. The error is for the
// log; tell the client nothing of it.
func (r *Ring) Verify(bearer string, now time.Time) (Identity, error) {
	k, ok := r.watched.get(now)
	if !ok {
		return Identity{}, errNoKey
	}
	return k.verify(bearer, now)
}

// Mint returns a token for an identity that is valid from now for the lifetime, which must be at least one second because
// the times in a token are whole seconds. With nil Roles the token has no such claim, which is more than with none of them.
func (r *Ring) Mint(id Identity, lifetime time.Duration, now time.Time) (string, error) {
	k, ok := r.watched.get(now)
	if !ok {
		return "", errNoKey
	}
	return k.byID[k.signing].mint(k.signing, id, lifetime, now)
}

// MintWith is Mint with the key of a kid, in place of the one that signs.
func (r *Ring) MintWith(kid string, id Identity, lifetime time.Duration, now time.Time) (string, error) {
	k, ok := r.watched.get(now)
	if !ok {
		return "", errNoKey
	}
	key, ok := k.byID[kid]
	if !ok {
		return "", fmt.Errorf("there is no key %.80q, there are: %s", kid, cmp.Or(strings.Join(k.ids, ", "), "one without a name"))
	}
	return key.mint(kid, id, lifetime, now)
}

func parseKeys(files map[string]string, directory bool) (*keys, error) {
	if !directory {
		key, err := NewKey(files[""])
		if err != nil {
			return nil, err
		}
		return aloneKeys(key), nil
	}
	k := &keys{byID: map[string]Key{}, seen: newSeen()}
	for kid, secret := range files {
		if kid == signingFile {
			continue
		}
		if !validKid(kid) {
			return nil, fmt.Errorf("the name of a key must have 1 to %d letters, digits, dots, dashes and underscores: %.80q", maxKidBytes, kid)
		}
		key, err := NewKey(secret)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", kid, err)
		}
		k.byID[kid], k.ids = key, append(k.ids, kid)
	}
	return k, k.order(files)
}

// order sorts the keys and chooses the one that signs.
func (k *keys) order(files map[string]string) error {
	slices.Sort(k.ids)
	if len(k.ids) == 0 {
		return errors.New("there is no key in the directory; each file in it is one, named by its kid; " + howToMake)
	}
	if len(k.ids) > maxKeys {
		return fmt.Errorf("there are %d keys, at most %d may verify at one time; take old ones away", len(k.ids), maxKeys)
	}
	k.signing = k.ids[len(k.ids)-1]
	if name, chosen := files[signingFile]; chosen {
		k.signing = strings.TrimSpace(name)
	}
	if _, ok := k.byID[k.signing]; !ok {
		return fmt.Errorf("the file %s names a key that is not there", signingFile)
	}
	return nil
}

func validKid(kid string) bool {
	outside := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	}
	return kid != "" && len(kid) <= maxKidBytes && !strings.ContainsFunc(kid, outside)
}
