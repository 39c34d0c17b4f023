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
		if r.URL.Path == kmlPath { // Google Earth asks its user for a name and a password then
			x.Header().Add(headerAuthenticate, `Basic realm="detection-api: the password is a token", charset="UTF-8"`)
		}
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
			message := "this needs the role " + string(r.role) + ", which the token does not have"
			return &detection.Error{Code: detection.CodeForbidden, Message: message}
		}
		if r.role == Read {
			if x.retryAfter = a.readers.take(x.identity.Subject, 1, a.Now()); x.retryAfter > 0 {
				return &detection.Error{Code: detection.CodeRateLimited, Message: "this token's subject asks too often; see Retry-After"}
			}
		}
		return handle(x, request)
	}
	return r
}

// bearerOf returns the token of the one Authorization header, or false when there is none, several or another scheme. To
// read, the token may also be the password of Basic, with any name: maps such as Google Earth and QGIS can send nothing else.
// Not to write: browsers send what they know of Basic also where another site asks them to.
func bearerOf(r *http.Request) (string, bool) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		if _, password, ok := basicOf(r); ok {
			return password, password != ""
		}
	}
	values := r.Header.Values(headerAuthorization)
	if len(values) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	return strings.TrimLeft(token, " "), ok && strings.EqualFold(scheme, "Bearer")
}
