package track

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
)

// FuzzObserve holds, for any sightings and states, that a track has a position on earth, an error that is a number, and a
// state from which another pod can go on.
func FuzzObserve(f *testing.F) {
	f.Add(10.0, 20.0, 5.0, 3.0, 40.0, 1.0, 3.0, uint8(3))
	f.Add(-90.0, 180.0, 0.0, 0.0, -1e9, 1e6, -1.0, uint8(9))
	f.Add(0.0, -180.0, 1e7, 1e-9, 0.0, -100.0, 1e7, uint8(200))
	f.Fuzz(func(t *testing.T, lat, lon, major, minor, bearing, step, ce90 float64, n uint8) {
		tracker, reader := newTracker(t, open(0.2)), newTracker(t, open(0.2))
		for i := range int(n%20) + 2 {
			d := detection.Detection{
				ID: fmt.Sprint(i), CameraID: fmt.Sprint(i % 6), ObjectClass: "vehicle",
				SeenAt: noon.Add(time.Duration(float64(i) * math.Mod(step, 1e6) * 1e6)), ReceivedAt: noon,
				Fix: detection.Fix{LatDeg: lat, LonDeg: lon + 1e-5*float64(i), CE90Metres: ce90, Ellipse: detection.Ellipse{MajorMetres: major * float64(i+1), MinorMetres: minor, BearingDeg: bearing}},
			}
			tracker.Observe(&d)
			if d.Track == nil {
				continue
			}
			fix := d.Track.Fix
			if d.Track.Detections > 1 && !(fix.CE90Metres > 0 && fix.CE90Metres < 1e15 && geo.LatLonHAE{LatDeg: fix.LatDeg, LonDeg: fix.LonDeg}.Valid() && fix.Ellipse.MinorMetres >= 0) {
				t.Fatalf("fix %+v", fix)
			}
			reader.Learn(detection.Entry{Detection: d})
			if reader.Len() == 0 && d.Track.Fix.CE90Metres > 0.5 && d.Track.Fix.CE90Metres < 1e6 {
				t.Fatalf("state %v of %+v cannot be used", d.Track.State, fix)
			}
		}
	})
}

// FuzzState holds that a state that somebody made up is refused or harmless.
func FuzzState(f *testing.F) {
	f.Add([]byte{1, 2, 3}, 16)
	f.Add([]byte("0123456789abcdef0123456789abcdef0123456789"), 26)
	f.Fuzz(func(t *testing.T, raw []byte, n int) {
		state := make([]float64, min(max(n, 0), 100))
		for i := range state {
			if len(raw) > 0 {
				state[i] = float64(int8(raw[i%len(raw)])) * math.Pow(10, float64(int8(raw[(i*7+3)%len(raw)])%15))
			}
		}
		if len(state) > 0 {
			state[0] = stateVersion
		}
		s, tracker := newScene(1, 0.2), newTracker(t, open(0.2))
		d := exact(s, "1", "a", "vehicle", 0, 0, 0, 10)
		d.Track = &detection.Track{ID: "1", Detections: 1, FirstSeenAt: noon, State: state}
		tracker.Learn(detection.Entry{Detection: d})
		for i := range 3 {
			got := observe(tracker, exact(s, fmt.Sprint(i+2), "a", "vehicle", float64(i), 0, 0, 10))
			if !(got.Fix.CE90Metres > 0) || math.IsInf(got.Fix.CE90Metres, 0) {
				t.Fatalf("CE90 %v m from state %v", got.Fix.CE90Metres, state)
			}
		}
	})
}

// BenchmarkObserve has a thousand objects in a square of 3 km.
func BenchmarkObserve(b *testing.B) {
	s, tracker := newScene(1, 0.2), newTracker(b, Options{})
	where := make([][2]float64, 1000)
	for i := range where {
		where[i] = [2]float64{3000 * s.random.Float64(), 3000 * s.random.Float64()}
		observe(tracker, exact(s, fmt.Sprint("first", i), "a", "vehicle", 0, where[i][0], where[i][1], 10))
	}
	reports := make([]detection.Detection, 20_000)
	for i := range reports {
		at := where[i%len(where)]
		reports[i] = s.sees("a", 1+float64(i)/1000, at[0], at[1], 10, 6, 30)
	}
	number := 0
	b.ReportAllocs()
	for b.Loop() {
		d := reports[number%len(reports)]
		number++
		d.ID = fmt.Sprint(number)
		d.SeenAt = noon.Add(time.Second + time.Duration(number)*time.Millisecond)
		d.ReceivedAt = d.SeenAt
		tracker.Observe(&d)
	}
	b.ReportMetric(float64(tracker.Len()), "objects")
}
