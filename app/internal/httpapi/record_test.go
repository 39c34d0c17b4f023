package httpapi

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

type fakeBatch struct {
	accept func(ins []detection.Input, by string) []detection.Result
}

func (f fakeBatch) AcceptAll(_ context.Context, ins []detection.Input, by string) []detection.Result {
	return f.accept(ins, by)
}

// fakeRecord is a record in memory, which is also a Finder and a Retractor.
type fakeRecord struct {
	mu      sync.Mutex
	entries []detection.Entry
	grown   chan struct{}
	fails   error // of every call
	follows int   // calls of Follow
}

// add appends detections to the record.
func (f *fakeRecord) add(detections ...detection.Detection) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range detections {
		seq := int64(1)
		if n := len(f.entries); n > 0 {
			seq = f.entries[n-1].Seq + 1
		}
		f.entries = append(f.entries, detection.Entry{Seq: seq, Detection: d})
		for i := range f.entries {
			if f.entries[i].Detection.ID == d.Retracts {
				f.entries[i].RetractedAt = d.ReceivedAt
			}
		}
	}
	if f.grown != nil {
		close(f.grown)
	}
	f.grown = make(chan struct{})
}

// fail makes every call fail, or none with nil.
func (f *fakeRecord) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fails = err
}

func (f *fakeRecord) Find(_ context.Context, q detection.Query, before int64, limit int) ([]detection.Entry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []detection.Entry
	for _, e := range slices.Backward(f.entries) {
		d := &e.Detection
		if d.Retracts != "" || !e.RetractedAt.IsZero() || before > 0 && e.Seq >= before || !selects(&q, d) ||
			!q.From.IsZero() && d.SeenAt.Before(q.From) || !q.Until.IsZero() && d.SeenAt.After(q.Until) {
			continue
		}
		if found = append(found, e); len(found) == limit {
			break
		}
	}
	return found, f.fails
}

func (f *fakeRecord) Follow(ctx context.Context, after int64, limit int, wait time.Duration) ([]detection.Entry, error) {
	f.mu.Lock()
	f.follows++
	i, _ := slices.BinarySearchFunc(f.entries, after+1, func(e detection.Entry, seq int64) int { return cmp.Compare(e.Seq, seq) })
	found := slices.Clone(f.entries[i:min(len(f.entries), i+limit)])
	grown, err := f.grown, f.fails
	if grown == nil {
		f.grown = make(chan struct{})
		grown = f.grown
	}
	f.mu.Unlock()
	if len(found) > 0 || wait == 0 || err != nil {
		return found, err
	}
	select {
	case <-grown:
		return f.Follow(ctx, after, limit, 0)
	case <-time.After(wait):
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (f *fakeRecord) Last(context.Context) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.entries) == 0 {
		return 0, f.fails
	}
	return f.entries[len(f.entries)-1].Seq, f.fails
}

func (f *fakeRecord) Trail(_ context.Context, id string) ([]detection.AuditEntry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []detection.AuditEntry
	for _, e := range f.entries {
		if e.Detection.ID == id || e.Detection.Retracts == id {
			event := "accepted"
			if e.Detection.Retracts == id {
				event = "retracted"
			}
			found = append(found, detection.AuditEntry{Seq: e.Seq, DetectionID: id, Event: event, At: e.Detection.ReceivedAt, Hash: "ab12"})
		}
	}
	if len(found) == 0 {
		return nil, detection.ErrNotFound
	}
	return found, f.fails
}

// Get makes the record a Finder.
func (f *fakeRecord) Get(_ context.Context, id string) (detection.Record, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.entries {
		if e.Detection.ID == id {
			return detection.Record{Detection: e.Detection}, f.fails
		}
	}
	return detection.Record{}, cmp.Or(f.fails, error(detection.ErrNotFound))
}

// Retract makes the record a Retractor.
func (f *fakeRecord) Retract(_ context.Context, target detection.Detection, reason, by string) (detection.Accepted, error) {
	d := detection.Detection{
		ID: detection.RetractionID(target.ID, target.SeenAt), Retracts: target.ID, Reason: reason, ReportedBy: by,
		ReceivedAt: time.Date(2026, 11, 22, 13, 0, 0, 0, time.UTC), SeenAt: time.Date(2026, 11, 22, 13, 0, 0, 0, time.UTC),
		CameraID: target.CameraID, ObjectClass: target.ObjectClass, Fix: target.Fix, Track: target.Track,
	}
	if _, err := f.Get(context.Background(), d.ID); err == nil {
		return detection.Accepted{Detection: d, Durability: detection.InStore, Repeated: true}, nil
	}
	f.add(d)
	return detection.Accepted{Detection: d, Durability: detection.InStore}, nil
}

// numbered returns a detection that differs from others by n, which is also its longitude in degrees.
func numbered(n int) detection.Detection {
	in, err := detection.ParseInput([]byte(goodBody))
	if err != nil {
		panic(err)
	}
	d := detectionOf(in, "drone-7")
	d.ID = fmt.Sprintf("01890a5d-ac96-874b-8cce-%012d", n)
	d.SeenAt = d.SeenAt.Add(time.Duration(n) * time.Second)
	d.Fix.LonDeg = float64(n)
	return d
}

// recordOf returns an API on top of a record of n detections, which is everything that looks things up.
func recordOf(n int) (*rig, *fakeRecord) {
	g, record := newRig(), &fakeRecord{}
	for i := range n {
		record.add(numbered(i + 1))
	}
	g.Finder, g.Catalogue, g.Retractor = record, record, record
	return g, record
}
