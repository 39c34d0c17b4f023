package track

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/detection-api/detection-api/app/internal/geo"
)

// Options shape a Tracker. What is zero gets its default.
type Options struct {
	// Gate is the largest squared Mahalanobis distance between a sighting and where the object is expected. The default,
	// 9.2103, is the 99 % quantile of chi-square with two degrees of freedom, -2 ln 0.01: one sighting in a hundred of a
	// known object starts a track of its own.
	Gate float64
	// MaxDistanceMetres bounds that distance in metres, however uncertain both are. Default 100.
	MaxDistanceMetres float64
	// MaxAge is how long after its last sighting, or before it, an object is still recognised. Default one minute.
	MaxAge time.Duration
	// IndependentShare is the part of a sighting's variance that is new in each sighting of one camera, above 0 and at most
	// 1; the rest is the same in all of them: attitude, position, focal length, height of the ground. Default 0.2, see
	// docs/tracks.md.
	IndependentShare float64
	// Compatible says whether a detection of one class can be a sighting of an object of another. The default takes equal
	// names, and vehicle for armed_vehicle, in either direction.
	Compatible func(class, other string) bool
	Thresholds geo.Thresholds // of the flag
	// MaxTracks bounds the objects in memory, about 2 KB each with what is remembered of their sightings. The one that was
	// seen longest ago goes first. Default 10,000.
	MaxTracks int
}

// DefaultIndependentShare is the default of Options.IndependentShare.
const DefaultIndependentShare = 0.2

func (o Options) withDefaults() Options {
	o.Gate = orDefault(o.Gate, -2*math.Log(0.01))
	o.MaxDistanceMetres = orDefault(o.MaxDistanceMetres, 100)
	o.MaxAge = orDefault(o.MaxAge, time.Minute)
	o.IndependentShare = orDefault(o.IndependentShare, DefaultIndependentShare)
	o.MaxTracks = orDefault(o.MaxTracks, 10_000)
	if o.Compatible == nil {
		o.Compatible = compatible
	}
	if o.Thresholds == (geo.Thresholds{}) {
		o.Thresholds = geo.DefaultThresholds()
	}
	return o
}

func orDefault[T comparable](value, other T) T {
	var zero T
	if value == zero {
		return other
	}
	return value
}

func (o Options) validate() error {
	switch {
	case !(o.Gate > 0), !(o.MaxDistanceMetres > 0), o.MaxAge < 0, o.MaxTracks < 0, math.IsInf(o.Gate+o.MaxDistanceMetres, 0):
		return fmt.Errorf("gate %g, distance %g m, age %s and number %d of tracks must be positive", o.Gate, o.MaxDistanceMetres,
			o.MaxAge, o.MaxTracks)
	case !(o.IndependentShare > 0 && o.IndependentShare <= 1):
		return fmt.Errorf("the independent share must be above 0 and at most 1, is %g", o.IndependentShare)
	}
	if err := o.Thresholds.Validate(); err != nil {
		return fmt.Errorf("thresholds of tracks: %w", err)
	}
	return nil
}

func compatible(class, other string) bool {
	return kind(class) == kind(other)
}

func kind(class string) string {
	class = strings.ToLower(class)
	if class == "armed_vehicle" {
		return "vehicle"
	}
	return class
}

// motionOf is how objects of a class move. Speeds are about half of what is usual for the class, as a standard deviation in
// each direction; changes of velocity within a second are the square root of change.
func motionOf(class string) motion {
	switch kind(class) {
	case "person":
		return motion{speed: 1, change: 0.05}
	case "vehicle":
		return motion{speed: 8, change: 0.3}
	case "vessel":
		return motion{speed: 4, change: 0.02}
	case "aircraft", "drone":
		return motion{speed: 20, change: 2}
	case "fire":
		return motion{speed: 0.1, change: 0.0001}
	default:
		return motion{speed: 2, change: 0.1}
	}
}
