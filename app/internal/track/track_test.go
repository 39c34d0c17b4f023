package track

import (
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
)

// exact is a sighting without an error that states one, of sigmas metres in each direction.
func exact(s *scene, id, camera, class string, seconds, east, north, sigma float64) detection.Detection {
	d := s.sees(camera, seconds, 0, 0, sigma, sigma, 0)
	at := s.at(east, north)
	d.ID, d.ObjectClass, d.Fix.LatDeg, d.Fix.LonDeg = id, class, at.LatDeg, at.LonDeg
	return d
}

func observe(t *Tracker, d detection.Detection) *detection.Track {
	t.Observe(&d)
	return d.Track
}

// TestCE90FallsToAFloor holds the figures of one camera against the formula for equal sightings of an object that stands
// still: after n of them the variance is that of one times (1 - share) + share/n.
func TestCE90FallsToAFloor(t *testing.T) {
	const share, sigma = 0.2, 10
	s, tracker := newScene(1, share), newTracker(t, Options{})
	before := math.Inf(1)
	for i := range 50 {
		track := observe(tracker, exact(s, fmt.Sprint(i), "a", "fire", float64(i)/100, 0, 0, sigma))
		one := geo.Ellipse{SigmaMajorMetres: sigma, SigmaMinorMetres: sigma}.CE90Metres()
		want := one * math.Sqrt(1-share+share/float64(i+1))
		if got := track.Fix.CE90Metres; got > before || math.Abs(got-want) > 0.01 {
			t.Fatalf("CE90 %.3f m after %d sightings, want %.3f and not above %.3f", got, i+1, want, before)
		}
		before = track.Fix.CE90Metres
		if want := map[bool]string{true: detection.MethodRayEllipsoid, false: detection.MethodFused}[i == 0]; track.Fix.Method != want || track.Detections != i+1 || track.ID != "0" {
			t.Fatalf("track %+v, want number %d and method %s", track, i+1, want)
		}
	}
	two := observe(tracker, exact(s, "other", "b", "fire", 1, 0, 0, sigma)).Fix.CE90Metres
	// Variances 100 (0.8 + 0.2/50) and 100, independent: half of the harmonic mean.
	if want := 2.145966 * math.Sqrt(1/(1/80.4+1.0/100)); math.Abs(two-want) > 0.05 {
		t.Errorf("CE90 %.3f m with a second camera, want %.3f", two, want)
	}
}

// TestWhatIsKeptApart holds that nothing becomes one object that is not one.
func TestWhatIsKeptApart(t *testing.T) {
	tests := []struct {
		name   string
		change func(s *scene, d *detection.Detection)
		one    bool
	}{
		{"the same again", func(*scene, *detection.Detection) {}, true},
		{"armed", func(_ *scene, d *detection.Detection) { d.ObjectClass = "armed_vehicle" }, true},
		{"another camera", func(_ *scene, d *detection.Detection) { d.CameraID = "b" }, true},
		{"another camera at the same time", func(_ *scene, d *detection.Detection) { d.CameraID, d.SeenAt = "b", noon }, true},
		{"30 m away", func(s *scene, d *detection.Detection) { s.put(d, 30, 0) }, true},
		{"a little earlier", func(_ *scene, d *detection.Detection) { d.SeenAt = noon.Add(-5 * time.Second) }, true},
		{"another class", func(_ *scene, d *detection.Detection) { d.ObjectClass = "person" }, false},
		{"in the same picture", func(_ *scene, d *detection.Detection) { d.SeenAt = noon }, false},
		{"60 m away", func(s *scene, d *detection.Detection) { s.put(d, 60, 0) }, false},
		{"120 m away, both poor", func(s *scene, d *detection.Detection) {
			s.put(d, 120, 0)
			d.Fix.Ellipse = detection.Ellipse{MajorMetres: 1000, MinorMetres: 1000}
		}, false},
		{"after two minutes", func(_ *scene, d *detection.Detection) { d.SeenAt = noon.Add(2 * time.Minute) }, false},
		{"two minutes before", func(_ *scene, d *detection.Detection) { d.SeenAt = noon.Add(-2 * time.Minute) }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, tracker := newScene(1, 0.2), newTracker(t, Options{})
			first := exact(s, "1", "a", "vehicle", 0, 0, 0, 10)
			observe(tracker, first)
			d := exact(s, "2", "a", "vehicle", 1, 1, 1, 10)
			tt.change(s, &d)
			if got := observe(tracker, d); (got.ID == "1") != tt.one || got.Detections != map[bool]int{true: 2, false: 1}[tt.one] {
				t.Errorf("it is number %d of %s, want one object: %v", got.Detections, got.ID, tt.one)
			}
		})
	}
}

