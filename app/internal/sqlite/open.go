package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net/url"

	sqlite3 "github.com/mattn/go-sqlite3"
)

// minVersionNumber is SQLite 3.51.3. Versions 3.7.0 to 3.51.2 can corrupt a database when a checkpoint races a writer on
// another connection (https://sqlite.org/wal.html#the_wal_reset_bug), which is how this package works.
const minVersionNumber = 3051003

// syncFull makes each COMMIT sync the write-ahead log. The driver's own default, NORMAL, may lose acknowledged commits
// when the power fails (https://sqlite.org/pragma.html#pragma_synchronous).
const syncFull = "FULL"

// CacheBytes is about what one open Store or Queue takes beside Go's heap: SQLite's default page cache of 2,000 KiB
// (https://sqlite.org/pragma.html#pragma_cache_size) for the writer, the checkpointer, four readers and both ends of a copy.
const CacheBytes = 8 * 2000 << 10

// connector opens connections without registering a driver for the whole process.
type connector struct{ dsn string }

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.Driver().Open(c.dsn) }
func (c connector) Driver() driver.Driver                        { return &sqlite3.SQLiteDriver{} }

// openPool returns a pool of at most conns connections to the file; params are those of the driver. Nothing is opened yet.
func openPool(path string, conns int, params url.Values) *sql.DB {
	name := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: params.Encode()}
	pool := sql.OpenDB(connector{dsn: name.String()})
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	return pool
}

// openWriters is a pool for connections that change the file: the writer's and the checkpointer's.
func openWriters(path, synchronous string) *sql.DB {
	return openPool(path, 2, url.Values{
		"mode": {"rwc"}, "_journal": {"WAL"}, "_sync": {synchronous}, "_txlock": {"immediate"}, "_timeout": {"5000"},
	})
}

// openReaders is a pool for connections that cannot change the file.
func openReaders(path string, conns int) *sql.DB {
	return openPool(path, conns, url.Values{"mode": {"ro"}, "_query_only": {"1"}, "_timeout": {"5000"}})
}

// pin takes one writing connection for good, switches automatic checkpoints off (they would run inside some caller's
// COMMIT) and proves that it is as durable as it was asked to be.
func pin(ctx context.Context, pool *sql.DB, synchronous string) (*sql.Conn, error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	err = prove(ctx, conn, synchronous)
	if err == nil {
		_, err = conn.ExecContext(ctx, fmt.Sprintf("PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = %d", walKeepBytes))
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// checkVersion is needed at run time: a scanner of Go modules does not see into the C library.
func checkVersion(version string, number int) error {
	if number < minVersionNumber {
		return fmt.Errorf("SQLite %s can corrupt a database in WAL mode; build with 3.51.3 or newer (github.com/mattn/go-sqlite3 v1.14.36)", version)
	}
	return nil
}

func prove(ctx context.Context, conn *sql.Conn, synchronous string) error {
	version, number, _ := sqlite3.Version()
	if err := checkVersion(version, number); err != nil {
		return err
	}
	levels := map[string]int{"NORMAL": 1, syncFull: 2}
	var level int
	if err := conn.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&level); err != nil {
		return fmt.Errorf("read back synchronous: %w", err)
	}
	if want := levels[synchronous]; level != want {
		return fmt.Errorf("synchronous reads back %d, want %d (%s): do not override it when building SQLite", level, want, synchronous)
	}
	var journal string
	if err := conn.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&journal); err != nil {
		return fmt.Errorf("read back journal_mode: %w", err)
	}
	if journal != "wal" {
		return fmt.Errorf("journal_mode reads back %q, want wal: the file system may not support shared memory", journal)
	}
	return nil
}
