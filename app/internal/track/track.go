// Package track tells which detections are sightings of one object, and fuses them: a Kalman filter over the positions,
// whose stated error falls with each sighting, but not below what the errors that all sightings of a camera share leave.
package track

import (
	"fmt"
	"hash/fnv"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
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

// Tracker knows the objects that were seen of late. Its methods are safe for concurrent use, and what it says depends on
// nothing but the order in which it is told. A nil Tracker tracks nothing.
type Tracker struct {
	opts Options

	mu      sync.Mutex
	objects map[string]*object
	near    grid
	reach   float64 // metres: no object is expected farther than this from where it was last
	oldest  ages
	seen    memory
	swept   int64 // microseconds: when objects were last looked through for age
}

// New makes a Tracker.
func New(opts Options) (*Tracker, error) {
	opts = opts.withDefaults()
	if err := opts.validate(); err != nil {
		return nil, err
	}
	return &Tracker{opts: opts, objects: map[string]*object{}, near: grid{}, seen: newMemory(2 * opts.MaxTracks)}, nil
}

// Observe tells of a detection that is being accepted and sets its Track, which must not be changed. A detection that was
// told of before gets what it got then.
func (t *Tracker) Observe(d *detection.Detection) {
	if t == nil || d.Retracts != "" {
		return
	}
	s, ok := sightingOf(d)
	if !ok {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if known, ok := t.seen.track(d.ID); ok {
		d.Track = known
		return
	}
	o := t.find(&s)
	if o == nil {
		o = newObject(&s, t.opts.IndependentShare)
	} else {
		t.forget(o)
		o.take(&s, t.opts.IndependentShare)
	}
	t.keep(o)
	track := o.track(d, t.opts.Thresholds)
	t.seen.put(d.ID, &track)
	d.Track = &track
}

// Learn takes in an entry of the record, whichever pod has accepted it: a sighting of an object, or that one was taken back,
// with which its track ends.
func (t *Tracker) Learn(e detection.Entry) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	d := &e.Detection
	if d.Retracts != "" {
		t.end(d)
		return
	}
	if !e.RetractedAt.IsZero() || d.Track == nil || t.seen.has(d.ID) || t.seen.has(ended(d.Track.ID)) {
		return
	}
	s, ok := sightingOf(d)
	if !ok {
		return
	}
	t.seen.put(d.ID, d.Track)
	o, known := t.objects[d.Track.ID]
	switch {
	case known:
		t.forget(o)
		o.take(&s, t.opts.IndependentShare)
	default:
		if o, ok = restored(d.Track, &s); !ok {
			return
		}
	}
	t.keep(o)
}

// Len is how many objects are known.
func (t *Tracker) Len() int {
	if t == nil {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.objects)
}

// ended is the name under which it is remembered that a track has ended.
func ended(id string) string { return "ended " + id }

// end ends the track of a detection that is taken back: part of its estimate was no such object.
func (t *Tracker) end(retraction *detection.Detection) {
	id := retraction.Retracts
	if retraction.Track != nil {
		id = retraction.Track.ID
	} else if track, ok := t.seen.track(retraction.Retracts); ok && track != nil {
		id = track.ID
	}
	t.seen.put(ended(id), nil)
	if o, known := t.objects[id]; known {
		t.forget(o)
	}
}

// find returns the object that a sighting is one of, nil when it is none that is known. Of several it is the likeliest.
func (t *Tracker) find(s *sighting) *object {
	var best *object
	least := math.Inf(1)
	consider := func(o *object) {
		cost, ok := t.cost(o, s)
		if ok && (cost < least || cost == least && o.id < best.id) {
			best, least = o, cost
		}
	}
	if !t.near.near(s.latDeg, s.lonDeg, t.reach, consider) {
		for _, o := range t.objects {
			consider(o)
		}
	}
	return best
}

// cost is -2 ln of how likely the object is to be seen there, but for a constant. ok is false outside the gate.
func (t *Tracker) cost(o *object, s *sighting) (cost float64, ok bool) {
	lag := o.seconds(s)
	if math.Abs(lag) > t.opts.MaxAge.Seconds() || !t.opts.Compatible(s.class, o.class) || o.sawAt(s.camera, s.atMicros) {
		return 0, false
	}
	if far := math.Abs(s.latDeg-o.latDeg) * metresPerDeg; far > o.reach(t.opts) {
		return 0, false
	}
	off := o.offset(s, lag)
	if math.Hypot(off[0], off[1]) > t.opts.MaxDistanceMetres {
		return 0, false
	}
	apart := o.spread(lag, o.motion).add(s.covariance)
	distance := apart.distance2(off)
	return distance + math.Log(apart.det()), distance <= t.opts.Gate
}

// keep puts an object where it is found, and drops what there is no room for.
func (t *Tracker) keep(o *object) {
	t.objects[o.id] = o
	t.near.put(o)
	t.oldest.put(o)
	t.reach = max(t.reach, o.reach(t.opts))
	for len(t.objects) > t.opts.MaxTracks {
		t.forget(t.oldest.first())
	}
	t.sweep(o.receivedMicros)
}

func (t *Tracker) forget(o *object) {
	delete(t.objects, o.id)
	t.near.remove(o)
	t.oldest.remove(o)
}

// sweep drops, now and then, what nothing was heard of for twice the age: half of that is for what comes late.
func (t *Tracker) sweep(nowMicros int64) {
	age := t.opts.MaxAge.Microseconds()
	if since := nowMicros - t.swept; since >= 0 && since < age/4 {
		return
	}
	t.swept = nowMicros
	for o := t.oldest.first(); o != nil && nowMicros-o.receivedMicros > 2*age; o = t.oldest.first() {
		t.forget(o)
	}
	t.reach = 0
	for _, o := range t.objects {
		t.reach = max(t.reach, o.reach(t.opts))
	}
}

// sightingOf reads a sighting from a detection. ok is false when it has no usable position.
func sightingOf(d *detection.Detection) (s sighting, ok bool) {
	hash := fnv.New64a()
	hash.Write([]byte(d.CameraID))
	s = sighting{
		id: d.ID, class: d.ObjectClass, camera: float64(hash.Sum64() >> 12), // 52 bits are a whole number in a float64
		latDeg: d.Fix.LatDeg, lonDeg: d.Fix.LonDeg, covariance: covariance(d.Fix),
		atMicros: d.SeenAt.UnixMicro(), receivedMicros: d.ReceivedAt.UnixMicro(),
	}
	det := s.covariance.det()
	return s, geo.LatLonHAE{LatDeg: s.latDeg, LonDeg: s.lonDeg}.Valid() && det > 0 && det < 1e24
}
