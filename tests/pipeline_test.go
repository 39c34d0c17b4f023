package tests

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/detection-api/detection-api/tests/detectionapi"
	"github.com/detection-api/detection-api/tests/load"
	"github.com/detection-api/detection-api/tests/samples"
	"github.com/detection-api/detection-api/tests/stack"
)

// TestDetection holds that every sample is where it was, and becomes the right marker on the TAK server: one for each object,
// however often it was seen.
func TestDetection(t *testing.T) {
	s, api := installed(t)
	sightings, markers, err := s.SendSamples(t.Context(), api)
	require.NoError(t, err)
	require.NoError(t, stack.Check(sightings, markers))
	require.Len(t, markers, 3, "two shots of single objects and one vehicle that drives")
	for _, marker := range markers {
		event, last := marker.Event, marker.Last
		if last.Detection.Track.Detections > 1 {
			require.Equal(t, "m-f", event.How, "how of a fused position")
			require.Less(t, event.CE, last.Detection.CE90Metres, "all sightings know more than the last")
		} else {
			require.Equal(t, "m-i", event.How, "how of a single-image fix")
		}
		require.True(t, strings.HasPrefix(event.Type, "a-u-"), "affiliation unknown, got %s", event.Type)
		require.WithinDuration(t, last.Expected.Timestamp, event.Start, time.Millisecond, "start is when the image was taken")
		require.True(t, event.Stale.After(event.Time), "stale after time")
		require.InDelta(t, last.Expected.HAEMetres, event.HAE, 0.01)
		require.Positive(t, event.CE)
	}
}

// TestAnswer holds the contract of POST /api/v1/detections: what is answered is what TAK gets and what is stored, and to post it
// again adds nothing.
func TestAnswer(t *testing.T) {
	s, api := installed(t)
	body := load.Detections("answer", time.Now())(0)
	answer, err := api.Post(t.Context(), body)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
	require.Contains(t, answer.Header.Get("Content-Type"), "xml")
	require.Contains(t, []string{"GREEN", "YELLOW", "RED"}, answer.Header.Get("X-Confidence-Flag"))
	require.Contains(t, string(answer.Body), answer.DetectionID())

	again, err := api.Post(t.Context(), body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, again.Status, "%s", again.Body)
	require.Equal(t, answer.DetectionID(), again.DetectionID())

	stored, err := api.Get(t.Context(), "/api/v1/detections/"+answer.DetectionID(), "application/json")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, stored.Status, "%s", stored.Body)
	var position detectionapi.Detection
	require.NoError(t, json.Unmarshal(stored.Body, &position))
	var sent struct {
		Sensor struct {
			LatDeg float64 `json:"location_lat"`
			LonDeg float64 `json:"location_lon"`
		} `json:"sensor_metadata"`
	}
	require.NoError(t, json.Unmarshal(body, &sent))
	distance := samples.DistanceMetres(position.LatDeg, position.LonDeg, sent.Sensor.LatDeg, sent.Sensor.LonDeg)
	require.InDelta(t, 200, distance, 0.1, "200 m above the ground, the camera looks 45 degrees down")
	require.Greater(t, position.LonDeg, sent.Sensor.LonDeg, "to the east")
	require.InDelta(t, sent.Sensor.LatDeg, position.LatDeg, 1e-6)
	onTAK(t, s, []string{answer.DetectionID()})
}

// TestUnauthorized holds that nothing gets in without a token, and that the platform needs none.
func TestUnauthorized(t *testing.T) {
	s, api := installed(t)
	const camera = "intruder"
	body := load.Detections(camera, time.Now())(0)
	for name, token := range map[string]string{"none": "", "garbage": "garbage", "another key's": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4IiwiZXhwIjo5OTk5OTk5OTk5fQ.c2ln"} {
		answer, err := detectionapi.New(api.BaseURL, token).Post(t.Context(), body)
		require.NoError(t, err)
		require.Equal(t, http.StatusUnauthorized, answer.Status, "token: %s", name)
	}
	health, err := detectionapi.New(api.BaseURL, "").Get(t.Context(), "/health", "")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, health.Status)
	intruded := func() bool {
		t.Helper()
		events, err := s.TAK.Events(t.Context())
		require.NoError(t, err)
		return slices.ContainsFunc(events, func(event stack.Event) bool { return strings.Contains(event.Raw, camera) })
	}
	require.False(t, intruded(), "an event of the camera is on TAK")
	answer, err := api.Post(t.Context(), body)
	require.NoError(t, err)
	require.True(t, answer.Accepted(), "the same body with a token: %d %s", answer.Status, answer.Body)
	onTAK(t, s, []string{answer.DetectionID()})
	require.True(t, intruded(), "no event names its camera, so that the check above could not have failed")
}

// TestBadInput holds that what is wrong is refused with the field named, through everything that lies before the service.
func TestBadInput(t *testing.T) {
	_, api := installed(t)
	good := load.Detections("bad-input", time.Now())(0)
	set := func(old, replacement string) []byte {
		changed := bytes.Replace(good, []byte(old), []byte(replacement), 1)
		require.NotEqual(t, string(good), string(changed), "the case changes the body")
		return changed
	}
	tests := []struct {
		name   string
		body   []byte
		status int
		code   string
		field  string
	}{
		{"malformed", []byte("{"), 400, "malformed_json", ""},
		{"wrong type", set(`"pixel_x":960`, `"pixel_x":"left"`), 422, "invalid_field", "pixel_x"},
		{"NaN", set(`"pixel_x":960`, `"pixel_x":NaN`), 400, "malformed_json", "pixel_x"},
		{"pixel outside the image", set(`"pixel_x":960`, `"pixel_x":100000`), 422, "invalid_field", "pixel_x"},
		{"latitude out of range", set(`"location_lat":47`, `"location_lat":97`), 422, "invalid_field", "sensor_metadata.location_lat"},
		{"looks at the sky", set(`"pitch":-45`, `"pitch":45`), 422, "no_ground_intersection", "sensor_metadata.pitch"},
		{"too large", bytes.Repeat([]byte(" "), 17<<20), 413, "body_too_large", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer, err := api.Post(t.Context(), tt.body)
			require.NoError(t, err)
			require.Equal(t, tt.status, answer.Status, "%s", answer.Body)
			refusal, err := answer.Error()
			require.NoError(t, err)
			require.Equal(t, tt.code, refusal.Code)
			if tt.field != "" {
				require.Equal(t, tt.field, refusal.Details["field"])
			}
		})
	}
	answer, err := api.Post(t.Context(), good)
	require.NoError(t, err)
	require.True(t, answer.Accepted(), "the unchanged body is good: %s", answer.Body)
}
