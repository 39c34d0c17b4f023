package server

import (
	"github.com/detection-api/detection-api/app/internal/httpapi"
	"github.com/detection-api/detection-api/app/internal/token"
)

// identityOf says to the API whose token it is.
func identityOf(identity token.Identity) httpapi.Identity {
	roles := make([]httpapi.Role, len(identity.Roles))
	for i, role := range identity.Roles {
		roles[i] = httpapi.Role(role)
	}
	return httpapi.Identity{Subject: identity.Subject, Roles: roles, ExpiresAt: identity.ExpiresAt}
}
