package detection

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
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

// Pipeline turns validated input into a committed detection: locate, encode, commit.
type Pipeline struct {
	Locator Locator
	Encode  func(d Detection, now time.Time) ([]byte, error)
	Journal Journal
	Now     func() time.Time
}

// Accept locates the object and commits the detection. Nothing is committed when it returns an error.
// The event is encoded first, so that nothing is accepted that cannot be sent.
func (p *Pipeline) Accept(ctx context.Context, in Input, reportedBy string) (Accepted, error) {
	fix, warnings, err := p.Locator.Locate(in)
	if err != nil {
		return Accepted{}, err
	}
	now := p.Now().UTC()
	d, err := newDetection(in, fix, reportedBy, now)
	if err != nil {
		return Accepted{}, err
	}
	event, err := p.Encode(d, now)
	if err != nil {
		return Accepted{}, fmt.Errorf("encode the CoT event: %w", err)
	}
	committed, err := p.Journal.Accept(ctx, []Detection{d})
	if err != nil {
		return Accepted{}, err
	}
	return Accepted{Detection: d, Event: event, Durability: committed[0].Durability, Warnings: append(in.Warnings, warnings...)}, nil
}

func newDetection(in Input, fix Fix, reportedBy string, now time.Time) (Detection, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Detection{}, fmt.Errorf("make a detection id: %w", err)
	}
	return Detection{
		ID: id.String(), ReceivedAt: now, SeenAt: in.SeenAt, ReportedBy: reportedBy,
		ObjectClass: in.ObjectClass, AIConfidence: in.AIConfidence, Source: in.Source, CameraID: in.CameraID,
		PixelX: in.PixelX, PixelY: in.PixelY, Sensor: in.Sensor, Datum: in.Datum, Image: in.Image, Fix: fix,
	}, nil
}
