package track

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
)

// TestMemoryIsBounded by number and by age.
func TestMemoryIsBounded(t *testing.T) {
	s, tracker := newScene(1, 0.2), newTracker(t, Options{MaxTracks: 100})
	for i := range 2000 {
		observe(tracker, exact(s, fmt.Sprint(i), "a", "vehicle", 0, 300*float64(i), 0, 5))
	}
	if tracker.Len() != 100 || len(tracker.seen.tracks) > 1024 || tracker.oldest.list.Len() != 100 || tracker.cells() != 100 {
		t.Errorf("%d objects, %d sightings, %d in the grid", tracker.Len(), len(tracker.seen.tracks), tracker.cells())
	}
	observe(tracker, exact(s, "late", "a", "vehicle", 200, 0, 0, 5))
	if tracker.Len() != 1 || tracker.cells() != 1 {
		t.Errorf("%d objects after all but one were not seen for minutes", tracker.Len())
	}
}

func (t *Tracker) cells() (n int) {
	for _, objects := range t.near {
		n += len(objects)
	}
	return n
}

// TestTheGridFindsAll holds the grid against a look at each object, anywhere on earth and across the antimeridian.
func TestTheGridFindsAll(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 3))
	for _, place := range []geo.LatLonHAE{{}, {LatDeg: 47, LonDeg: 8}, {LatDeg: -16, LonDeg: 180}, {LatDeg: 78, LonDeg: -179.999}, {LatDeg: -89.2, LonDeg: 50}} {
		frame := geo.FrameAt(place)
		draw := func() geo.LatLonHAE {
			s := scene{frame: frame}
			return s.at(3000*(random.Float64()-0.5), 3000*(random.Float64()-0.5))
		}
		g := grid{}
		var all []*object
		for range 300 {
			at := draw()
			o := &object{estimate: estimate{latDeg: at.LatDeg, lonDeg: at.LonDeg}}
			g.put(o)
			all = append(all, o)
		}
		for range 100 {
			from, metres := draw(), 50+1500*random.Float64()
			found := map[*object]bool{}
			if !g.near(from.LatDeg, from.LonDeg, metres, func(o *object) { found[o] = true }) {
				t.Fatalf("not to be found by cells near %+v", place)
			}
			for _, o := range all {
				if geo.HorizontalDistanceMetres(from, geo.LatLonHAE{LatDeg: o.latDeg, LonDeg: o.lonDeg}) <= metres && !found[o] {
					t.Fatalf("one that lies within %.0f m is not found near %+v", metres, place)
				}
			}
		}
	}
}

// TestItDependsOnTheOrderOnly holds that two trackers that are told the same say the same, to the last bit.
func TestItDependsOnTheOrderOnly(t *testing.T) {
	run := func() (tracks []*detection.Track) {
		s, tracker := newScene(9, 0.2), newTracker(t, Options{})
		for i := range 2000 {
			at := 200 * s.random.Float64()
			tracks = append(tracks, observe(tracker, s.sees(fmt.Sprint(i%5), float64(i)/10, at, at, 10, 5, 30)))
		}
		return tracks
	}
	if !slices.EqualFunc(run(), run(), func(a, b *detection.Track) bool { return reflect.DeepEqual(a, b) }) {
		t.Error("the same reports gave other tracks")
	}
}

// TestConcurrentUse is for the race detector, and counts each sighting once.
func TestConcurrentUse(t *testing.T) {
	s, tracker := newScene(1, 0.2), newTracker(t, Options{MaxAge: time.Hour})
	var all []detection.Detection
	for i := range 200 {
		all = append(all, exact(s, fmt.Sprint(i), fmt.Sprint(i%3), "vehicle", float64(i), 0, 0, 10))
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for _, d := range all {
				track := observe(tracker, d)
				d.Track = track
				tracker.Learn(detection.Entry{Detection: d})
			}
		})
	}
	group.Wait()
	if got := observe(tracker, exact(s, "last", "z", "vehicle", 200, 0, 0, 10)); got.Detections != 201 {
		t.Errorf("%d detections of 201", got.Detections)
	}
}

func TestOff(t *testing.T) {
	var tracker *Tracker
	d := detection.Detection{ID: "1"}
	tracker.Observe(&d)
	tracker.Learn(detection.Entry{Detection: d})
	if d.Track != nil || tracker.Len() != 0 {
		t.Error("a tracker that is off has a track")
	}
}

func TestOptions(t *testing.T) {
	for name, opts := range map[string]Options{
		"share above 1": {IndependentShare: 1.1}, "negative share": {IndependentShare: -0.1}, "share not a number": {IndependentShare: math.NaN()},
		"negative gate": {Gate: -1}, "negative age": {MaxAge: -1}, "negative number": {MaxTracks: -1},
		"thresholds": {Thresholds: geo.Thresholds{GreenCE90Metres: 3, YellowCE90Metres: 1}},
	} {
		if _, err := New(opts); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
