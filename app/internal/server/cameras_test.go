package server_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/server"
	"github.com/detection-api/detection-api/app/internal/tak/taktest"
)

// TestCamerasOnTheMap holds that the camera of a detection is shown when that is wanted, and else is not.
func TestCamerasOnTheMap(t *testing.T) {
	const camera = "detection-api.camera.cam-1"
	for name, every := range map[string]time.Duration{"wanted": time.Minute, "by default": 0} {
		t.Run(name, func(t *testing.T) {
			tak := taktest.TAKServer(0).Listen(t, taktest.Whole, nil)
			cfg := serveConfig(t, t.TempDir())
			cfg.TAKAddr, cfg.CoTCameras = tak.Addr, every
			s, err := server.NewServe(t.Context(), cfg)
			r := start(t, s, err)
			c := newClient(t, cfg, r.url)
			report := strings.Replace(sample, "2026-02-15T12:00:00Z", time.Now().UTC().Format(time.RFC3339Nano), 1)
			id := "detection-api." + c.post(report).Header.Get("X-Detection-ID")
			tak.Await(t, "the detection", func() bool { return slices.Contains(tak.Taken(), id) })
			if every > 0 {
				tak.Await(t, "its camera", func() bool { return slices.Contains(tak.Taken(), camera) })
			}
			second := "detection-api." + c.post(report).Header.Get("X-Detection-ID")
			tak.Await(t, "the next detection", func() bool { return slices.Contains(tak.Taken(), second) })
			if got, want := len(tak.Taken()), 2; every == 0 && got != want || every > 0 && got != want+1 {
				t.Errorf("TAK has %v", tak.Taken())
			}
			if faults := tak.Faults(); len(faults) > 0 {
				t.Error(faults)
			}
		})
	}
}
