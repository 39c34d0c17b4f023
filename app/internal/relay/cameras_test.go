package relay_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/relay"
)

// withCameras shows cameras. The event has the camera's name and the age of its image in seconds.
func withCameras(every time.Duration) func(*relay.Options) {
	return func(o *relay.Options) {
		o.CameraEvery = every
		o.Camera = func(d detection.Detection, now time.Time) ([]byte, error) {
			if d.CameraID == "broken" {
				return nil, errors.New("no place")
			}
			return fmt.Appendf(nil, "camera %s %.0f", d.CameraID, now.Sub(d.SeenAt).Seconds()), nil
		}
	}
}

func by(camera string, n int, age time.Duration) detection.Detection {
	return detection.Detection{ID: fmt.Sprintf("%s-%06d", camera, n), CameraID: camera, SeenAt: time.Now().Add(-age)}
}

// TestCamerasAreShown holds that each camera is shown behind its detections, not more often than it is told, with its newest
// image, and that old images, retractions and cameras without a place show none.
func TestCamerasAreShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, tak := newMemoryStore(), &takServer{}
		p := newPod(t, "pod-a", store, tak, withCameras(10*time.Second))
		for i := range 60 {
			p.sees(t, by("east", i, time.Second))
			if i%2 == 0 {
				p.sees(t, by("west", i, 2*time.Second))
			}
			p.sees(t, by("late", i, 6*time.Minute))
			p.sees(t, by("broken", i, 0))
			p.sees(t, by("", i, 0))
			time.Sleep(time.Second)
		}
		retraction := by("south", 0, 0)
		retraction.Retracts = "east-000000"
		p.sees(t, retraction)
		if queued, outbox := p.settled(); queued != 0 || outbox != 0 {
			t.Errorf("%d queued, %d owed", queued, outbox)
		}
		for prefix, want := range map[string]int{"camera east 1": 6, "camera west 2": 6, "camera ": 12} {
			if got := tak.count(prefix); got != want {
				t.Errorf("%d events begin with %q, want %d", got, prefix, want)
			}
		}
		if got := tak.unique(); got != 60+30+60+60+60+1+2 { // two texts of cameras
			t.Errorf("TAK has %d different events", got)
		}
		if !strings.HasPrefix(tak.got[0], "east-") {
			t.Errorf("the first event is %q, want the detection", tak.got[0])
		}
		stop(t, p)
	})
}

// TestCamerasCostNoDetection holds that a server that hangs up on each event of a camera, or refuses it, sees one a minute
// at most, gets every detection soon after it was accepted, and that none of them is a dead letter.
func TestCamerasCostNoDetection(t *testing.T) {
	for name, makeBad := range map[string]func(*takServer, func(string) bool){
		"hangs up": func(s *takServer, on func(string) bool) { s.hangsUp = on },
		"refuses":  func(s *takServer, these func(string) bool) { s.refuses = these },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, tak := newMemoryStore(), &takServer{}
				cameras := 0
				makeBad(tak, func(event string) bool {
					if !strings.HasPrefix(event, "camera") {
						return false
					}
					cameras++
					return true
				})
				p := newPod(t, "pod-a", store, tak, withCameras(time.Second))
				late := 0
				for i := range 600 {
					p.sees(t, by(fmt.Sprintf("cam%d", i%20), i, 0))
					time.Sleep(time.Second)
					if tak.unique() != i+1 {
						late++
					}
				}
				if late > 0 || cameras == 0 || cameras > 10 {
					t.Errorf("%d of 600 detections were not there after a second; %d events of cameras in ten minutes", late, cameras)
				}
				if queued, outbox := p.settled(); queued != 0 || outbox != 0 || len(store.dead) != 0 {
					t.Errorf("%d queued, %d owed, dead letters %v", queued, outbox, store.dead)
				}
				stop(t, p)
			})
		})
	}
}
