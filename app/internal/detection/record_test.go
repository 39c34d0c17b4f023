package detection_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/detection/storetest"
)

// TestRecordIsEncodedAsByJSON holds that the short way writes what encoding/json does, field for field.
func TestRecordIsEncodedAsByJSON(t *testing.T) {
	for _, owner := range []string{"", "pod-a", `a "quoted" <pod>`} {
		for _, deliver := range []bool{false, true} {
			record := storetest.Record(1, owner)
			record.Deliver = deliver
			want, err := json.Marshal(record)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time it has been encoded
				got, err := record.AppendJSON(nil)
				if err != nil || string(got) != string(want) {
					t.Errorf("AppendJSON = %s, %v; want %s", got, err, want)
				}
				if err := record.Encode(); err != nil {
					t.Fatal(err)
				}
			}
			var back detection.Record
			if err := json.Unmarshal(want, &back); err != nil || !reflect.DeepEqual(back.Detection, record.Detection) {
				t.Errorf("read back %+v, %v; want %+v", back.Detection, err, record.Detection)
			}
		}
	}
}

// TestRecordThatCannotBeEncoded holds that a number without a form in JSON is an error, not half a record.
func TestRecordThatCannotBeEncoded(t *testing.T) {
	record := storetest.Record(1, "pod-a")
	var zero float64
	record.Detection.Fix.LatDeg = zero / zero
	if err := record.Encode(); err == nil {
		t.Error("Encode took NaN")
	}
	if _, err := record.AppendJSON(nil); err == nil {
		t.Error("AppendJSON took NaN")
	}
}
