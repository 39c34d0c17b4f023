package detection

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Journal makes accepted detections durable and sees to their delivery.
type Journal interface {
	// Accept makes all of them durable, in order, or none: then it returns an error. There is a Commitment for each.
	Accept(ctx context.Context, detections []Detection) ([]Commitment, error)
}

// Commitment says what became of a detection that was accepted.
type Commitment struct {
	Durability Durability
	// RepeatOf is as in Record: the detection that is there already. Where it is not the id that was handed in, its
	// idempotency key was used before for something else. It cannot be told while the store is away.
	RepeatOf string
}

// Pipeline turns validated input into a committed detection: locate, track, encode, commit.
type Pipeline struct {
	Locator Locator
	Encode  func(d Detection, now time.Time) ([]byte, error)
	Journal Journal
	Now     func() time.Time
	// Get returns a detection of the record, to answer a repetition with what was accepted first; nil: repetitions are
	// answered with what they are themselves.
	Get func(ctx context.Context, id string) (Record, error)
	// Track sets the Track of a detection that was located. It is told of repetitions too, by the id that they repeat. nil:
	// tracking is off.
	Track func(d *Detection)
}

// Accept locates the object and commits the detection. Nothing is committed when it returns an error.
// The event is encoded first, so that nothing is accepted that cannot be sent.
func (p *Pipeline) Accept(ctx context.Context, in Input, reportedBy string) (Accepted, error) {
	result := p.AcceptAll(ctx, []Input{in}, reportedBy)[0]
	return result.Accepted, result.Err
}

// AcceptAll does for each input what Accept does, and commits all that were located together. There is a result for each, in
// order. An input that repeats an earlier one of the same batch is answered as a repetition.
func (p *Pipeline) AcceptAll(ctx context.Context, inputs []Input, reportedBy string) []Result {
	results := make([]Result, len(inputs))
	g := group{first: make(map[string]int, len(inputs)), keys: map[string]int{}}
	for i := range inputs {
		accepted, err := p.prepare(inputs[i], reportedBy)
		if err == nil {
			err = g.add(i, &accepted.Detection)
		}
		if results[i].Err = err; err == nil {
			results[i].Accepted = accepted
		}
	}
	if len(g.detections) == 0 {
		return results
	}
	committed, err := p.Journal.Accept(ctx, g.detections)
	if err == nil && len(committed) != len(g.detections) {
		err = fmt.Errorf("the journal has %d commitments for %d detections", len(committed), len(g.detections))
	}
	for n, i := range g.indexes {
		r := &results[i]
		if r.Err = err; err == nil {
			r.Err = p.settle(ctx, &r.Accepted, committed[n])
		}
		if r.Err != nil {
			r.Accepted = Accepted{}
		}
	}
	g.answerRepeats(results)
	return results
}

// group is the part of a batch that is committed.
type group struct {
	detections []Detection
	indexes    []int          // of detections, in the batch
	first      map[string]int // by id: its index in the batch
	keys       map[string]int // by idempotency key
	repeats    [][2]int       // index of a repetition, and of what it repeats
}

func (g *group) add(i int, d *Detection) error {
	if first, ok := g.first[d.ID]; ok {
		g.repeats = append(g.repeats, [2]int{i, first})
		return nil
	}
	if key := d.IdempotencyKey; key != "" {
		if _, ok := g.keys[key]; ok {
			return keyReused()
		}
		g.keys[key] = i
	}
	g.first[d.ID] = i
	g.detections, g.indexes = append(g.detections, *d), append(g.indexes, i)
	return nil
}

func (g *group) answerRepeats(results []Result) {
	for _, pair := range g.repeats {
		warnings := results[pair[0]].Warnings
		results[pair[0]] = results[pair[1]]
		results[pair[0]].Warnings, results[pair[0]].Repeated = warnings, results[pair[1]].Err == nil
	}
}

