package sqlite

import (
	"bytes"
	"testing"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/detection/storetest"
)

// TestSeal holds that a queued record is checked, and that one without a seal is read.
func TestSeal(t *testing.T) {
	want := storetest.Record(1, "pod-a")
	body, err := want.AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	var got detection.Record
	for _, sealed := range [][]byte{seal(bytes.Clone(body)), body} {
		if err := unseal(sealed, &got); err != nil || got.Detection.ID != want.Detection.ID {
			t.Errorf("unseal = %v, %v", got.Detection.ID, err)
		}
	}
	sealed := seal(bytes.Clone(body))
	for bit := range len(sealed) * 8 {
		sealed[bit/8] ^= 1 << (bit % 8)
		if err := unseal(sealed, &got); err == nil && bit/8 < len(body) {
			t.Errorf("bit %d flipped and not noticed", bit)
		}
		sealed[bit/8] ^= 1 << (bit % 8)
	}
}
