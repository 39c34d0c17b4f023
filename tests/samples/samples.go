// Package samples reads the sample detections of docs/samples and holds what came out of them against where the objects
// really were.
package samples

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"
)

// Sample is one detection to send and what is known about the object from elsewhere.
type Sample struct {
	Request  json.RawMessage // body of POST /api/v1/detections
	Expected Expected
}

// Expected is where the object of a sample was.
type Expected struct {
	CameraID        string    `json:"camera_id"`
	Timestamp       time.Time `json:"timestamp"`
	Name            string    `json:"name"`
	LatDeg          float64   `json:"lat"`
	LonDeg          float64   `json:"lon"`
	HAEMetres       float64   `json:"hae_m"`
	ToleranceMetres float64   `json:"tolerance_m"` // how far off a right answer may lie, horizontally
	Source          string    `json:"source"`
}

// Sets are the names of the sample files, without their ending.
func Sets() []string { return []string{"drone-shots", "moving-vehicle"} }

// Load reads one set from a directory: NAME.ndjson and, line by line beside it, NAME.expected.ndjson.
func Load(dir, name string) ([]Sample, error) {
	requests, err := lines(filepath.Join(dir, name+".ndjson"))
	if err != nil {
		return nil, err
	}
	expectations, err := lines(filepath.Join(dir, name+".expected.ndjson"))
	if err != nil {
		return nil, err
	}
	if len(requests) != len(expectations) || len(requests) == 0 {
		return nil, fmt.Errorf("sample set %s: %d requests and %d expectations; want as many, and some", name, len(requests), len(expectations))
	}
	set := make([]Sample, len(requests))
	for i := range requests {
		set[i].Request = requests[i]
		if err := json.Unmarshal(expectations[i], &set[i].Expected); err != nil {
			return nil, fmt.Errorf("sample set %s, expectation %d: %w", name, i+1, err)
		}
	}
	return set, nil
}

// At returns the set as if it had been taken later or earlier, all of it by as much, so that its last image is of that time.
func At(set []Sample, last time.Time) ([]Sample, error) {
	shift := last.Sub(set[len(set)-1].Expected.Timestamp)
	moved := make([]Sample, len(set))
	for i, sample := range set {
		at := sample.Expected.Timestamp.Add(shift).UTC().Truncate(time.Millisecond)
		var request map[string]json.RawMessage
		if err := json.Unmarshal(sample.Request, &request); err != nil {
			return nil, fmt.Errorf("decode sample %s: %w", sample.Expected.Name, err)
		}
		request["timestamp"] = json.RawMessage(at.Format(`"2006-01-02T15:04:05.000Z"`))
		body, err := json.Marshal(request)
		if err != nil {
			return nil, fmt.Errorf("encode sample %s: %w", sample.Expected.Name, err)
		}
		moved[i] = Sample{Request: body, Expected: sample.Expected}
		moved[i].Expected.Timestamp = at
	}
	return moved, nil
}

func lines(path string) ([]json.RawMessage, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read samples: %w", err)
	}
	defer f.Close()
	var found []json.RawMessage
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		if text := scanner.Bytes(); len(text) > 0 {
			found = append(found, json.RawMessage(string(text)))
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("read samples %s: %w", path, err)
	}
	return found, nil
}

// DistanceMetres returns the horizontal distance of two near points on the ground, by the radii of curvature of the
// WGS-84 ellipsoid at their mean latitude. Within 10 km it is good to a millimetre in a metre.
func DistanceMetres(lat1Deg, lon1Deg, lat2Deg, lon2Deg float64) float64 {
	const a, e2 = 6378137.0, 6.69437999014e-3 // WGS-84: NGA.STND.0036
	sin, cos := math.Sincos((lat1Deg + lat2Deg) / 2 * math.Pi / 180)
	w := math.Sqrt(1 - e2*sin*sin)
	north := (lat2Deg - lat1Deg) * math.Pi / 180 * a * (1 - e2) / (w * w * w)
	east := math.Remainder(lon2Deg-lon1Deg, 360) * math.Pi / 180 * a / w * cos
	return math.Hypot(north, east)
}
