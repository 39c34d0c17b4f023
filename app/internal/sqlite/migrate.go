package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"path/filepath"
)

// migrations holds the schemas, one folder for each database. Files run in the order of their names and only forward:
// file number n takes the schema from version n-1 to n, and PRAGMA user_version says where a database is.
//
// A file that was released is never changed. A new one expands first and contracts later: both blue/green slots share one
// store and old backups must open, so a release only adds (tables, columns with a default, triggers that let pass what the
// release before does), the next one moves the rows and stops using the old form, and only the one after that drops it.
//
//go:embed migrations
var migrations embed.FS

// migrate brings the database of conn to the newest schema in folder. It refuses one that is newer than this program.
func migrate(ctx context.Context, conn *sql.Conn, path, folder string) error {
	files, err := fs.Glob(migrations, "migrations/"+folder+"/*.sql")
	if err != nil {
		return err
	}
	var version int
	if err := conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if version > len(files) {
		return fmt.Errorf("%s has schema %d, this program knows only up to %d: run a newer detection-api",
			filepath.Base(path), version, len(files))
	}
	for i, file := range files[version:] {
		if err := step(ctx, conn, file, version+i+1); err != nil {
			return fmt.Errorf("migrate %s with %s: %w", filepath.Base(path), file, err)
		}
	}
	return nil
}

// step runs one migration and its version number in one transaction.
func step(ctx context.Context, conn *sql.Conn, file string, version int) error {
	text, err := migrations.ReadFile(file)
	if err != nil {
		return err
	}
	script := fmt.Sprintf("BEGIN IMMEDIATE;\n%s\nPRAGMA user_version = %d;\nCOMMIT;", text, version)
	if _, err := conn.ExecContext(ctx, script); err != nil {
		_, _ = conn.ExecContext(ctx, "ROLLBACK")
		return err
	}
	return nil
}
