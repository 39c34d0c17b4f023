// Package peer has what the service is compared with: the bare disk, bare SQLite, another queue, and nothing at all.
package peer
