package httpapi

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

var (
	errNoBearer        = errors.New("there is not exactly one Authorization header with a bearer token")
	errNoAuthenticator = errors.New("no authenticator is configured")
)

// Identity is who a token was given to and what its holder may do.
type Identity struct {
	Subject   string
	Roles     []Role
	ExpiresAt time.Time // the end of the token; zero: not known
}

// authenticate lets nobody without a valid token below apiPath, whether there is a route or not, except to the routes that
// are open. It runs before the body is read. It compares the decoded path: that begins with apiPath whenever the router's raw
// path does, and no raw path that leads to a closed route decodes to an open one's.
func (a *api) authenticate(x *exchange, r *http.Request) error {
	if path := r.URL.Path; path != apiPath && !strings.HasPrefix(path, apiPath+"/") || a.open[path] {
		return nil
	}
	identity, err := a.identify(r)
	if err != nil {
		x.Header().Set(headerAuthenticate, "Bearer")
		// One answer for every cause: what was wrong with a token helps only who tries tokens out.
		return &detection.Error{Code: detection.CodeUnauthorized, Message: "a valid bearer token is required", Err: err}
	}
	x.identity = identity
	return nil
}

func (a *api) identify(r *http.Request) (Identity, error) {
	if a.Authenticate == nil {
		return Identity{}, errNoAuthenticator
	}
	bearer, ok := bearerOf(r)
	if !ok {
		return Identity{}, errNoBearer
	}
	return a.Authenticate(bearer)
}

// authorize returns the route's handler, for those only who have its role.
func (a *api) authorize(r route) route {
	handle := r.handle
	if r.role == "" {
		return r
	}
	r.handle = func(x *exchange, request *http.Request) error {
		if !slices.Contains(x.identity.Roles, r.role) {
			return &detection.Error{Code: detection.CodeForbidden, Message: "this needs the role " + string(r.role) + ", which the token does not have"}
		}
		return handle(x, request)
	}
	return r
}

// bearerOf returns the token of the one Authorization header, or false when there is none, several or another scheme.
func bearerOf(r *http.Request) (string, bool) {
	values := r.Header.Values(headerAuthorization)
	if len(values) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	return strings.TrimLeft(token, " "), ok && strings.EqualFold(scheme, "Bearer")
}
