package server_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/backup"
	"github.com/detection-api/detection-api/app/internal/server"
	"github.com/detection-api/detection-api/app/internal/storeapi"
)

const storeToken = "a token that only this test's two roles know"

func startStore(t *testing.T, dir string) *running {
	t.Helper()
	s, err := server.NewStore(t.Context(), server.StoreConfig{Common: common(t, dir), Token: storeToken, Version: "1.2.3"})
	return start(t, s, err)
}

// fetched is the answer to a request without a body, with a bearer token if there is one.
func fetched(t *testing.T, method, url, token string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// TestTheStoreRoleIsCopied takes a copy of a running store role, which tells the time of it from then on, also after a
// restart.
func TestTheStoreRoleIsCopied(t *testing.T) {
	dir := t.TempDir()
	store := startStore(t, dir)
	const gauge = "backup_last_verified_timestamp_seconds"
	if _, text := fetched(t, http.MethodGet, store.url+"/metrics", ""); !strings.Contains(text, gauge+" 0\n") {
		t.Error("before the first backup the metric is not 0")
	}
	client, err := storeapi.NewClient(storeapi.ClientOptions{BaseURL: store.url, Token: storeToken, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	m, err := backup.Job{
		Source: backup.Remote{Client: client}, Directory: backup.Directory{Path: t.TempDir()}, Now: time.Now,
		Progress: func(string, ...any) {},
	}.Run(t.Context())
	if err != nil || m.ServiceVersion != "1.2.3" || m.Store == "" {
		t.Fatalf("manifest %+v, %v", m, err)
	}
	for _, restart := range []bool{false, true} {
		if restart {
			if err := store.stop(); err != nil {
				t.Fatal(err)
			}
			store = startStore(t, dir)
		}
		if _, text := fetched(t, http.MethodGet, store.url+"/metrics", ""); !strings.Contains(text, "\n"+gauge+" 1") {
			t.Errorf("restarted %v: the metric is not there", restart)
		}
	}
}

func TestBackupCallsNeedTheToken(t *testing.T) {
	store := startStore(t, t.TempDir())
	for path, method := range map[string]string{"/v1/backup/copy": http.MethodGet, "/v1/backup": http.MethodPost} {
		for _, token := range []string{"", "wrong"} {
			if status, _ := fetched(t, method, store.url+path, token); status != http.StatusUnauthorized {
				t.Errorf("%s with token %q: %d, want 401", path, token, status)
			}
		}
		if status, _ := fetched(t, method, store.url+path, storeToken); status == http.StatusUnauthorized {
			t.Errorf("%s with the token: 401", path)
		}
	}
}
