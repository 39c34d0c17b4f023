package httpapi

import (
	"errors"
	"net/http"
	"strings"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/labstack/echo/v4"
)

var (
	errNoBearer        = errors.New("there is not exactly one Authorization header with a bearer token")
	errNoAuthenticator = errors.New("no authenticator is configured")
)

// authenticate lets nobody without a valid token at or below detectionsPath, whether there is a route or not. It runs
// before the body is read. It compares the decoded path, which begins with detectionsPath whenever the router's raw path does.
func (a *api) authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !strings.HasPrefix(c.Request().URL.Path, detectionsPath) {
			return next(c)
		}
		subject, err := a.subject(c.Request())
		if err != nil {
			c.Response().Header().Set(echo.HeaderWWWAuthenticate, "Bearer")
			// One answer for every cause: what was wrong with a token helps only who tries tokens out.
			return &detection.Error{Code: detection.CodeUnauthorized, Message: "a valid bearer token is required", Err: err}
		}
		exchangeOf(c).subject = subject
		return next(c)
	}
}

func (a *api) subject(r *http.Request) (string, error) {
	if a.Authenticate == nil {
		return "", errNoAuthenticator
	}
	bearer, ok := bearerOf(r)
	if !ok {
		return "", errNoBearer
	}
	return a.Authenticate(bearer)
}

// bearerOf returns the token of the one Authorization header, or false when there is none, several or another scheme.
func bearerOf(r *http.Request) (string, bool) {
	values := r.Header.Values(echo.HeaderAuthorization)
	if len(values) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	return strings.TrimLeft(token, " "), ok && strings.EqualFold(scheme, "Bearer")
}
