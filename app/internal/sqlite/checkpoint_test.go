package sqlite

import (
	"bytes"
	"database/sql"
	"log/slog"
	"strings"
	"testing"
)

// TestALastingCheckpointFaultIsOneLine holds that a fault which is found each second does not fill the log, and that the
// next one is told again.
func TestALastingCheckpointFaultIsOneLine(t *testing.T) {
	db, err := sql.Open("sqlite3", "file:"+t.TempDir()+"/test.db?_journal=WAL")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	sound, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	broken, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := broken.Close(); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	c := &checkpointer{conn: broken, writer: &writer{}, log: slog.New(slog.NewTextHandler(&log, nil))}
	for range 10 {
		c.passive()
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 {
		t.Errorf("%d lines for one fault:\n%s", n, log.String())
	}
	c.conn = sound
	c.passive()
	c.conn = broken
	c.passive()
	if n := strings.Count(log.String(), "level=WARN"); n != 2 {
		t.Errorf("%d lines for two faults:\n%s", n, log.String())
	}
}
