package track

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"gonum.org/v1/gonum/spatial/r3"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
)

var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// scene is a world whose truth is known: objects, cameras with systematic errors, and what they report.
type scene struct {
	random *rand.Rand
	frame  geo.Frame
	share  float64               // of the variance that is new in each sighting
	bias   map[string][2]float64 // by camera, in standard deviations
	number int
}

func newScene(seed uint64, share float64) *scene {
	return &scene{
		random: rand.New(rand.NewPCG(seed, 17)), frame: geo.FrameAt(geo.LatLonHAE{LatDeg: 47.4, LonDeg: 8.5}),
		share: share, bias: map[string][2]float64{},
	}
}

func (s *scene) at(east, north float64) geo.LatLonHAE {
	return geo.LatLonHAEFromECEF(s.frame.ECEF(r3.Vec{X: east, Y: north}))
}

func (s *scene) normals() [2]float64 {
	return [2]float64{s.random.NormFloat64(), s.random.NormFloat64()}
}

// sees is what a camera reports of an object, seconds after noon: with an error ellipse of these sigmas, and an error that is
// drawn from it, of which the camera has one part always and the other new each time.
func (s *scene) sees(camera string, seconds, east, north, major, minor, bearing float64) detection.Detection {
	shape := geo.Ellipse{SigmaMajorMetres: major, SigmaMinorMetres: minor, MajorAzimuthDeg: bearing}
	semiMajor, semiMinor := shape.SemiAxes90Metres()
	s.number++
	d := detection.Detection{
		ID: fmt.Sprintf("%06d", s.number), CameraID: camera, ObjectClass: "vehicle",
		SeenAt: noon.Add(time.Duration(seconds * 1e9)), ReceivedAt: noon.Add(time.Duration(seconds * 1e9)),
		Fix: detection.Fix{
			CE90Metres: shape.CE90Metres(), Method: detection.MethodRayEllipsoid,
			Ellipse: detection.Ellipse{MajorMetres: 2 * semiMajor, MinorMetres: 2 * semiMinor, BearingDeg: bearing},
		},
	}
	bias, ok := s.bias[camera]
	if !ok {
		bias = s.normals()
		s.bias[camera] = bias
	}
	c := covariance(d.Fix)
	always, fresh := c.scale(1-s.share).sqrt(), c.scale(s.share).sqrt()
	n := s.normals()
	for i, at := range []*float64{&east, &north} {
		*at += always[i][0]*bias[0] + always[i][1]*bias[1] + fresh[i][0]*n[0] + fresh[i][1]*n[1]
	}
	where := s.at(east, north)
	d.Fix.LatDeg, d.Fix.LonDeg = where.LatDeg, where.LonDeg
	return d
}

// miss is how far a fix is from the truth, in metres.
func (s *scene) miss(fix detection.Fix, east, north float64) float64 {
	at := s.at(east, north)
	dEast, dNorth := between(at.LatDeg, at.LonDeg, fix.LatDeg, fix.LonDeg)
	return math.Hypot(dEast, dNorth)
}

func newTracker(t testing.TB, opts Options) *Tracker {
	t.Helper()
	tracker, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return tracker
}

// open makes a tracker that takes each sighting for one of the same object, so that only the fusion is measured.
func open(share float64) Options {
	return Options{IndependentShare: share, Gate: 1e6, MaxDistanceMetres: 1e5, MaxAge: time.Hour, MaxTracks: 8}
}

// journey is a way through a scene: what one object does and who sees it. It returns the last track and where the object was.
type journey func(s *scene, observe func(detection.Detection) *detection.Track) (last *detection.Track, east, north float64)

// walk moves an object as the model of its class has it, and tells where it is each second.
func (s *scene) walk(class string, seconds int, look func(second int, east, north float64)) {
	m := motionOf(class)
	at, velocity := [2]float64{}, s.normals()
	velocity[0], velocity[1] = velocity[0]*m.speed, velocity[1]*m.speed
	const steps, dt = 20, 0.05
	for second := range seconds {
		look(second, at[0], at[1])
		for range steps {
			n := s.normals()
			for k := range at {
				at[k] += dt * velocity[k]
				velocity[k] += math.Sqrt(m.change*dt) * n[k]
			}
		}
	}
}

// passed hardly moves and is seen by one drone that flies by.
func passed(s *scene, observe func(detection.Detection) *detection.Track) (last *detection.Track, east, north float64) {
	s.walk("fire", 20, func(i int, e, n float64) {
		d := s.sees("a", float64(i), e, n, 12-0.3*float64(i), 6, float64(5*i))
		d.ObjectClass = "fire"
		last, east, north = observe(d), e, n
	})
	return last, east, north
}

// watched hardly moves and is seen by three cameras in turn, which differ.
func watched(s *scene, observe func(detection.Detection) *detection.Track) (last *detection.Track, east, north float64) {
	s.walk("fire", 24, func(i int, e, n float64) {
		camera := i % 3
		d := s.sees([]string{"a", "b", "c"}[camera], float64(i), e, n, []float64{8, 12, 20}[camera], []float64{4, 12, 5}[camera], float64(60*camera))
		d.ObjectClass = "fire"
		last, east, north = observe(d), e, n
	})
	return last, east, north
}

// driving is a vehicle that two cameras see in turn.
func driving(s *scene, observe func(detection.Detection) *detection.Track) (last *detection.Track, east, north float64) {
	s.walk("vehicle", 30, func(i int, e, n float64) {
		last, east, north = observe(s.sees([]string{"a", "b"}[i%2], float64(i), e, n, 8, 5, 30)), e, n
	})
	return last, east, north
}

// coverage is how often the truth lies within the CE90 that is stated in the end, in percent.
func coverage(t *testing.T, share, assumed float64, way journey) (percent, meanCE90 float64) {
	t.Helper()
	const rounds = 2000
	hits := 0
	for round := range uint64(rounds) {
		s, tracker := newScene(round, share), newTracker(t, open(assumed))
		last, east, north := way(s, func(d detection.Detection) *detection.Track {
			tracker.Observe(&d)
			return d.Track
		})
		if last.Detections < 20 {
			t.Fatalf("a track of %d detections", last.Detections)
		}
		if s.miss(last.Fix, east, north) <= last.Fix.CE90Metres {
			hits++
		}
		meanCE90 += last.Fix.CE90Metres / rounds
	}
	return 100 * float64(hits) / rounds, meanCE90
}

// TestCoverage holds that the truth lies within the fused CE90 in 88 to 92 % of the cases, for any share of what is
// systematic, and that a filter which takes all of it as new in each sighting would claim far too much.
func TestCoverage(t *testing.T) {
	for name, way := range map[string]journey{"passed": passed, "watched": watched, "driving": driving} {
		for _, share := range []float64{0.05, DefaultIndependentShare, 1} {
			t.Run(fmt.Sprintf("%s, %g independent", name, share), func(t *testing.T) {
				got, ce90 := coverage(t, share, share, way)
				t.Logf("%.1f %% within %.2f m", got, ce90)
				if got < 88 || got > 92 {
					t.Errorf("%.1f %% of the truths lie within CE90, want 88 to 92", got)
				}
				if share > DefaultIndependentShare {
					return
				}
				if wrong, ce90 := coverage(t, share, 1, way); wrong > 85 {
					t.Errorf("control: %.1f %% lie within the %.2f m of a filter that takes all errors as independent", wrong, ce90)
				} else {
					t.Logf("control: %.1f %% within %.2f m", wrong, ce90)
				}
			})
		}
	}
}
