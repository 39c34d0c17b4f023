package httpapi

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
)

type fakeJournal struct{}

func (fakeJournal) Accept(_ context.Context, detections []detection.Detection) ([]detection.Commitment, error) {
	return slices.Repeat([]detection.Commitment{{Durability: detection.InStore}}, len(detections)), nil
}

// FuzzGeometry sends camera poses through the real pipeline: whatever passes validation is located or refused, and never
// our fault. The seeds are the corners of the ranges.
func FuzzGeometry(f *testing.F) {
	f.Add("HAE", 40.7, -74.0, 100.0, 45.0, -30.0, 0.0, 3000.0, 960.0, 540.0, 0.0, 1920, 1080)
	f.Add("MSL", 90.0, 180.0, 100000.0, 360.0, -90.0, 180.0, 1e7, 0.0, 0.0, -12000.0, 100000, 100000)
	f.Add("AGL", -90.0, -180.0, 1e-300, -360.0, -1e-9, -180.0, 5e-324, 1.0, 1.0, 0.0, 1, 1)
	f.Add("HAE", 0.0, 180.0, -12000.0, 0.0, 90.0, 90.0, 1e-9, 100000.0, 1.0, 100000.0, 100000, 1)
	f.Add("MSL", 89.99999, 0.0, 5.0, 0.0, -89.999999, 0.0, 1.0, 0.5, 0.5, 4.999999, 1, 1)
	g := newRig()
	g.Logger = slog.New(slog.DiscardHandler)
	g.Ingestor = &detection.Pipeline{
		Locator: detection.Locator{Sigmas: geo.DefaultSigmas(), Thresholds: geo.DefaultThresholds()},
		Encode:  func(detection.Detection, time.Time) ([]byte, error) { return []byte(goodEvent), nil },
		Journal: fakeJournal{}, Now: time.Now,
	}
	handler := g.build()
	f.Fuzz(func(t *testing.T, datum string, lat, lon, up, heading, pitch, roll, focal, x, y, ground float64, width, height int) {
		body, err := json.Marshal(map[string]any{
			"pixel_x": x, "pixel_y": y, "object_class": "o", "ai_confidence": 1, "source": "s", "camera_id": "c",
			"timestamp": "2026-02-15T12:00:00Z", "altitude_datum": datum, "ground_elevation": ground,
			"sensor_metadata": map[string]any{
				"location_lat": lat, "location_lon": lon, "location_elevation": up, "heading": heading, "pitch": pitch,
				"roll": roll, "focal_length": focal, "image_width": width, "image_height": height,
			},
		})
		if err != nil {
			t.Skip() // NaN and infinity are no JSON
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, ask(http.MethodPost, detectionsPath, string(body), "Accept", "application/json"))
		if w.Code == http.StatusUnprocessableEntity {
			return
		}
		var got view
		if err := json.Unmarshal(w.Body.Bytes(), &got); w.Code != http.StatusCreated || err != nil {
			t.Fatalf("got %d %s (%v) for %s", w.Code, w.Body, err, body)
		}
		if math.Abs(got.LatDeg) > 90 || math.Abs(got.LonDeg) > 180 || !(got.CE90Metres > 0) || !(got.SlantRangeMetres > 0) {
			t.Errorf("got %s for %s", w.Body, body)
		}
	})
}
