package token

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func writeClients(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestClients(t *testing.T) {
	secret, hash := NewSecret()
	chosen := "Vier Möwen, 8 Kähne"
	slow, err := HashSecret(chosen)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "clients.json")
	writeClients(t, path, fmt.Sprintf(`{"clients":[{"id":"uav-1","secret_hash":%q,"roles":["ingest"],"subject":"wing"},{"id":"map","secret_hash":%q,"roles":["read","operate"]}]}`, hash, slow))
	clients, err := OpenClients(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		id, secret, subject string
		roles               []Role
	}{
		{"uav-1", secret, "wing", []Role{Ingest}},
		{"map", chosen, "map", []Role{Read, Operate}},
	} {
		if id, err := clients.Check(tt.id, tt.secret, now); err != nil || id.Subject != tt.subject || !slices.Equal(id.Roles, tt.roles) {
			t.Errorf("%s: got %+v, %v", tt.id, id, err)
		}
	}
	for _, tt := range [][2]string{
		{"uav-1", chosen},
		{"map", secret},
		{"nobody", secret},
		{"nobody", chosen},
		{"", ""},
		{"uav-1", ""},
		{"map", ""},
		{"uav-1", hash},
		{"map", slow},
		{"map", chosen + " "},
		{"map", chosen + strings.Repeat("x", 100)},
		{"UAV-1", secret},
		{"wing", secret},
	} {
		if id, err := clients.Check(tt[0], tt[1], now); !errors.Is(err, ErrNoClient) || err.Error() != ErrNoClient.Error() || id.Subject != "" {
			t.Errorf("%q: got %+v, %v", tt, id, err)
		}
	}
	writeClients(t, path, `{"clients":[]}`)
	if _, err := clients.Check("uav-1", secret, now.Add(time.Hour)); !errors.Is(err, ErrNoClient) {
		t.Errorf("a client that was taken away: %v", err)
	}
	if _, err := (&Clients{}).Check("uav-1", secret, now); !errors.Is(err, ErrNoClient) {
		t.Errorf("no clients: %v", err)
	}
}

func TestOpenClientsRefuses(t *testing.T) {
	_, hash := NewSecret()
	client := `{"id":"a","secret_hash":"` + hash + `","roles":["read"]}`
	for name, text := range map[string]string{
		"not JSON":        "clients",
		"an unknown name": `{"clients":[],"users":[]}`,
		"a name twice":    `{"clients":[],"clients":[]}`,
		"a secret":        `{"clients":[{"id":"a","secret":"x","roles":["read"]}]}`,
		"no id":           `{"clients":[{"secret_hash":"` + hash + `","roles":["read"]}]}`,
		"a subject":       `{"clients":[{"id":"a","subject":"a\nb","secret_hash":"` + hash + `","roles":["read"]}]}`,
		"an id twice":     `{"clients":[` + client + `,` + client + `]}`,
		"no roles":        `{"clients":[{"id":"a","secret_hash":"` + hash + `","roles":[]}]}`,
		"an unknown role": `{"clients":[{"id":"a","secret_hash":"` + hash + `","roles":["admin"]}]}`,
		"no hash":         `{"clients":[{"id":"a","roles":["read"]}]}`,
		"a short hash":    `{"clients":[{"id":"a","secret_hash":"sha256:00","roles":["read"]}]}`,
		"a costly hash":   `{"clients":[{"id":"a","secret_hash":"$2a$31$0123456789012345678901abcdefghijklmnopqrstuvwxyzABCDE","roles":["read"]}]}`,
	} {
		path := filepath.Join(t.TempDir(), "clients.json")
		writeClients(t, path, text)
		if _, err := OpenClients(path, Options{}); err == nil || strings.Contains(err.Error(), hash) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := OpenClients(t.TempDir(), Options{}); err == nil {
		t.Error("a directory was taken")
	}
}

func TestHashSecretRefuses(t *testing.T) {
	for _, secret := range []string{"", "short", strings.Repeat("ab", 20), "changeme changeme changeme", strings.Repeat("x1y2z3A4", 10)} {
		if hash, err := HashSecret(secret); err == nil {
			t.Errorf("%q was hashed to %s", secret, hash)
		}
	}
}
