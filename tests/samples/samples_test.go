package samples_test

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/detection-api/detection-api/tests/samples"
)

func TestLoad(t *testing.T) {
	for _, name := range samples.Sets() {
		set, err := samples.Load(filepath.Join("..", "..", "docs", "samples"), name)
		require.NoError(t, err)
		for _, sample := range set {
			require.NotEmpty(t, sample.Expected.Source, "where the position comes from")
			require.Positive(t, sample.Expected.ToleranceMetres)
		}
	}
	_, err := samples.Load(t.TempDir(), "none")
	require.ErrorContains(t, err, "none.ndjson")
}

// TestAt holds that a set keeps its pace and all but its time.
func TestAt(t *testing.T) {
	set, err := samples.Load(filepath.Join("..", "..", "docs", "samples"), "moving-vehicle")
	require.NoError(t, err)
	now := time.Date(2027, 3, 4, 5, 6, 7, 8e6, time.UTC)
	moved, err := samples.At(set, now)
	require.NoError(t, err)
	require.Len(t, moved, len(set))
	for i := range moved {
		before, after := request(t, set[i]), request(t, moved[i])
		back := moved[i].Expected.Timestamp.Sub(set[i].Expected.Timestamp)
		require.Equal(t, now.Sub(set[len(set)-1].Expected.Timestamp), back, "every sample moves by as much")
		require.Equal(t, moved[i].Expected.Timestamp.Format(time.RFC3339Nano), after["timestamp"])
		before["timestamp"] = after["timestamp"]
		require.Equal(t, before, after, "nothing else changes")
	}
}

func request(t *testing.T, sample samples.Sample) (body map[string]any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(sample.Request, &body))
	return body
}

// TestDistance takes one degree of the meridian and of a parallel from Snyder, Map Projections (USGS PP 1395), table 8,
// which is for Clarke 1866; the WGS-84 figures are those of NGA's degree-length calculator.
func TestDistance(t *testing.T) {
	tests := []struct {
		name                   string
		lat1, lon1, lat2, lon2 float64
		want, tolerance        float64
	}{
		{"a thousandth of a degree of latitude at 45", 44.9995, 7, 45.0005, 7, 111.1317, 1e-3},
		{"a thousandth of a degree of longitude at 45", 45, 7, 45, 7.001, 78.8468, 1e-3},
		{"on the equator", 0, 0, 0, 0.001, 111.3195, 1e-3},
		{"over the antimeridian", 0, 179.9995, 0, -179.9995, 111.3195, 1e-3},
		{"no distance", 60, 10, 60, 10, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.InDelta(t, tt.want, samples.DistanceMetres(tt.lat1, tt.lon1, tt.lat2, tt.lon2), tt.tolerance)
		})
	}
}
