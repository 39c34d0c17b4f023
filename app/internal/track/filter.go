package track

import (
	"math"
	"slices"

	"github.com/detection-api/detection-api/app/internal/geo"
)

// maxCameras bounds the cameras whose systematic error a track keeps apart. With more, the one that says least is forgotten.
const maxCameras = 4

// estimate is where an object is and how fast it moves: a Kalman filter with nearly constant velocity (Bar-Shalom, Li and
// Kirubarajan, Estimation with Applications to Tracking and Navigation, 2001, section 6.2.2).
//
// Part of the error of a sighting is the same in each sighting of its camera. It is b = L beta, where L is the square root
// of that part of the covariance and beta an unknown of the camera, of variance 1 in each direction. The filter does not
// estimate beta, it considers it: it carries the correlation between its error and each beta and pays for it (Schmidt,
// Application of State-Space Methods to Navigation Problems, 1966). So the covariance falls to what the systematic errors
// leave, and not to zero.
type estimate struct {
	latDeg, lonDeg float64
	velocity       [2]float64 // east and north, m/s
	covariance     mat4       // of east, north, velocity east and north, in metres and seconds
	cameras        []bias
	atMicros       int64 // what time this is about, since 1970
}

// bias is the correlation with the systematic error of one camera.
type bias struct {
	camera     float64 // hash of its name
	seenMicros int64   // its last sighting
	with       mat42   // covariance of the estimate's error with the camera's beta
}

// sighting is a position as one image gives it.
type sighting struct {
	id, class      string
	camera         float64
	latDeg, lonDeg float64
	covariance     mat2 // of east and north, square metres
	atMicros       int64
	receivedMicros int64
}

// motion is how objects of a class move.
type motion struct {
	speed  float64 // standard deviation of the velocity in each direction, m/s, before it is known
	change float64 // power spectral density of the acceleration, m^2/s^3: in t seconds the velocity changes by sqrt(t change)
}

// start is an estimate from one sighting.
func start(s *sighting, m motion, share float64) estimate {
	e := estimate{latDeg: s.latDeg, lonDeg: s.lonDeg, atMicros: s.atMicros}
	for i := range 2 {
		for j := range 2 {
			e.covariance[i][j] = s.covariance[i][j]
		}
		e.covariance[2+i][2+i] = m.speed * m.speed
	}
	systematic := s.covariance.scale(1 - share).sqrt()
	b := bias{camera: s.camera, seenMicros: s.atMicros}
	for i := range 2 {
		b.with[i] = [2]float64{-systematic[i][0], -systematic[i][1]}
	}
	e.cameras = []bias{b}
	return e
}

// seconds is the time from the estimate to a sighting; negative for one that comes late.
func (e *estimate) seconds(s *sighting) float64 { return float64(s.atMicros-e.atMicros) / 1e6 }

// wander is the covariance that the change of velocity adds to a position within t seconds.
func (m motion) wander(t float64) float64 { return m.change * t * t * t / 3 }

// spread is the covariance of the position t seconds on, or before.
func (e *estimate) spread(t float64, m motion) mat2 {
	p := &e.covariance
	var at mat2
	for i := range 2 {
		for j := range 2 {
			at[i][j] = p[i][j] + t*(p[i][2+j]+p[2+i][j]) + t*t*p[2+i][2+j]
		}
		at[i][i] += m.wander(math.Abs(t))
	}
	return at
}

// offset is how far east and north of the position t seconds on a sighting lies.
func (e *estimate) offset(s *sighting, t float64) [2]float64 {
	east, north := between(e.latDeg, e.lonDeg, s.latDeg, s.lonDeg)
	return [2]float64{east - t*e.velocity[0], north - t*e.velocity[1]}
}

// predict moves the estimate t seconds on.
func (e *estimate) predict(t float64, m motion) {
	if t <= 0 {
		return
	}
	e.move(t*e.velocity[0], t*e.velocity[1])
	f := identity()
	f[0][2], f[1][3] = t, t
	e.covariance = f.times(e.covariance).times(f.transposed())
	for i := range 2 {
		e.covariance[i][i] += m.wander(t)
		e.covariance[i][2+i] += m.change * t * t / 2
		e.covariance[2+i][i] += m.change * t * t / 2
		e.covariance[2+i][2+i] += m.change * t
	}
	for i := range e.cameras {
		e.cameras[i].with = f.times42(e.cameras[i].with)
	}
	e.atMicros += int64(math.Round(t * 1e6))
}

