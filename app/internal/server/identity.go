package server

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/detection-api/detection-api/app/internal/detection"
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

// issuer gives clients tokens for their credentials, or is nil when there are no clients.
func issuer(cfg ServeConfig) func(context.Context, string, string, []httpapi.Role) (httpapi.Grant, error) {
	if cfg.Clients == nil {
		return nil
	}
	return func(_ context.Context, id, secret string, scope []httpapi.Role) (httpapi.Grant, error) {
		now := cfg.Now()
		client, err := cfg.Clients.Check(id, secret, now)
		if errors.Is(err, token.ErrNoClient) {
			return httpapi.Grant{}, httpapi.ErrNoClient
		}
		if err != nil {
			return httpapi.Grant{}, err
		}
		if client.Roles, err = within(client.Roles, scope); err != nil {
			return httpapi.Grant{}, err
		}
		bearer, err := cfg.Keys.Mint(client, cfg.TokenLifetime, now)
		if err != nil {
			return httpapi.Grant{}, fmt.Errorf("sign a token: %w", err)
		}
		return httpapi.Grant{Token: bearer, Lifetime: cfg.TokenLifetime, Roles: identityOf(client).Roles}, nil
	}
}

// within are the roles that were asked for, or all when none was.
func within(roles []token.Role, scope []httpapi.Role) ([]token.Role, error) {
	if len(scope) == 0 {
		return roles, nil
	}
	asked := make([]token.Role, len(scope))
	for i, role := range scope {
		if asked[i] = token.Role(role); !slices.Contains(roles, asked[i]) {
			return nil, &detection.Error{Code: detection.CodeForbidden, Message: fmt.Sprintf("the client has not the role %s", role)}
		}
	}
	return asked, nil
}