func (s *scene) put(d *detection.Detection, east, north float64) {
	at := s.at(east, north)
	d.Fix.LatDeg, d.Fix.LonDeg = at.LatDeg, at.LonDeg
}

// TestTwoObjectsCross lets two vehicles cross each other's way at a distance of 6 m, seen by one camera whose error is up to
// 6 m, and holds that each has its track afterwards: at the crossing a sighting may be taken for one of the other.
func TestTwoObjectsCross(t *testing.T) {
	kept := 0
	const rounds = 200
	for round := range uint64(rounds) {
		s, tracker := newScene(round, 0.2), newTracker(t, Options{})
		var ids [2]map[string]int
		var last [2]*detection.Track
		for k := range ids {
			ids[k] = map[string]int{}
		}
		for second := range 41 {
			at := float64(second)
			for k, where := range [2][2]float64{{10 * (at - 20), 6}, {0, 10 * (at - 20)}} {
				last[k] = observe(tracker, s.sees("a", at, where[0], where[1], 6, 4, 0))
				ids[k][last[k].ID]++
			}
		}
		if ids[0]["000001"] >= 39 && ids[1]["000002"] >= 39 && last[0].ID == "000001" && last[1].ID == "000002" {
			kept++
		}
	}
	if kept < rounds*95/100 {
		t.Errorf("both kept their track in %d of %d crossings, want 95 %%", kept, rounds)
	}
}

// TestMotion holds that speed and course are told once it is sure that something moves, and never of what stands still.
func TestMotion(t *testing.T) {
	s, tracker := newScene(1, 0.2), newTracker(t, Options{})
	var moving, parked *detection.Track
	for i := range 30 {
		at := float64(i)
		moving = observe(tracker, exact(s, fmt.Sprint("m", i), "a", "vehicle", at, 1000-6*at, -8*at, 5))
		parked = observe(tracker, exact(s, fmt.Sprint("p", i), "a", "vehicle", at, 0, 500, 5))
	}
	if m := moving.Motion; m == nil || math.Abs(m.SpeedMetresPerSecond-10) > 0.5 || math.Abs(m.CourseDeg-216.87) > 2 {
		t.Errorf("motion %+v, want 10 m/s to 216.87 degrees", m)
	}
	if parked.Motion != nil {
		t.Errorf("motion %+v of what stands still", parked.Motion)
	}
}

// TestTheOrderMattersLittle tells of the same sightings in any order, and holds that what comes out is the same object
// within a part of its stated error.
func TestTheOrderMattersLittle(t *testing.T) {
	mean := 0.0
	for round := range uint64(200) {
		s := newScene(round, 0.2)
		var all []detection.Detection
		for i := range 12 {
			all = append(all, s.sees([]string{"a", "b"}[i%2], float64(i), 5*float64(i), 0, 8, 5, 40))
		}
		run := func() *detection.Track {
			tracker := newTracker(t, open(0.2))
			var last *detection.Track
			for _, d := range all {
				last = observe(tracker, d)
			}
			return last
		}
		inOrder := run()
		for i := range 11 { // each may come up to two places late
			j := i + s.random.IntN(min(3, 12-i))
			all[i], all[j] = all[j], all[i]
		}
		mixed := run()
		east, north := between(inOrder.Fix.LatDeg, inOrder.Fix.LonDeg, mixed.Fix.LatDeg, mixed.Fix.LonDeg)
		if apart := math.Hypot(east, north); mixed.Detections != 12 || apart > inOrder.Fix.CE90Metres {
			t.Errorf("round %d: %.2f m apart, with a CE90 of %.2f m", round, apart, inOrder.Fix.CE90Metres)
		} else {
			mean += apart / inOrder.Fix.CE90Metres / 200
		}
		if ratio := mixed.Fix.CE90Metres / inOrder.Fix.CE90Metres; ratio < 0.95 || ratio > 1.35 {
			t.Errorf("round %d: CE90 is %.2f m in order and %.2f m mixed", round, inOrder.Fix.CE90Metres, mixed.Fix.CE90Metres)
		}
		if !mixed.FirstSeenAt.Equal(noon) {
			t.Errorf("first seen at %s", mixed.FirstSeenAt)
		}
	}
	if mean > 0.15 {
		t.Errorf("the order moves the object by %.2f of its CE90, on average", mean)
	}
}

