package peer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"maragu.dev/goqite"
)

// Goqite is a queue in SQLite of others (https://github.com/maragudk/goqite), on a database as durable as ours.
type Goqite struct {
	db    *sql.DB
	queue *goqite.Queue
}

// NewGoqite makes one in dir. Close it.
func NewGoqite(ctx context.Context, dir string) (*Goqite, error) {
	schema, err := goqiteSchema(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the schema of goqite: %w", err)
	}
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(dir, "goqite.db")+"?_journal=WAL&_sync=FULL&_txlock=immediate&_timeout=5000")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // as its documentation advises
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Goqite{db: db, queue: goqite.New(goqite.NewOpts{DB: db, Name: "q", Timeout: time.Minute})}, nil
}

// goqiteSchema reads the schema from the module, which does not embed it.
func goqiteSchema(ctx context.Context) (string, error) {
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "maragu.dev/goqite")
	list.Env = append(os.Environ(), "GOWORK=off") // the workspace does not have this module
	dir, err := list.Output()
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "schema_sqlite.sql"))
	return string(text), err
}

// Close gives the database up.
func (p *Goqite) Close() error { return p.db.Close() }

// Send puts one message, durably.
func (p *Goqite) Send(ctx context.Context, body []byte) error {
	return p.queue.Send(ctx, goqite.Message{Body: body})
}

// Finish receives one message and deletes it; false when there is none.
func (p *Goqite) Finish(ctx context.Context) (bool, error) {
	m, err := p.queue.Receive(ctx)
	if err != nil || m == nil {
		return false, err
	}
	return true, p.queue.Delete(ctx, m.ID)
}
