package main

import (
	"flag"
	"math"
	"time"

	"github.com/detection-api/detection-api/app/internal/server"
	"github.com/detection-api/detection-api/app/internal/track"
)

// trackFlags say when detections are sightings of one object.
type trackFlags struct {
	mode    string
	options track.Options
}

func (f *trackFlags) register(fs *flag.FlagSet, c *server.ServeConfig) {
	fs.StringVar(&f.mode, "tracks", "on", "on: repeated detections of one object are one object on the map; off: each is its own")
	fs.DurationVar(&c.TrackEvery, "track-every", time.Second, "a track is sent to TAK at most once in this time, by each pod")
	fs.DurationVar(&f.options.MaxAge, "track-max-age", time.Minute, "how long an object is recognised after its last sighting")
	fs.Float64Var(&f.options.MaxDistanceMetres, "track-max-distance-m", 100,
		"`metres` between a sighting and where the object is expected, at most")
	fs.Float64Var(&f.options.Gate, "track-gate", -2*math.Log(0.01),
		"largest squared Mahalanobis `distance` of the two; the default is the 99 % quantile")
	fs.Float64Var(&f.options.IndependentShare, "track-independent-share", track.DefaultIndependentShare,
		"`part` of a sighting's variance that is new in each picture of a camera, above 0 to 1; see docs/tracks.md")
	fs.IntVar(&f.options.MaxTracks, "track-max", 10_000, "`objects` in memory, at most")
}

func (f *trackFlags) resolve(c *server.ServeConfig) error {
	switch f.mode {
	case "off":
		return nil
	case "on":
	default:
		return wrongUsage("tracks: want on or off, got %q", f.mode)
	}
	if c.TrackEvery < 0 {
		return wrongUsage("track-every: want a duration of at least 0, got %v", c.TrackEvery)
	}
	if _, err := track.New(f.options); err != nil {
		return wrongUsage("tracks: %w", err)
	}
	c.Tracks = &f.options
	return nil
}
