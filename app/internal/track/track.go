// Package track tells which detections are sightings of one object, and fuses them: a Kalman filter over the positions,
// whose stated error falls with each sighting, but not below what the errors that all sightings of a camera share leave.
package track

import (
	"hash/fnv"
	"math"
	"sync"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
)

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
	return &Tracker{opts: opts, objects: map[string]*object{}, near: grid{}, seen: newMemory(max(1024, 2*opts.MaxTracks))}, nil
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
	if !e.RetractedAt.IsZero() || d.Track == nil || t.seen.has(ended(d.Track.ID)) {
		return
	}
	if told, ok := t.seen.track(d.ID); ok && told.ID == d.Track.ID {
		return
	} else if ok { // another pod had accepted it before this one was told of it again
		t.disown(told)
	}
	if s, ok := sightingOf(d); ok {
		t.seen.put(d.ID, d.Track)
		t.learn(d.Track, &s)
	}
}

// learn adds a sighting to the object that it is one of, or begins with what its track says.
func (t *Tracker) learn(track *detection.Track, s *sighting) {
	o, ok := t.objects[track.ID]
	if ok {
		t.forget(o)
		o.take(s, t.opts.IndependentShare)
	} else if o, ok = restored(track, s); !ok {
		return
	}
	t.keep(o)
}

// disown drops an object that only a sighting made which is one of another.
func (t *Tracker) disown(track *detection.Track) {
	if o, known := t.objects[track.ID]; known && o.count == 1 {
		t.forget(o)
	}
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
	} else if track, ok := t.seen.track(retraction.Retracts); ok {
		id = track.ID
	}
	t.seen.put(ended(id), &detection.Track{ID: id})
	if o, known := t.objects[id]; known {
		t.forget(o)
	}
}

// find returns the object that a sighting is one of, nil when it is none that is known. Of several it is the likeliest.
func (t *Tracker) find(s *sighting) *object {
	var best *object
	least := math.Inf(1)
	age := t.opts.MaxAge.Seconds()
	consider := func(o *object) {
		if lag := o.seconds(s); lag > age || lag < -age || o.farther(s, lag, t.opts.MaxDistanceMetres) {
			return // as nearly all of them
		}
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

// cost is -2 ln of how likely the object is to be seen there, but for a constant. ok is false outside the gate. The gate
// takes the errors of both as independent, as the systematic one of a camera may change more than the filter thinks; for
// which one it is counts that two objects seen by one camera are displaced alike.
func (t *Tracker) cost(o *object, s *sighting) (cost float64, ok bool) {
	lag := o.seconds(s)
	if !t.opts.Compatible(s.class, o.class) || o.sawAt(s.camera, s.atMicros) {
		return 0, false
	}
	off := o.offset(s, lag)
	if math.Hypot(off[0], off[1]) > t.opts.MaxDistanceMetres {
		return 0, false
	}
	apart := o.spread(lag, o.motion).add(s.covariance)
	if apart.distance2(off) > t.opts.Gate {
		return 0, false
	}
	expected := o.expected(s, lag, apart, t.opts.IndependentShare)
	return expected.distance2(off) + math.Log(expected.det()), true
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

// tooPoor is the variance, in square metres, from which on a position says nothing: a standard deviation of 1000 km.
const tooPoor = 1e12

// sightingOf reads a sighting from a detection. ok is false when it has no usable position.
func sightingOf(d *detection.Detection) (s sighting, ok bool) {
	hash := fnv.New64a()
	hash.Write([]byte(d.CameraID))
	s = sighting{
		id: d.ID, class: d.ObjectClass, camera: float64(hash.Sum64() >> 12), // 52 bits are a whole number in a float64
		latDeg: d.Fix.LatDeg, lonDeg: d.Fix.LonDeg, covariance: covariance(d.Fix),
		atMicros: d.SeenAt.UnixMicro(), receivedMicros: d.ReceivedAt.UnixMicro(),
	}
	c := s.covariance
	return s, geo.LatLonHAE{LatDeg: s.latDeg, LonDeg: s.lonDeg}.Valid() && c.det() > 0 && c[0][0]+c[1][1] < tooPoor
}
