// Package backup keeps verified copies of app.db in a directory, and puts one back.
//
// A copy is two files: app-<UTC time>.db, the database, and app-<UTC time>.json, its Manifest. Both are written under
// names that end in .partial, synced and verified by reading them back; then the manifest gets its name, and the database
// last. So a file app-*.db is a copy that was verified, after a crash at any moment too, and all else is a leftover.
package backup
