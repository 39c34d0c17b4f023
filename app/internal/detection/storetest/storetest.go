// Package storetest holds what every detection.Store and detection.Queue must do, as tests that an implementation runs
// from its own package: one suite, so that another database can take the place of the first.
package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// Clock is a clock that stands still until a test moves it.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock starts at noon UTC of some day.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)} }

// Now is the time function to inject.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock, also back: as if time passed, or somebody set it.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Record is the n-th detection of a test, owed to TAK and held by owner. Ids sort by n.
func Record(n int, owner string) detection.Record {
	at := time.Date(2026, 7, 1, 12, 0, 0, 123456000, time.UTC).Add(time.Duration(n) * time.Millisecond)
	hae := 123.25
	return detection.Record{Deliver: true, Owner: owner, Detection: detection.Detection{
		ID: ID(n), ReceivedAt: at, SeenAt: at.Add(-time.Second), ObjectClass: "véhicule <&> \"truck\"", AIConfidence: 0.91,
		Source: "uav-7", CameraID: "cam-1", PixelX: 960.5, PixelY: 540.25, ReportedBy: "tester",
		Image: &detection.Image{SHA256: "00", Bytes: 1},
		Fix:   detection.Fix{LatDeg: 48.20849, LonDeg: 16.37208, HAEMetres: &hae, CE90Metres: 4.2, Method: detection.MethodRayEllipsoid},
	}}
}

// Records are the detections from to to-1.
func Records(from, to int, owner string) []detection.Record {
	out := make([]detection.Record, 0, to-from)
	for n := from; n < to; n++ {
		out = append(out, Record(n, owner))
	}
	return out
}

// ID is the id of the n-th detection.
func ID(n int) string { return fmt.Sprintf("01900000-0000-7000-8000-%012d", n) }

// IDs are the ids of the detections from to to-1.
func IDs(from, to int) []string { return ids(Records(from, to, "")) }

func ids(records []detection.Record) []string {
	out := []string{}
	for _, r := range records {
		out = append(out, r.Detection.ID)
	}
	return out
}

// Deliveries are outcomes of the detections from to to-1.
func Deliveries(from, to int, outcome detection.Outcome, at time.Time) []detection.Delivery {
	var out []detection.Delivery
	for _, id := range IDs(from, to) {
		out = append(out, detection.Delivery{ID: id, Outcome: outcome, At: at, Reason: reasons[outcome]})
	}
	return out
}

var reasons = map[detection.Outcome]string{detection.DeadLettered: "cannot be encoded"}

func must(t *testing.T, doing string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", doing, err)
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func equalIDs(t *testing.T, what string, got []detection.Record, want []string) {
	t.Helper()
	if !slices.Equal(ids(got), want) {
		t.Errorf("%s = %q, want %q", what, ids(got), want)
	}
}

func wants(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s = %v, want an error that is %v", what, got, want)
	}
}
