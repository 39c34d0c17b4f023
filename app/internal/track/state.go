package track

import (
	"math"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// The layout of a state: stateVersion, microseconds since 1970, latitude and longitude in degrees, velocity east and north,
// the upper triangle of the covariance by rows, and for each camera its hash, its last sighting in microseconds and its
// correlation by rows.
const (
	stateVersion   = 1
	stateFixed     = 16
	statePerCamera = 10
)

// state is what another pod needs to go on.
func (o *object) state() []float64 {
	s := make([]float64, 0, stateFixed+statePerCamera*len(o.cameras))
	s = append(s, stateVersion, float64(o.atMicros), rounded(o.latDeg, 1e10), rounded(o.lonDeg, 1e10),
		rounded(o.velocity[0], 1e4), rounded(o.velocity[1], 1e4))
	for i := range 4 {
		for j := i; j < 4; j++ {
			s = append(s, rounded(o.covariance[i][j], 1e6))
		}
	}
	for i := range o.cameras {
		b := &o.cameras[i]
		s = append(s, b.camera, float64(b.seenMicros))
		for _, row := range b.with {
			s = append(s, rounded(row[0], 1e6), rounded(row[1], 1e6))
		}
	}
	return s
}

func rounded(x, by float64) float64 { return math.Round(x*by) / by }

// restored is the object of a track that another pod, or this one before a restart, has told of. ok is false when its state
// cannot be used.
func restored(track *detection.Track, s *sighting) (o *object, ok bool) {
	state := track.State
	if len(state) < stateFixed || (len(state)-stateFixed)%statePerCamera != 0 || state[0] != stateVersion {
		return nil, false
	}
	if cameras := (len(state) - stateFixed) / statePerCamera; cameras > maxCameras {
		return nil, false
	}
	for _, x := range state {
		if math.IsNaN(x) || math.Abs(x) > 1<<53 {
			return nil, false
		}
	}
	o = &object{
		id: track.ID, class: s.class, motion: motionOf(s.class), count: max(1, track.Detections),
		firstMicros: track.FirstSeenAt.UnixMicro(), receivedMicros: s.receivedMicros,
	}
	o.atMicros, o.latDeg, o.lonDeg = int64(state[1]), state[2], state[3]
	o.velocity = [2]float64{state[4], state[5]}
	next := 6
	for i := range 4 {
		for j := i; j < 4; j++ {
			o.covariance[i][j], o.covariance[j][i] = state[next], state[next]
			next++
		}
	}
	for ; next < len(state); next += statePerCamera {
		b := bias{camera: state[next], seenMicros: int64(state[next+1])}
		for i := range b.with {
			b.with[i] = [2]float64{state[next+2+2*i], state[next+3+2*i]}
		}
		o.cameras = append(o.cameras, b)
	}
	return o, o.sane() && track.ID != ""
}
