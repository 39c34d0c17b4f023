package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// grantRig knows one client, which may report and read.
func grantRig() *rig {
	g := newRig()
	g.Issue = func(_ context.Context, id, secret string, scope []Role) (Grant, error) {
		if id != "drone 7" || secret != "s3cret:+" {
			return Grant{}, fmt.Errorf("look up %s: %w", id, ErrNoClient)
		}
		has := []Role{Ingest, Read}
		for _, role := range scope {
			if !slices.Contains(has, role) {
				return Grant{}, &detection.Error{Code: detection.CodeForbidden, Message: "no"}
			}
		}
		if len(scope) == 0 {
			scope = has
		}
		return Grant{Token: "a.b.c", Lifetime: time.Hour, Roles: scope}, nil
	}
	return g
}

func (g *rig) askToken(form url.Values, user, password string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, tokenPath, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", mediaForm)
	if user != "" {
		r.SetBasicAuth(url.QueryEscape(user), url.QueryEscape(password))
	}
	return g.serve(r)
}

func TestToken(t *testing.T) {
	plain := url.Values{"grant_type": {"client_credentials"}}
	inForm := url.Values{"grant_type": {"client_credentials"}, "client_id": {"drone 7"}, "client_secret": {"s3cret:+"}, "scope": {"ingest"}}
	for _, tt := range []struct {
		w     *httptest.ResponseRecorder
		scope string
	}{
		{grantRig().askToken(plain, "drone 7", "s3cret:+"), "ingest read"},
		{grantRig().askToken(inForm, "", ""), "ingest"},
	} {
		var got grantBody
		err := json.Unmarshal(tt.w.Body.Bytes(), &got)
		if tt.w.Code != http.StatusOK || err != nil || got != (grantBody{"a.b.c", "Bearer", 3600, tt.scope}) {
			t.Errorf("got %d %s %v", tt.w.Code, tt.w.Body, err)
		}
		if tt.w.Header().Get("Cache-Control") != "no-store" || tt.w.Header().Get("Pragma") != "no-cache" {
			t.Errorf("it may be kept: %v", tt.w.Header())
		}
	}
}

func TestTokenRefuses(t *testing.T) {
	form := func(pairs ...string) url.Values {
		v := url.Values{"grant_type": {"client_credentials"}}
		for i := 0; i < len(pairs); i += 2 {
			v[pairs[i]] = append(v[pairs[i]], pairs[i+1])
		}
		return v
	}
	tests := []struct {
		name           string
		form           url.Values
		user, password string
		status         int
		code           string
	}{
		{"no credentials", form(), "", "", 401, "invalid_client"},
		{"no secret", form("client_id", "drone 7"), "", "", 401, "invalid_client"},
		{"wrong secret", form(), "drone 7", "guess", 401, "invalid_client"},
		{"unknown client", form("client_id", "x", "client_secret", "s3cret:+"), "", "", 401, "invalid_client"},
		{"both places", form("client_id", "drone 7", "client_secret", "s3cret:+"), "drone 7", "s3cret:+", 400, "invalid_request"},
		{"twice", form("client_id", "a", "client_id", "b"), "", "", 400, "invalid_request"},
		{"no grant type", url.Values{"client_id": {"drone 7"}}, "", "", 400, "invalid_request"},
		{"password grant", url.Values{"grant_type": {"password"}}, "drone 7", "s3cret:+", 400, "unsupported_grant_type"},
		{"too much scope", form("scope", "read operate"), "drone 7", "s3cret:+", 400, "invalid_scope"},
		{"long", form("x", strings.Repeat("x", 5000)), "drone 7", "s3cret:+", 400, "invalid_request"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := grantRig()
			checkGrantError(t, g.askToken(tt.form, tt.user, tt.password), tt.status, tt.code)
			if text := g.log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "token refused") || strings.Contains(text, "s3cret") {
				t.Errorf("log: %s", text)
			}
		})
	}
	g := grantRig()
	r := httptest.NewRequest(http.MethodPost, tokenPath, strings.NewReader(`{"grant_type":"client_credentials"}`))
	checkGrantError(t, g.serve(r), 400, "invalid_request")
	g = newRig() // there are no clients
	checkGrantError(t, g.askToken(form(), "drone 7", "s3cret:+"), 401, "invalid_client")
	g = newRig()
	g.Issue = func(context.Context, string, string, []Role) (Grant, error) {
		return Grant{}, errors.New("secret-host")
	}
	checkRefusal(t, g.askToken(form(), "drone 7", "s3cret:+"), http.StatusInternalServerError, detection.CodeInternal, "")
}

func checkGrantError(t *testing.T, w *httptest.ResponseRecorder, status int, code string) {
	t.Helper()
	var got map[string]string
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != status || got["error"] != code || got["error_description"] == "" {
		t.Errorf("got %d %s, want %d %s", w.Code, w.Body, status, code)
	}
	if challenge := w.Header().Get("WWW-Authenticate"); (challenge != "") != (status == 401) || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("header: %v", w.Header())
	}
}

// TestTokenRate: a client, and an address, that asks again and again is slowed down, before its secret is looked at.
func TestTokenRate(t *testing.T) {
	now := time.Date(2026, 2, 15, 12, 0, 0, 0, time.UTC)
	g := grantRig()
	g.Now = func() time.Time { return now }
	g.TokenRate = 0.2
	form := url.Values{"grant_type": {"client_credentials"}}
	for range 2 {
		if w := g.askToken(form, "drone 7", "guess"); w.Code != http.StatusUnauthorized {
			t.Fatalf("got %d", w.Code)
		}
	}
	w := g.askToken(form, "drone 7", "s3cret:+")
	checkGrantError(t, w, http.StatusTooManyRequests, "temporarily_unavailable")
	if w.Header().Get("Retry-After") != "5" {
		t.Errorf("Retry-After: %q", w.Header().Get("Retry-After"))
	}
	refused := 0
	for n := range 30 { // 20 at once, of which 3 are gone
		if w := g.askToken(form, fmt.Sprint("other", n), "guess"); w.Code == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused != 13 {
		t.Errorf("%d of 30 clients at one address were refused, want 13", refused)
	}
	now = now.Add(time.Minute)
	if w := g.askToken(form, "drone 7", "s3cret:+"); w.Code != http.StatusOK {
		t.Errorf("later: %d", w.Code)
	}
}
