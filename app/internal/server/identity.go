package server

import (
	"github.com/detection-api/detection-api/app/internal/httpapi"
	"github.com/detection-api/detection-api/app/internal/token"
)

// identityOf is what the API calls an identity.
func identityOf(id token.Identity) httpapi.Identity {
	roles := make([]httpapi.Role, len(id.Roles))
	for i, role := range id.Roles {
		roles[i] = httpapi.Role(role)
	}
	return httpapi.Identity{Subject: id.Subject, Roles: roles, ExpiresAt: id.ExpiresAt}
}
