package track

import (
	"container/list"
	"math"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
)

// object is what is known of one object.
type object struct {
	estimate
	id, class      string
	motion         motion
	count          int
	firstMicros    int64 // its earliest sighting
	receivedMicros int64 // when the latest news of it were accepted

	cell cell
	age  *list.Element
}

func newObject(s *sighting, share float64) *object {
	m := motionOf(s.class)
	return &object{
		estimate: start(s, m, share), id: s.id, class: s.class, motion: m, count: 1,
		firstMicros: s.atMicros, receivedMicros: s.receivedMicros,
	}
}

// take takes in one more sighting. One that would leave an estimate that says nothing starts the estimate anew.
func (o *object) take(s *sighting, share float64) {
	o.update(s, o.motion, share)
	if !o.sane() {
		o.estimate = start(s, o.motion, share)
	}
	o.count++
	o.firstMicros = min(o.firstMicros, s.atMicros)
	o.receivedMicros = max(o.receivedMicros, s.receivedMicros)
}

// sawAt says that a camera has seen the object at that time: what else is in the same picture is another object.
func (o *object) sawAt(camera float64, atMicros int64) bool {
	for i := range o.cameras {
		if o.cameras[i].camera == camera && o.cameras[i].seenMicros == atMicros {
			return true
		}
	}
	return false
}

// reach is how far from where it was a sighting may lie, in metres.
func (o *object) reach(opts Options) float64 {
	return opts.MaxDistanceMetres + math.Hypot(o.velocity[0], o.velocity[1])*opts.MaxAge.Seconds()
}

// track is what is known now, with a detection of it.
func (o *object) track(d *detection.Detection, thresholds geo.Thresholds) detection.Track {
	track := detection.Track{
		ID: o.id, Detections: o.count, FirstSeenAt: time.UnixMicro(o.firstMicros).UTC(), Fix: d.Fix, State: o.state(),
	}
	if o.count == 1 {
		return track
	}
	shape := shapeOf(o.covariance.position())
	major, minor := shape.SemiAxes90Metres()
	track.Fix.LatDeg, track.Fix.LonDeg = o.latDeg, o.lonDeg
	track.Fix.CE90Metres, track.Fix.Method = shape.CE90Metres(), detection.MethodFused
	track.Fix.Flag = thresholds.Flag(track.Fix.CE90Metres)
	track.Fix.Ellipse = detection.Ellipse{MajorMetres: 2 * major, MinorMetres: 2 * minor, BearingDeg: shape.MajorAzimuthDeg}
	return track
}

// shapeOf is the error ellipse of a covariance.
func shapeOf(covariance mat2) geo.Ellipse {
	major, minor, angle := covariance.eigen()
	azimuth := math.Mod(450-angle*180/math.Pi, 180)
	return geo.Ellipse{SigmaMajorMetres: math.Sqrt(max(0, major)), SigmaMinorMetres: math.Sqrt(max(0, minor)), MajorAzimuthDeg: azimuth}
}

// leastSigmaMetres is what no position is better than: the pixel, and the object's own size.
const leastSigmaMetres = 0.1

// covariance is that of a fix. Where the stated CE90 is larger than that of the ellipse, as for shallow rays whose error is
// not normal, it counts.
func covariance(fix detection.Fix) mat2 {
	perSigma, _ := geo.Ellipse{SigmaMajorMetres: 1}.SemiAxes90Metres()
	major, minor := fix.Ellipse.MajorMetres/2/perSigma, fix.Ellipse.MinorMetres/2/perSigma
	if !(major > 0) {
		major, minor = fix.CE90Metres/perSigma, fix.CE90Metres/perSigma
	}
	if stated := (geo.Ellipse{SigmaMajorMetres: major, SigmaMinorMetres: minor}).CE90Metres(); stated > 0 && fix.CE90Metres > stated {
		major, minor = major*fix.CE90Metres/stated, minor*fix.CE90Metres/stated
	}
	major, minor = max(major, leastSigmaMetres), max(minor, leastSigmaMetres)
	sin, cos := math.Sincos(fix.Ellipse.BearingDeg * math.Pi / 180) // of the major axis: east is sin, north is cos
	a, b := major*major, minor*minor
	return mat2{
		{a*sin*sin + b*cos*cos, (a - b) * sin * cos},
		{(a - b) * sin * cos, a*cos*cos + b*sin*sin},
	}
}

// ages has the objects in the order in which something was heard of them, the longest ago first.
type ages struct{ list list.List }

func (a *ages) put(o *object) { o.age = a.list.PushBack(o) }

func (a *ages) remove(o *object) { a.list.Remove(o.age) }

func (a *ages) first() *object {
	if front := a.list.Front(); front != nil {
		return front.Value.(*object)
	}
	return nil
}

// memory remembers, of so many detections, what was said of them. The ones that it was told first are forgotten first.
type memory struct {
	tracks map[string]*detection.Track // nil: of what is no detection
	order  []string                    // a ring
	next   int
}

func newMemory(size int) memory {
	return memory{tracks: map[string]*detection.Track{}, order: make([]string, size)}
}

func (m *memory) put(id string, track *detection.Track) {
	if _, known := m.tracks[id]; !known {
		delete(m.tracks, m.order[m.next])
		m.order[m.next] = id
		m.next = (m.next + 1) % len(m.order)
	}
	m.tracks[id] = track
}

func (m *memory) has(id string) bool {
	_, known := m.tracks[id]
	return known
}

func (m *memory) track(id string) (*detection.Track, bool) {
	track, known := m.tracks[id]
	return track, known
}
