package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Role is something that the holder of a token may do.
type Role string

// The roles.
const (
	Ingest  Role = "ingest"  // report detections
	Read    Role = "read"    // look at the record
	Operate Role = "operate" // retract, and what else operators do
)

// knownRoles are all of them, in the order in which they are told.
var knownRoles = [...]Role{Ingest, Read, Operate}

// Identity is who a token was given to, what its holder may do and until when. Roles must not be changed.
type Identity struct {
	Subject   string
	Roles     []Role
	ExpiresAt time.Time // the end of the token, without the leeway; Mint does not look at it
}

// Has says whether the holder has a role.
func (id Identity) Has(role Role) bool { return slices.Contains(id.Roles, role) }

// ParseRoles returns the roles with the names, each once, or an error for one that does not exist.
func ParseRoles(names []string) ([]Role, error) {
	roles := make([]Role, 0, len(names))
	for _, name := range names {
		role := Role(name)
		if !slices.Contains(knownRoles[:], role) {
			return nil, fmt.Errorf("a role must be ingest, read or operate, not %.40q", name)
		}
		if !slices.Contains(roles, role) {
			roles = append(roles, role)
		}
	}
	return roles, nil
}

// rolesClaim is the claim "roles": a list of names, of which those that are not known here are left out, as other services
// may have roles of their own. A token without the claim is one from before there were roles, or of an issuer that has none:
// it may report and read, as such tokens could, and nothing that is newer.
type rolesClaim struct {
	given bool
	roles []Role
}

// UnmarshalJSON takes a list of strings and nothing else: null is a mistake of the issuer's, and gives nothing.
func (c *rolesClaim) UnmarshalJSON(text []byte) error {
	var names []*string
	if err := json.Unmarshal(text, &names); err != nil || names == nil || slices.Contains(names, nil) {
		return errors.New("roles must be a list of strings")
	}
	c.given = true
	for _, name := range names {
		if roles, err := ParseRoles([]string{*name}); err == nil && !slices.Contains(c.roles, roles[0]) {
			c.roles = append(c.roles, roles[0])
		}
	}
	return nil
}

func (c rolesClaim) all() []Role {
	if !c.given {
		return []Role{Ingest, Read}
	}
	return c.roles
}