// TestAnotherPodGoesOn holds that a pod which has only read the record says the same as the one that was told, also one that
// begins in the middle.
func TestAnotherPodGoesOn(t *testing.T) {
	s := newScene(3, 0.2)
	first, reader, late := newTracker(t, Options{}), newTracker(t, Options{}), newTracker(t, Options{})
	for i := range 30 {
		d := s.sees([]string{"a", "b"}[i%2], float64(i), 8*float64(i), 3, 8, 5, 40)
		first.Observe(&d)
		reader.Learn(detection.Entry{Seq: int64(i + 1), Detection: d})
		reader.Learn(detection.Entry{Seq: int64(i + 1), Detection: d}) // read twice
		if i >= 20 {
			late.Learn(detection.Entry{Seq: int64(i + 1), Detection: d})
		}
	}
	next := s.sees("a", 30, 240, 3, 8, 5, 40)
	want := observe(first, next)
	if want.Detections != 31 {
		t.Fatalf("%d detections of 31", want.Detections)
	}
	for name, tracker := range map[string]*Tracker{"reader": reader, "late reader": late} {
		got := observe(tracker, next)
		if got.ID != want.ID || got.Detections != 31 || !got.FirstSeenAt.Equal(want.FirstSeenAt) {
			t.Errorf("%s: number %d of %s, want 31 of %s", name, got.Detections, got.ID, want.ID)
		}
		east, north := between(want.Fix.LatDeg, want.Fix.LonDeg, got.Fix.LatDeg, got.Fix.LonDeg)
		if apart := math.Hypot(east, north); apart > 0.01 || math.Abs(got.Fix.CE90Metres-want.Fix.CE90Metres) > 0.01 {
			t.Errorf("%s: %.4f m apart, CE90 %.4f m of %.4f", name, apart, got.Fix.CE90Metres, want.Fix.CE90Metres)
		}
	}
}

// TestARepeatDoesNotCount holds that a report that comes again, here or from elsewhere, changes nothing.
func TestARepeatDoesNotCount(t *testing.T) {
	s, tracker := newScene(1, 0.2), newTracker(t, Options{})
	d := exact(s, "1", "a", "vehicle", 0, 0, 0, 10)
	first := observe(tracker, d)
	if again := observe(tracker, d); !reflect.DeepEqual(again, first) {
		t.Errorf("told again: %+v, first %+v", again, first)
	}
	d.Track = first
	tracker.Learn(detection.Entry{Seq: 1, Detection: d})
	elsewhere := exact(s, "2", "b", "vehicle", 1, 0, 0, 10)
	other := newTracker(t, Options{})
	other.Learn(detection.Entry{Seq: 1, Detection: d})
	other.Observe(&elsewhere)
	tracker.Learn(detection.Entry{Seq: 2, Detection: elsewhere})
	if got := observe(tracker, elsewhere); got.Detections != 2 || got.ID != "1" {
		t.Errorf("a sighting that was learned and then reported is number %d of %s", got.Detections, got.ID)
	}
	if got := observe(tracker, exact(s, "3", "a", "vehicle", 2, 0, 0, 10)); got.Detections != 3 {
		t.Errorf("%d detections of 3", got.Detections)
	}
}

// TestARetractedTrackEnds holds that what is taken back is no part of any object, nor what comes of it later.
func TestARetractedTrackEnds(t *testing.T) {
	for _, withTrack := range []bool{true, false} {
		s, tracker := newScene(1, 0.2), newTracker(t, Options{})
		d := exact(s, "1", "a", "vehicle", 0, 0, 0, 10)
		tracker.Observe(&d)
		retraction := detection.Detection{ID: "r", Retracts: "1"}
		if withTrack {
			retraction.Track = d.Track
		}
		tracker.Observe(&retraction)
		tracker.Learn(detection.Entry{Seq: 2, Detection: retraction})
		late := exact(s, "late", "b", "vehicle", 1, 0, 0, 10)
		late.Track = d.Track
		tracker.Learn(detection.Entry{Seq: 3, Detection: late}) // a pod that did not know
		if got := observe(tracker, exact(s, "2", "a", "vehicle", 1, 0, 0, 10)); got.ID != "2" || got.Detections != 1 {
			t.Errorf("number %d of %s, want a new track", got.Detections, got.ID)
		}
	}
}

// TestTheRecordIsRight holds that a sighting which the record has as one of another object is one of that, here too.
func TestTheRecordIsRight(t *testing.T) {
	s, tracker := newScene(1, 0.2), newTracker(t, Options{})
	elsewhere := newTracker(t, Options{})
	d := exact(s, "2", "a", "vehicle", 1, 0, 0, 10)
	again := d
	observe(elsewhere, exact(s, "1", "b", "vehicle", 0, 0, 0, 10))
	elsewhere.Observe(&d)
	tracker.Observe(&again) // a repeat, on a pod that knew nothing
	tracker.Learn(detection.Entry{Detection: d})
	if got := observe(tracker, exact(s, "3", "a", "vehicle", 2, 0, 0, 10)); got.ID != "1" || got.Detections != 3 || tracker.Len() != 1 {
		t.Errorf("number %d of %s among %d objects, want 3 of 1", got.Detections, got.ID, tracker.Len())
	}
}
