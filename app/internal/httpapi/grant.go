package httpapi

import (
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

const (
	tokenPath    = apiPath + "/auth/token"
	mediaForm    = "application/x-www-form-urlencoded"
	maxFormBytes = 4 << 10
)

// ErrNoClient says that the credentials are those of no client. An Issue returns or wraps it.
var ErrNoClient = errors.New("no client has these credentials")

// Grant is an access token and what it is good for.
type Grant struct {
	Token    string
	Lifetime time.Duration
	Roles    []Role
}

// grantBody is the answer of RFC 6749 section 5.1.
type grantBody struct {
	Token     string `json:"access_token"`
	Type      string `json:"token_type"`
	ExpiresIn int64  `json:"expires_in"` // seconds
	Scope     string `json:"scope"`
}

// grantError is the answer of RFC 6749 section 5.2. This path alone answers like that, because clients of OAuth read it.
type grantError struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
	status      int
}

func (e *grantError) Error() string { return e.Code + ": " + e.Description }

func badGrant(code, description string) error {
	return &grantError{code, description, http.StatusBadRequest}
}

// issueToken gives a client a token for its credentials (RFC 6749 section 4.4).
func (a *api) issueToken(x *exchange, r *http.Request) error {
	header := x.Header()
	header.Set(headerCacheControl, "no-store")
	header.Set("Pragma", "no-cache")
	grant, err := a.grant(x, r)
	var refusal *grantError
	if errors.As(err, &refusal) {
		x.err = err
		if refusal.status == http.StatusTooManyRequests {
			setSeconds(x, x.retryAfter)
		}
		if refusal.status == http.StatusUnauthorized {
			header.Set(headerAuthenticate, `Basic realm="detection-api"`)
		}
		return writeJSON(x, refusal.status, refusal)
	}
	if err != nil {
		return err
	}
	scope := make([]string, len(grant.Roles))
	for i, role := range grant.Roles {
		scope[i] = string(role)
	}
	return writeJSON(x, http.StatusOK, grantBody{grant.Token, "Bearer", int64(grant.Lifetime / time.Second), strings.Join(scope, " ")})
}

func (a *api) grant(x *exchange, r *http.Request) (Grant, error) {
	tooMany := &grantError{"temporarily_unavailable", "too many requests; see Retry-After", http.StatusTooManyRequests}
	if x.retryAfter = a.addresses.take(addressOf(r), 1, a.Now()); x.retryAfter > 0 {
		return Grant{}, tooMany
	}
	form, err := readForm(x, r)
	if err != nil {
		return Grant{}, err
	}
	id, secret, err := credentials(r, form)
	if err != nil {
		return Grant{}, err
	}
	if len(id) > maxTextBytes {
		return Grant{}, noClient()
	}
	if x.retryAfter = a.clients.take(id, 1, a.Now()); x.retryAfter > 0 {
		return Grant{}, tooMany
	}
	if form.Get("grant_type") != "client_credentials" {
		return Grant{}, badGrant("unsupported_grant_type", "grant_type must be client_credentials")
	}
	x.identity.Subject = id
	return a.issue(r, id, secret, strings.Fields(form.Get("scope")))
}

func (a *api) issue(r *http.Request, id, secret string, scope []string) (Grant, error) {
	if a.Issue == nil {
		return Grant{}, noClient()
	}
	roles := make([]Role, len(scope))
	for i, name := range scope {
		roles[i] = Role(name)
	}
	grant, err := a.Issue(r.Context(), id, secret, roles)
	if errors.Is(err, ErrNoClient) {
		return Grant{}, noClient()
	}
	if detection.CodeOf(err) == detection.CodeForbidden {
		return Grant{}, badGrant("invalid_scope", "the client does not have one of the roles in scope")
	}
	return grant, err
}

func noClient() error {
	return &grantError{"invalid_client", "no client has these credentials", http.StatusUnauthorized}
}

// readForm reads the parameters, none of which may be there twice (RFC 6749 section 3.2).
func readForm(x *exchange, r *http.Request) (url.Values, error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get(headerContentType))
	if err != nil || mediaType != mediaForm {
		return nil, badGrant("invalid_request", "the body must be "+mediaForm)
	}
	body, err := io.ReadAll(http.MaxBytesReader(x.ResponseWriter, r.Body, maxFormBytes))
	if err != nil {
		return nil, badGrant("invalid_request", "the body is incomplete or too large")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, badGrant("invalid_request", "the body cannot be decoded")
	}
	for _, values := range form {
		if len(values) > 1 {
			return nil, badGrant("invalid_request", "a parameter is there more than once")
		}
	}
	if !form.Has("grant_type") {
		return nil, badGrant("invalid_request", "grant_type is missing")
	}
	return form, nil
}

// credentials returns the client's id and secret, from one of the two places they may be in (RFC 6749 section 2.3.1).
func credentials(r *http.Request, form url.Values) (id, secret string, err error) {
	if len(r.Header.Values(headerAuthorization)) == 0 {
		id, secret = form.Get("client_id"), form.Get("client_secret")
		if id == "" || secret == "" {
			return "", "", noClient()
		}
		return id, secret, nil
	}
	if form.Has("client_secret") {
		return "", "", badGrant("invalid_request", "the credentials are in two places")
	}
	user, password, ok := basicOf(r)
	if !ok {
		return "", "", noClient()
	}
	id, errID := url.QueryUnescape(user)
	secret, errSecret := url.QueryUnescape(password)
	if errID != nil || errSecret != nil || id == "" {
		return "", "", noClient()
	}
	return id, secret, nil
}

// basicOf returns the name and password of the one Authorization header with the scheme Basic (RFC 7617).
func basicOf(r *http.Request) (user, password string, ok bool) {
	values := r.Header.Values(headerAuthorization)
	if len(values) != 1 {
		return "", "", false
	}
	scheme, text, found := strings.Cut(values[0], " ")
	if !found || !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(decoded), ":")
}

// addressOf is whom the request came from. Behind a proxy that is the proxy: what it says of others anyone could say.
func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
