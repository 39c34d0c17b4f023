package server

import (
	"log/slog"
	"time"

	"github.com/detection-api/detection-api/app/internal/geo"
	"github.com/detection-api/detection-api/app/internal/sqlite"
	"github.com/detection-api/detection-api/app/internal/token"
)

// Common is what both roles are told.
type Common struct {
	ListenAddr   string // host:port; port 0 takes a free one
	DataDir      string // made when it is missing; app.db or queue.db live in it
	MinFreeBytes int64  // free space of the disk below which nothing is accepted
	// AllowNetworkFileSystem lets DataDir be where SQLite's locks and syncs may not hold.
	AllowNetworkFileSystem bool
	DrainDelay             time.Duration // how long connections are wound down before the listener closes
	ShutdownTimeout        time.Duration // how long the last requests (at most half of it), and then the hand-over, may take
	// Retention is what the store of this process removes by itself. It is none of a role without a store.
	Retention sqlite.Retention
	Logger    *slog.Logger
	Now       func() time.Time
	// Fatal is told of an I/O error of a database, after which nothing it says can be trusted: the process must exit.
	Fatal func(error)
}

// ServeConfig is what the serve role is told.
type ServeConfig struct {
	Common
	Key        token.Key
	Thresholds geo.Thresholds

	StoreURL     string // empty: a store of its own in DataDir
	StoreToken   string
	StoreTimeout time.Duration

	PodName       string // owner of the leases, unique among live pods
	Slot          string // blue/green slot, told by /ready; may be empty
	Lease         time.Duration
	QueueMaxBytes int64
	MaxBodyBytes  int64
	TargetWait    time.Duration // for a commit, from which follows how many detections may be in progress; 0: no bound
	SubjectRate   float64       // detections a second that one token's subject may report; 0: no limit

	TAKAddr  string // host:port; empty: nothing is delivered
	CoTStale time.Duration
}

// StoreConfig is what the store role is told.
type StoreConfig struct {
	Common
	Token   string
	Version string // of the program, written into the manifests of backups
	// RestartGrace is how long leases last at least after a restart, so that pods that are alive keep their rows.
	RestartGrace time.Duration
}
