package httpapi

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// inputs are where the objects of a report are in it, and what the description calls them.
var inputs = map[string]string{
	"": "DetectionInput", "sensor_metadata": "SensorInput", "sensor_metadata.sigmas": "Sigmas", "sensor_metadata.distortion": "Distortion",
}

// reportWith is goodBody with a value in one of its objects, or without it when the value is nil.
func reportWith(t *testing.T, at, name string, value any) []byte {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal([]byte(goodBody), &body); err != nil {
		t.Fatal(err)
	}
	object := body
	for key := range strings.SplitSeq(at, ".") {
		if key == "" {
			continue
		}
		if object[key] == nil {
			object[key] = map[string]any{}
		}
		object = object[key].(map[string]any)
	}
	delete(object, name)
	if value != nil {
		object[name] = value
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func schemaOf(t *testing.T, name string) map[string]any {
	t.Helper()
	return inContract.document["components"].(map[string]any)["schemas"].(map[string]any)[name].(map[string]any)
}

func number(t *testing.T, value any) (f float64, given bool) {
	t.Helper()
	n, given := value.(json.Number)
	if !given {
		return 0, false
	}
	f, err := n.Float64()
	if err != nil {
		t.Fatal(err)
	}
	return f, true
}

// TestBoundsAreDescribed: the least and the most that the description allows of a number are what the service takes, and it
// takes nothing beyond.
func TestBoundsAreDescribed(t *testing.T) {
	for at, schema := range inputs {
		for name, value := range schemaOf(t, schema)["properties"].(map[string]any) {
			property := value.(map[string]any)
			if kind := property["type"]; kind != "number" && kind != "integer" {
				continue
			}
			field := strings.TrimPrefix(at+"."+name, ".")
			low, inclusive := number(t, property["minimum"])
			exclusive := false
			if !inclusive {
				low, exclusive = number(t, property["exclusiveMinimum"])
			}
			high, bounded := number(t, property["maximum"])
			if pixel := strings.HasPrefix(name, "pixel_") && at == ""; !inclusive && !exclusive || bounded == pixel { // within the image
				t.Errorf("%s has no bounds in the description", field)
				continue
			}
			refused := func(value float64) bool {
				_, err := detection.ParseInput(reportWith(t, at, name, value))
				if err != nil && detection.CodeOf(err) != detection.CodeInvalidField {
					t.Errorf("%s %v: %v", field, value, err)
				}
				return err != nil && strings.HasPrefix(err.Error(), field+":")
			}
			if refused(low) != exclusive || !refused(low-1) || bounded && refused(high) || bounded && !refused(high+1) {
				t.Errorf("%s: the description says %v (exclusive: %t) to %v, the service something else", field, low, exclusive, high)
			}
		}
	}
}

// TestRequiredIsDescribed: what the description demands is what the service demands.
func TestRequiredIsDescribed(t *testing.T) {
	for at, name := range inputs {
		schema := schemaOf(t, name)
		required, _ := schema["required"].([]any)
		for _, property := range slices.Sorted(maps.Keys(schema["properties"].(map[string]any))) {
			_, err := detection.ParseInput(reportWith(t, at, property, nil))
			if demanded := slices.Contains(required, any(property)); demanded != (err != nil) {
				t.Errorf("%s.%s: required by the description: %t, by the service: %v", at, property, demanded, err)
			}
		}
	}
}