// prepare does all that comes before the commit.
func (p *Pipeline) prepare(in Input, reportedBy string) (Accepted, error) {
	fix, warnings, err := p.Locator.Locate(in)
	if err != nil {
		return Accepted{}, err
	}
	if in.Sensor, err = p.Locator.Resolve(in); err != nil {
		return Accepted{}, err
	}
	now := p.Now().UTC()
	d := newDetection(in, fix, reportedBy, now)
	if p.Track != nil {
		p.Track(&d)
	}
	event, err := p.Encode(d, now)
	if err != nil {
		return Accepted{}, fmt.Errorf("encode the CoT event: %w", err)
	}
	return Accepted{Detection: d, Event: event, Warnings: append(in.Warnings, warnings...)}, nil
}

// settle takes what became of a detection. A repetition is answered with what was accepted first.
func (p *Pipeline) settle(ctx context.Context, a *Accepted, c Commitment) error {
	a.Durability = c.Durability
	switch c.RepeatOf {
	case "":
		return nil
	case a.Detection.ID:
	default:
		return keyReused()
	}
	a.Repeated = true
	if p.Get == nil {
		return nil
	}
	stored, err := p.Get(ctx, a.Detection.ID)
	if errors.Is(err, ErrUnavailable) || errors.Is(err, ErrNotFound) {
		a.Warnings = append(a.Warnings, "this was accepted before, and the record cannot be asked for the first report now; the position is that of this one")
		return nil
	}
	if err != nil {
		return fmt.Errorf("get what was accepted first: %w", err)
	}
	if key := a.Detection.IdempotencyKey; key != "" && key == stored.Detection.IdempotencyKey && !saysTheSame(a.Detection, stored.Detection) {
		return keyReused()
	}
	event, err := p.Encode(stored.Detection, p.Now().UTC())
	if err != nil {
		return fmt.Errorf("encode the CoT event: %w", err)
	}
	a.Detection, a.Event = stored.Detection, event
	return nil
}

func keyReused() *Error {
	return &Error{Code: CodeKeyReused, Field: "Idempotency-Key", Message: "this key was used before for another detection; take a new key for each"}
}

// Retract takes a detection back: an entry of the record that is durable, delivered and audited as a detection is. Its id
// follows from that of the target and the millisecond in which the target was seen, so that to retract twice, on whichever
// pods, is to retract once. The target has to be as it is in the record; its SeenAt decides the id.
func (p *Pipeline) Retract(ctx context.Context, target Detection, reason, by string) (Accepted, error) {
	if target.Retracts != "" {
		return Accepted{}, ErrNotFound
	}
	now := p.Now().UTC()
	d := Detection{
		ID: RetractionID(target.ID, target.SeenAt), Retracts: target.ID, Reason: reason, ReportedBy: by,
		ReceivedAt: now, SeenAt: now, CameraID: target.CameraID, ObjectClass: target.ObjectClass, Fix: target.Fix, Track: target.Track,
	}
	event, err := p.Encode(d, now)
	if err != nil {
		return Accepted{}, fmt.Errorf("encode the CoT event: %w", err)
	}
	committed, err := p.Journal.Accept(ctx, []Detection{d})
	if err != nil {
		return Accepted{}, err
	}
	if len(committed) != 1 {
		return Accepted{}, fmt.Errorf("the journal has %d commitments for a retraction", len(committed))
	}
	a := Accepted{Detection: d, Event: event}
	if err := p.settle(ctx, &a, committed[0]); err != nil {
		return Accepted{}, err
	}
	return a, nil
}

func newDetection(in Input, fix Fix, reportedBy string, now time.Time) Detection {
	return Detection{
		ID: IDOf(in.CameraID, in.SeenAt, in.PixelX, in.PixelY), IdempotencyKey: in.IdempotencyKey,
		ReceivedAt: now, SeenAt: in.SeenAt, ReportedBy: reportedBy,
		ObjectClass: in.ObjectClass, AIConfidence: in.AIConfidence, Source: in.Source, CameraID: in.CameraID,
		PixelX: in.PixelX, PixelY: in.PixelY, Sensor: in.Sensor, Datum: in.Datum, Image: in.Image, Fix: fix,
	}
}
