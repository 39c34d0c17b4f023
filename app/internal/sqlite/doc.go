// Package sqlite keeps detections in SQLite: Store is the service's store of record (app.db), Queue is what one pod has
// accepted and not yet handed on (queue.db). Both commit through one writer that shares each disk sync between all
// callers who wait for it, and both answer nil only after SQLite has synced the write-ahead log.
//
// One process owns a database file; a lock file beside it keeps others out. Nothing in the process may open a database
// file except through this package: closing any descriptor of it would drop SQLite's POSIX locks
// (https://sqlite.org/howtocorrupt.html, section 2.2).
package sqlite
