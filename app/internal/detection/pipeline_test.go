package detection

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/geo"
)

var pipelineNow = time.Date(2026, 2, 15, 12, 0, 5, 0, time.UTC)

// ledger is a journal that keeps what it is given by the rules of Store.Commit.
type ledger struct {
	mu      sync.Mutex
	kept    map[string]Detection
	keys    map[string]string
	calls   int
	err     error
	getErr  error
	commits []Detection
}

func newLedger() *ledger { return &ledger{kept: map[string]Detection{}, keys: map[string]string{}} }

func (l *ledger) Accept(_ context.Context, detections []Detection) ([]Commitment, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls++; l.err != nil {
		return nil, l.err
	}
	out := make([]Commitment, len(detections))
	for i, d := range detections {
		out[i].Durability = InStore
		if _, known := l.kept[d.ID]; known {
			out[i].RepeatOf = d.ID
		} else if of := l.keys[d.IdempotencyKey]; d.IdempotencyKey != "" && of != "" {
			out[i].RepeatOf = of
		} else {
			l.kept[d.ID], l.keys[d.IdempotencyKey] = d, d.ID
			l.commits = append(l.commits, d)
		}
	}
	return out, nil
}

func (l *ledger) Get(_ context.Context, id string) (Record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d, ok := l.kept[id]
	if l.getErr != nil {
		return Record{}, l.getErr
	}
	if !ok {
		return Record{}, ErrNotFound
	}
	return Record{Detection: d}, nil
}

func newTestPipeline(l *ledger) *Pipeline {
	return &Pipeline{
		Locator: Locator{Sigmas: geo.DefaultSigmas(), Thresholds: geo.DefaultThresholds()},
		Encode: func(d Detection, _ time.Time) ([]byte, error) {
			if d.ObjectClass == "unspeakable" {
				return nil, errors.New("cannot be encoded")
			}
			return []byte("<event uid='" + d.ID + "' class='" + d.ObjectClass + "'/>"), nil
		},
		Journal: l, Get: l.Get, Now: func() time.Time { return pipelineNow },
	}
}

