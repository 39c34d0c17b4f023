package relay

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

const (
	// cameraFresh is how old an image may be that shows where its camera is; what waited longer shows where it was. It
	// leaves room for clocks that differ.
	cameraFresh = 5 * time.Minute
	// cameraRest is the pause after an event of a camera that did not get through: it must not cost detections their link
	// more often than that.
	cameraRest = time.Minute
	// maxCameras bounds the cameras that are kept in mind, some 200 bytes each.
	maxCameras = 10_000
)

// cameras shows on the map where the cameras are that detections come from. Their events are sent behind those of the
// detections, and are lost with a link that breaks: the next ones say more. Only the goroutine that delivers uses it.
type cameras struct {
	encode func(d detection.Detection, now time.Time) ([]byte, error) // nil: none is shown
	every  time.Duration
	shown  map[string]shown // by camera
	rested time.Time        // none is shown before
}

type shown struct{ at, seenAt time.Time }

// due returns the events of the cameras of these records that may be shown now, of each the one of its newest image.
func (c *cameras) due(records []detection.Record, now time.Time) (events [][]byte) {
	if c.encode == nil || now.Before(c.rested) {
		return nil
	}
	newest := map[string]*detection.Detection{}
	for i := range records {
		d := &records[i].Detection
		if known, ok := newest[d.CameraID]; c.shows(d, now) && (!ok || d.SeenAt.After(known.SeenAt)) {
			newest[d.CameraID] = d
		}
	}
	for camera, d := range newest {
		if event, err := c.encode(*d, now); err == nil { // else it has no place to show
			events = append(events, event)
			c.shown[camera] = shown{now, d.SeenAt}
		}
	}
	return events
}

// shows says that the detection tells something new of a camera that may be shown now.
func (c *cameras) shows(d *detection.Detection, now time.Time) bool {
	if d.CameraID == "" || d.Retracts != "" || now.Sub(d.SeenAt).Abs() > cameraFresh {
		return false
	}
	last, known := c.shown[d.CameraID]
	if !known {
		return c.room(now)
	}
	return d.SeenAt.After(last.seenAt) && now.Sub(last.at).Abs() >= c.every
}

// room says that one more camera can be kept in mind.
func (c *cameras) room(now time.Time) bool {
	if len(c.shown) < maxCameras {
		return true
	}
	for camera, last := range c.shown {
		if now.Sub(last.at).Abs() >= max(c.every, cameraFresh) {
			delete(c.shown, camera)
		}
	}
	return len(c.shown) < maxCameras
}

// showCameras sends the events of the cameras that are due. It returns the link to go on with, nil after a failure.
func (r *Relay) showCameras(ctx context.Context, link Link, records []detection.Record) (Link, error) {
	now := r.opts.Now()
	events := r.cameras.due(records, now)
	if len(events) == 0 {
		return link, nil
	}
	for window := range slices.Chunk(events, max(1, link.Window())) {
		err := link.Send(ctx, window)
		if err == nil {
			continue
		}
		r.cameras.rested = now.Add(cameraRest)
		var partly Refusal
		if errors.As(err, &partly) {
			r.log.Warn("TAK refuses events of cameras; none is sent for a while", "pause", cameraRest, "error", err)
			return link, nil
		}
		_ = link.Close() // Send's error is the one that tells what happened
		return nil, err
	}
	return link, nil
}
