package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// Census is what a copy of app.db holds. Two copies of one moment have the same.
type Census struct {
	SchemaVersion int   `json:"schema_version"`
	Detections    int64 `json:"detections"`
	Outbox        int64 `json:"outbox"`
	DeadLetters   int64 `json:"dead_letters"`
	AuditEntries  int64 `json:"audit_entries"` // ever written
	// AuditFloor is how many of AuditEntries are gone: the oldest ones, cut off by retention.
	AuditFloor int64 `json:"audit_floor,omitempty"`
	// AuditHead is the hash of the newest entry of the audit trail in hexadecimal; empty when there is none. It depends on
	// every entry before.
	AuditHead string `json:"audit_head"`
	// NewestReceivedAt is when the newest detection was received; zero when there is none.
	NewestReceivedAt time.Time `json:"newest_received_at"`
}

// Inspect reads a finished copy of app.db from end to end. An error means that it must not be trusted: SQLite finds its
// structure unsound, the numbers of rows are not those the service counted, the audit trail is broken, or a detection is
// not the one that was accepted. The file must not be open anywhere for writing.
func Inspect(ctx context.Context, path string) (Census, error) {
	conn, err := pinned(ctx, openPool(path, 1, url.Values{"mode": {"ro"}, "immutable": {"1"}, "_query_only": {"1"}}))
	if err != nil {
		return Census{}, fmt.Errorf("open %s: %w", filepath.Base(path), err)
	}
	defer conn.Close()
	c, err := inspect(ctx, conn.Conn)
	if err != nil {
		return Census{}, fmt.Errorf("inspect %s: %w", filepath.Base(path), err)
	}
	return c, nil
}

// InspectLive does the same to an app.db that may be open anywhere, as it is at one moment. It changes nothing. The
// write-ahead log of a store that runs cannot be emptied meanwhile.
func InspectLive(ctx context.Context, path string) (Census, error) {
	if orphaned(path) {
		return Census{}, fmt.Errorf("%s is empty but its log is not", filepath.Base(path))
	}
	conn, err := pinned(ctx, openReaders(path, 1))
	if err != nil {
		return Census{}, fmt.Errorf("open %s: %w", filepath.Base(path), err)
	}
	defer conn.Close()
	_, err = beginReading(ctx, conn.Conn)
	var c Census
	if err == nil {
		c, err = inspect(ctx, conn.Conn)
	}
	if err != nil {
		return Census{}, fmt.Errorf("inspect %s: %w", filepath.Base(path), err)
	}
	return c, nil
}

func inspect(ctx context.Context, conn *sql.Conn) (c Census, err error) {
	if err := checkStructure(ctx, conn); err != nil {
		return c, err
	}
	if c, err = count(ctx, conn); err != nil {
		return c, err
	}
	if err := checkCounts(ctx, conn, c); err != nil {
		return c, err
	}
	var stray int64
	if err := conn.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM outbox WHERE seq NOT IN (SELECT seq FROM detections))
		+ (SELECT count(*) FROM dead_letters WHERE seq NOT IN (SELECT seq FROM detections))`).Scan(&stray); err != nil || stray > 0 {
		return c, errors.Join(fmt.Errorf("%d outbox rows or dead letters have no detection", stray), err)
	}
	if err := walk(ctx, conn, &c); err != nil {
		return c, err
	}
	return c, checkCatalogue(ctx, conn)
}

// forgets says that the schema is one that lets detections and audit entries go.
func forgets(ctx context.Context, conn *sql.Conn) (bool, error) {
	return hasTable(ctx, conn, "audit_floor")
}

// hasTable tells one schema from those before it.
func hasTable(ctx context.Context, conn *sql.Conn, name string) (found bool, err error) {
	err = conn.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?`, name).Scan(&found)
	if err != nil {
		return false, fmt.Errorf("read schema: %w", err)
	}
	return found, nil
}

// checkCounts holds the numbers that the service keeps against what is there.
func checkCounts(ctx context.Context, conn *sql.Conn, c Census) error {
	var counted detection.StoreStats
	if err := conn.QueryRowContext(ctx, `SELECT detections, outbox, dead_letters FROM counts`).
		Scan(&counted.Detections, &counted.Outbox, &counted.DeadLetters); err != nil {
		return fmt.Errorf("read counts: %w", err)
	}
	if counted != (detection.StoreStats{Detections: c.Detections, Outbox: c.Outbox, DeadLetters: c.DeadLetters}) {
		return fmt.Errorf("the service counted %+v, there are %d detections, %d outbox rows, %d dead letters",
			counted, c.Detections, c.Outbox, c.DeadLetters)
	}
	if found, err := forgets(ctx, conn); err != nil || !found {
		return err
	}
	var bytes, there int64
	if err := conn.QueryRowContext(ctx, `SELECT bytes, (SELECT coalesce(sum(octet_length(body)), 0) FROM detections) FROM counts`).
		Scan(&bytes, &there); err != nil {
		return fmt.Errorf("read bytes: %w", err)
	}
	if bytes != there {
		return fmt.Errorf("the service counted %d bytes of detections, there are %d", bytes, there)
	}
	return nil
}

// checkStructure asks SQLite itself, which looks at pages, rows and indexes, not at what is written in them.
func checkStructure(ctx context.Context, conn *sql.Conn) error {
	var said string
	if err := conn.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&said); err != nil {
		return fmt.Errorf("check integrity: %w", err)
	}
	if said != "ok" {
		return fmt.Errorf("check integrity: %s", said)
	}
	return nil
}

// count counts the rows one by one, but for the audit trail, which walk does.
func count(ctx context.Context, conn *sql.Conn) (c Census, err error) {
	if err := conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&c.SchemaVersion); err != nil {
		return c, fmt.Errorf("read schema version: %w", err)
	}
	known, err := migrations.ReadDir("migrations/app")
	if err != nil {
		return c, err
	}
	if c.SchemaVersion < 1 || c.SchemaVersion > len(known) {
		return c, fmt.Errorf("it has schema %d, this program knows 1 to %d", c.SchemaVersion, len(known))
	}
	err = conn.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM detections), (SELECT count(*) FROM outbox),
		(SELECT count(*) FROM dead_letters)`).Scan(&c.Detections, &c.Outbox, &c.DeadLetters)
	if err != nil {
		return c, fmt.Errorf("count rows: %w", err)
	}
	c.NewestReceivedAt, err = newestReceivedAt(ctx, conn)
	return c, err
}

// newestReceivedAt reads the time from the detection itself, because the audit trail vouches for that and not for the
// column. It is zero when there is no detection.
func newestReceivedAt(ctx context.Context, conn *sql.Conn) (time.Time, error) {
	var body []byte
	err := conn.QueryRowContext(ctx, `SELECT body FROM detections ORDER BY seq DESC LIMIT 1`).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	var d detection.Detection
	if err == nil {
		err = json.Unmarshal(body, &d)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read the newest detection: %w", err)
	}
	return d.ReceivedAt.UTC(), nil
}