// update takes a sighting in. One that comes late says where the object was, t seconds before now.
func (e *estimate) update(s *sighting, m motion, share float64) {
	e.predict(e.seconds(s), m)
	lag := -min(0, e.seconds(s))
	camera := e.camera(s.camera)
	noise := s.covariance
	for i := range 2 {
		noise[i][i] += m.wander(lag)
	}
	systematic := s.covariance.scale(1 - share).sqrt()
	gain := e.gain(camera, lag, noise, systematic)

	off := e.offset(s, -lag)
	e.move(gain[0][0]*off[0]+gain[0][1]*off[1], gain[1][0]*off[0]+gain[1][1]*off[1])
	for i := range 2 {
		e.velocity[i] += gain[2+i][0]*off[0] + gain[2+i][1]*off[1]
	}
	e.correct(camera, gain, lag, noise, systematic)
	e.cameras[camera].seenMicros = max(e.cameras[camera].seenMicros, s.atMicros)
}

// gain is the one that leaves the least error, unless it would lie outside what was seen: it then makes use of how the
// systematic error changes from one sighting to the next, which is known too little. Then it is that of a filter that takes
// all errors as independent. The covariance is right with either.
func (e *estimate) gain(camera int, lag float64, noise, systematic mat2) mat42 {
	seen := e.observed(lag)
	with := e.cameras[camera].with
	var own, together mat2
	for i := range 2 {
		for j := range 2 {
			own[i][j] = seen[i][j] - lag*seen[2+i][j]
			together[i][j] = with[i][j] - lag*with[2+i][j]
		}
	}
	shared := together.times(systematic)
	total := own.add(noise)
	cross := seen.plus(with.times(systematic), 1)
	if s := total.add(shared).add(shared.transposed()); s[0][0] > 0 && s.det() > 1e-6*total.det() {
		if best := cross.times(s.inverse()); between0and1(best) {
			return best
		}
	}
	return seen.times(total.inverse())
}

// observed is the covariance of the estimate with the position lag seconds ago.
func (e *estimate) observed(lag float64) (seen mat42) {
	for i := range 4 {
		for j := range 2 {
			seen[i][j] = e.covariance[i][j] - lag*e.covariance[i][2+j]
		}
	}
	return seen
}

// between0and1 says that a gain leads to a position between the estimate and the sighting.
func between0and1(gain mat42) bool {
	symmetric := mat2{{gain[0][0], (gain[0][1] + gain[1][0]) / 2}, {(gain[0][1] + gain[1][0]) / 2, gain[1][1]}}
	major, minor, _ := symmetric.eigen()
	return minor >= 0 && major <= 1
}

// correct is the covariance after an update with any gain (Joseph's form).
func (e *estimate) correct(camera int, gain mat42, lag float64, noise, systematic mat2) {
	left := identity()
	for i := range 4 {
		for j := range 2 {
			left[i][j] -= gain[i][j]
			left[i][2+j] += lag * gain[i][j]
		}
	}
	with := left.times42(e.cameras[camera].with)
	p := left.times(e.covariance).times(left.transposed())
	e.covariance = mat4{}.add(p, 1).
		add(with.times(systematic).outer(gain), -2).
		add(gain.times(noise).outer(gain), 1)
	for i := range e.cameras {
		e.cameras[i].with = left.times42(e.cameras[i].with)
	}
	e.cameras[camera].with = with.plus(gain.times(systematic), -1)
}

// camera returns the place of a camera among those that are kept apart.
func (e *estimate) camera(hash float64) int {
	i := slices.IndexFunc(e.cameras, func(b bias) bool { return b.camera == hash })
	if i >= 0 {
		return i
	}
	if len(e.cameras) < maxCameras {
		e.cameras = append(e.cameras, bias{camera: hash})
		return len(e.cameras) - 1
	}
	i = 0
	for j := range e.cameras {
		if e.cameras[j].weight() < e.cameras[i].weight() {
			i = j
		}
	}
	e.cameras[i] = bias{camera: hash}
	return i
}

func (b *bias) weight() float64 {
	w := b.with
	return w[0][0]*w[0][0] + w[0][1]*w[0][1] + w[1][0]*w[1][0] + w[1][1]*w[1][1]
}

func (e *estimate) sane() bool {
	p := e.covariance.position()
	d := p.det()
	return p[0][0] > 0 && p[1][1] > 0 && d > 0 && !math.IsInf(p[0][0]+p[1][1]+d, 0) &&
		geo.LatLonHAE{LatDeg: e.latDeg, LonDeg: e.lonDeg}.Valid()
}

func identity() mat4 { return mat4{{1}, {0, 1}, {0, 0, 1}, {0, 0, 0, 1}} }
