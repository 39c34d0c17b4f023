package server

import (
	"log/slog"
	"time"

	"github.com/detection-api/detection-api/app/internal/cot"
	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
	"github.com/detection-api/detection-api/app/internal/sqlite"
	"github.com/detection-api/detection-api/app/internal/tak"
	"github.com/detection-api/detection-api/app/internal/terrain"
	"github.com/detection-api/detection-api/app/internal/token"
	"github.com/detection-api/detection-api/app/internal/track"
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
	Keys          *token.Ring    // verify tokens, and sign those that clients get here
	Clients       *token.Clients // who may have a token for an id and a secret; nil: nobody
	TokenLifetime time.Duration  // of those tokens

	Thresholds geo.Thresholds
	Cameras    detection.Profiles // what is known of the cameras; nil: nothing
	Terrain    terrain.Options    // without a Dir there is no height model; logger, registry and clock are those of the service
	Tracks     *track.Options     // nil: each detection is an object of its own
	TrackEvery time.Duration      // a track goes to TAK at most once in this time

	PicturesDir      string // where pictures are kept; empty: nowhere
	PicturesMaxBytes int64
	PicturesMaxAge   time.Duration // 0: until there is no room

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

	ReadRate      float64 // requests a second that one subject may make to read; 0: no limit
	TokenRate     float64 // tokens a second that one client may ask for; 0: the default
	MaxStreams    int     // open at one time; 0: the default
	MaxBatchItems int     // 0: the default

	// TAKAddr is where events go: endpoints in order of preference (see tak.ParseEndpoints); empty: nothing is delivered.
	TAKAddr        string
	TAKTLS         tak.TLSOptions
	TAKMethod      string        // of HTTP endpoints, PUT or POST; empty: PUT
	TAKReturnAfter time.Duration // how long an endpoint that failed is passed over; 0: the default
	BacklogRate    float64       // events a second of those that waited; 0: no limit
	TAKExpireAfter time.Duration // a detection that waits longer is not sent any more; 0: it is sent however old
	CoTStale       time.Duration // where CoTProfile says nothing
	CoTProfile     *cot.Profile  // how object classes look on the map; nil: tactical
	CoTCameras     time.Duration // a camera is shown on the map at most once in this time; 0: cameras are not shown
}

// StoreConfig is what the store role is told.
type StoreConfig struct {
	Common
	Token   string
	Version string // of the program, written into the manifests of backups
	// RestartGrace is how long leases last at least after a restart, so that pods that are alive keep their rows.
	RestartGrace time.Duration
}