func inputOf(t testing.TB, path, value string) Input {
	t.Helper()
	in, err := ParseInput(change(t, path, value))
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestAcceptIsNamedByWhatWasSeen(t *testing.T) {
	p := newTestPipeline(newLedger())
	in := inputOf(t, "pixel_x", "960")
	a, err := p.Accept(t.Context(), in, "drone")
	if err != nil || a.Detection.ID != IDOf("cam-3", in.SeenAt, 960, 540.5) || a.Repeated || a.Durability != InStore {
		t.Fatalf("got %+v, %v", a, err)
	}
	if a.Detection.ReportedBy != "drone" || a.Detection.ReceivedAt != pipelineNow || !strings.Contains(string(a.Event), a.Detection.ID) {
		t.Errorf("got %+v", a)
	}
}

func TestFocalLengthInMillimetresIsRecordedInPixels(t *testing.T) {
	p := newTestPipeline(newLedger())
	in := inputOf(t, "sensor_metadata.focal_length", "")
	if _, err := p.Accept(t.Context(), in, "drone"); CodeOf(err) != CodeInvalidField {
		t.Errorf("without any focal length: %v", err)
	}
	millimetres := 20.625
	in.Sensor.FocalLengthMM = &millimetres
	a, err := p.Accept(t.Context(), in, "drone")
	// 20.625 mm on a sensor of 13.2 mm and 1920 px: 20.625 / 13.2 * 1920 = 3000 px.
	if got := a.Detection.Sensor.FocalLengthPx; err != nil || got < 2999.999 || got > 3000.001 {
		t.Errorf("got %v px, %v", got, err)
	}
}

func TestRepetitionsGetTheFirst(t *testing.T) {
	l := newLedger()
	p := newTestPipeline(l)
	first, err := p.Accept(t.Context(), inputOf(t, "object_class", `"vehicle"`), "drone")
	if err != nil {
		t.Fatal(err)
	}
	p.Now = func() time.Time { return pipelineNow.Add(time.Hour) }
	again, err := p.Accept(t.Context(), inputOf(t, "object_class", `"person"`), "other")
	if err != nil || !again.Repeated || again.Detection.ReceivedAt != pipelineNow || string(again.Event) != string(first.Event) {
		t.Errorf("got %+v, %v", again, err)
	}
	l.getErr = ErrUnavailable
	away, err := p.Accept(t.Context(), inputOf(t, "object_class", `"person"`), "other")
	if err != nil || !away.Repeated || away.Detection.ID != first.Detection.ID || !strings.Contains(strings.Join(away.Warnings, ""), "accepted before") {
		t.Errorf("with the record away: got %+v, %v", away, err)
	}
	l.getErr = errors.New("disk I/O error")
	if got, err := p.Accept(t.Context(), inputOf(t, "object_class", `"person"`), "other"); err == nil || got.Detection.ID != "" {
		t.Errorf("with a broken record: got %+v, %v", got, err)
	}
}

func TestAKeyNamesOneDetection(t *testing.T) {
	p := newTestPipeline(newLedger())
	one, other := inputOf(t, "pixel_x", "1"), inputOf(t, "pixel_x", "2")
	one.IdempotencyKey = IdempotencyKey("drone", "k")
	other.IdempotencyKey = one.IdempotencyKey
	for _, repeated := range []bool{false, true} {
		if a, err := p.Accept(t.Context(), one, "drone"); err != nil || a.Repeated != repeated {
			t.Errorf("got %+v, %v", a, err)
		}
	}
	if a, err := p.Accept(t.Context(), other, "drone"); CodeOf(err) != CodeKeyReused || a.Detection.ID != "" {
		t.Errorf("a key for something else: got %+v, %v", a, err)
	}
}

// TestKeyOfAnotherReport: under one key a request is repeated as it was. Without a key the first report of a pixel stands.
func TestKeyOfAnotherReport(t *testing.T) {
	l := newLedger()
	p := newTestPipeline(l)
	in := inputOf(t, "pixel_x", "960")
	in.IdempotencyKey = "key"
	if _, err := p.Accept(t.Context(), in, "drone"); err != nil {
		t.Fatal(err)
	}
	if a, err := p.Accept(t.Context(), in, "drone"); err != nil || !a.Repeated {
		t.Errorf("the same: %+v, %v", a, err)
	}
	for path, value := range map[string]string{
		"object_class": `"person"`, "ai_confidence": "0.5", "source": `"other"`, "altitude_datum": `"MSL"`,
		"image_base64": `"d29ybGQ="`, "sensor_metadata.heading": "1", "sensor_metadata.location_elevation": "180",
	} {
		other := inputOf(t, path, value)
		other.IdempotencyKey = "key"
		if a, err := p.Accept(t.Context(), other, "drone"); CodeOf(err) != CodeKeyReused || a.Detection.ID != "" {
			t.Errorf("another %s: got %s, %v", path, a.Detection.ObjectClass, err)
		}
		for _, key := range []string{"", "another"} {
			other.IdempotencyKey = key
			if a, err := p.Accept(t.Context(), other, "drone"); err != nil || !a.Repeated || a.Detection.ObjectClass != in.ObjectClass {
				t.Errorf("another %s, key %q: got %+v, %v", path, key, a, err)
			}
		}
	}
	if len(l.commits) != 1 {
		t.Errorf("%d commits", len(l.commits))
	}
}

// TestRepetitionsAtOnce reports the same detection from many goroutines: one is the first.
func TestRepetitionsAtOnce(t *testing.T) {
	l := newLedger()
	p := newTestPipeline(l)
	in := inputOf(t, "pixel_x", "960")
	results := make(chan Accepted)
	const many = 50
	for i := range many {
		go func() {
			a, err := p.Accept(context.Background(), in, fmt.Sprint(i))
			if err != nil {
				t.Error(err)
			}
			results <- a
		}()
	}
	firsts, by := 0, map[string]bool{}
	for range many {
		a := <-results
		if !a.Repeated {
			firsts++
		}
		by[a.Detection.ReportedBy] = true
	}
	if firsts != 1 || len(by) != 1 || len(l.commits) != 1 {
		t.Errorf("%d firsts, reported by %v, %d commits", firsts, by, len(l.commits))
	}
}

func TestAcceptAllKeepsTheOrder(t *testing.T) {
	l := newLedger()
	p := newTestPipeline(l)
	tracked := 0
	p.Track = func(d *Detection) { tracked++; d.Track = &Track{ID: d.ID, Detections: tracked} }
	sky := inputOf(t, "sensor_metadata.pitch", "45")
	keyed, reused := inputOf(t, "pixel_x", "5"), inputOf(t, "pixel_x", "6")
	keyed.IdempotencyKey, reused.IdempotencyKey = "key", "key"
	results := p.AcceptAll(t.Context(), []Input{
		inputOf(t, "pixel_x", "1"), sky, inputOf(t, "pixel_x", "2"), inputOf(t, "pixel_x", "1"),
		inputOf(t, "object_class", `"unspeakable"`), keyed, reused, inputOf(t, "pixel_x", "3"),
	}, "drone")
	want := []string{"1", "no_ground_intersection", "2", "1 again", "internal", "5", "idempotency_key_reused", "3"}
	for i, r := range results {
		got := fmt.Sprint(r.Detection.PixelX)
		if r.Err != nil {
			got = string(CodeOf(r.Err))
			if r.Detection.ID != "" {
				t.Errorf("result %d has an error and a detection", i)
			}
		}
		if r.Repeated {
			got += " again"
		}
		if got != want[i] {
			t.Errorf("result %d: got %s, %v; want %s", i, got, r.Err, want[i])
		}
	}
	if l.calls != 1 || len(l.commits) != 4 {
		t.Errorf("%d calls of the journal, %d detections committed; want 1 and 4", l.calls, len(l.commits))
	}
	if l.commits[0].Track == nil || l.commits[0].Track.Detections != 1 {
		t.Errorf("track: got %+v", l.commits[0].Track)
	}
}

func TestNothingIsAcceptedWithoutTheJournal(t *testing.T) {
	l := newLedger()
	l.err = ErrFull
	p := newTestPipeline(l)
	in := inputOf(t, "pixel_x", "1")
	for i, r := range p.AcceptAll(t.Context(), []Input{in, in, inputOf(t, "sensor_metadata.pitch", "45")}, "drone") {
		if want := []Code{CodeStorageFull, CodeStorageFull, CodeNoIntersection}[i]; CodeOf(r.Err) != want || r.Repeated || r.Detection.ID != "" {
			t.Errorf("result %d: got %+v", i, r)
		}
	}
	if got := p.AcceptAll(t.Context(), nil, "drone"); len(got) != 0 {
		t.Errorf("nothing: got %+v", got)
	}
	p.Journal = short{}
	if _, err := p.Accept(t.Context(), in, "drone"); err == nil {
		t.Error("a commitment that is not there was taken")
	}
	if _, err := p.Retract(t.Context(), Detection{ID: "x"}, "", "op"); err == nil {
		t.Error("a commitment that is not there was taken")
	}
}

// short is a journal that breaks its contract.
type short struct{}

func (short) Accept(context.Context, []Detection) ([]Commitment, error) { return nil, nil }

func TestRetract(t *testing.T) {
	l := newLedger()
	p := newTestPipeline(l)
	a, err := p.Accept(t.Context(), inputOf(t, "pixel_x", "1"), "drone")
	if err != nil {
		t.Fatal(err)
	}
	gone, err := p.Retract(t.Context(), a.Detection, "a bush", "operator")
	d := gone.Detection
	if err != nil || gone.Repeated || d.Retracts != a.Detection.ID || d.ID != RetractionID(a.Detection.ID, a.Detection.SeenAt) || d.Reason != "a bush" {
		t.Fatalf("got %+v, %v", gone, err)
	}
	if d.CameraID != "cam-3" || d.Fix.LatDeg != a.Detection.Fix.LatDeg || d.SeenAt != pipelineNow || d.ReportedBy != "operator" {
		t.Errorf("got %+v", d)
	}
	p.Now = func() time.Time { return pipelineNow.Add(time.Hour) }
	again, err := p.Retract(t.Context(), a.Detection, "a tree", "another")
	if err != nil || !again.Repeated || again.Detection.Reason != "a bush" || again.Detection.ID != d.ID {
		t.Errorf("again: got %+v, %v", again, err)
	}
	if _, err := p.Retract(t.Context(), d, "", "operator"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a retraction was retracted: %v", err)
	}
	p.Encode = func(Detection, time.Time) ([]byte, error) { return nil, errors.New("cannot be encoded") }
	if _, err := p.Retract(t.Context(), a.Detection, "", "operator"); err == nil {
		t.Error("what cannot be sent was accepted")
	}
}
