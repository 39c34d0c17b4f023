// Package load sends detections at a steady rate and remembers exactly what was promised. The schedule is open-loop: a
// slow answer does not slow the next request down.
package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/detection-api/detection-api/tests/detectionapi"
)

// Result is what a run of requests came to.
type Result struct {
	Accepted []string      // ids that the API promised to keep
	Stored   []string      // of these, those that the store had already: not answered 202
	Queued   int           // of these, how many were answered 202
	Failed   []string      // what went wrong with each request that was not accepted
	Statuses map[int]int   // answers by status
	Slowest  time.Duration // the longest wait for an answer
	Requests int           // sent in all
}

// Generator sends until it is stopped.
type Generator struct {
	client *detectionapi.Client
	body   func(n int) []byte

	mu     sync.Mutex
	result Result
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// Start sends body(0), body(1) … to the API, perSecond of them each second, until Stop.
func Start(ctx context.Context, client *detectionapi.Client, perSecond int, body func(n int) []byte) *Generator {
	ctx, cancel := context.WithCancel(ctx)
	g := &Generator{client: client, body: body, cancel: cancel, result: Result{Statuses: map[int]int{}}}
	g.done.Go(func() { g.schedule(ctx, time.Second/time.Duration(perSecond)) })
	return g
}

func (g *Generator) schedule(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			g.done.Go(func() { g.send(context.WithoutCancel(ctx), n) })
		}
	}
}

func (g *Generator) send(ctx context.Context, n int) {
	start := time.Now()
	answer, err := g.client.Post(ctx, g.body(n))
	took := time.Since(start)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.result.Requests++
	g.result.Slowest = max(g.result.Slowest, took)
	if err == nil {
		g.result.Statuses[answer.Status]++
	}
	switch {
	case err != nil:
		g.result.Failed = append(g.result.Failed, fmt.Sprintf("request %d: %v", n, err))
	case !answer.Accepted():
		g.result.Failed = append(g.result.Failed, fmt.Sprintf("request %d: %d %.200s", n, answer.Status, answer.Body))
	default:
		g.result.Accepted = append(g.result.Accepted, answer.DetectionID())
		if answer.Status == http.StatusAccepted {
			g.result.Queued++
			return
		}
		g.result.Stored = append(g.result.Stored, answer.DetectionID())
	}
}

// Snapshot returns what has come back so far.
func (g *Generator) Snapshot() Result {
	g.mu.Lock()
	defer g.mu.Unlock()
	copied := g.result
	copied.Accepted = slices.Clone(g.result.Accepted)
	copied.Stored = slices.Clone(g.result.Stored)
	copied.Failed = slices.Clone(g.result.Failed)
	copied.Statuses = maps.Clone(g.result.Statuses)
	return copied
}

// Stop ends the schedule, waits for the answers that are under way and returns the whole result.
func (g *Generator) Stop() Result {
	g.cancel()
	g.done.Wait()
	return g.Snapshot()
}

// Burst sends n requests, a few at a time, and returns when all are answered.
func Burst(ctx context.Context, client *detectionapi.Client, n int, body func(n int) []byte) Result {
	g := &Generator{client: client, body: body, result: Result{Statuses: map[int]int{}}}
	next := make(chan int)
	for range 16 {
		g.done.Go(func() {
			for i := range next {
				g.send(ctx, i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	g.done.Wait()
	return g.Snapshot()
}

// Error returns an error that shows the first failures, or nil when every request was accepted.
func (r Result) Error() error {
	if len(r.Failed) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d requests failed, the first: %w", len(r.Failed), r.Requests, errors.New(r.Failed[0]))
}

// Detections returns bodies of valid detections, each of an object of its own: a camera that looks 45 degrees down and moves on
// by a third of a kilometre each time, so that no two are taken for sightings of one object. Runs that begin in different
// seconds are as far apart; the first camera of each is at 47 degrees north.
func Detections(cameraID string, seenAt time.Time) func(n int) []byte {
	const row = 1000 // then one column to the east
	westDeg := float64(seenAt.Unix()%1700)*0.1 + 5
	return func(n int) []byte {
		body, err := json.Marshal(map[string]any{
			"pixel_x": 960, "pixel_y": 540, "object_class": "vehicle", "ai_confidence": 0.9,
			"source": "load", "camera_id": cameraID, "timestamp": seenAt.Add(time.Duration(n) * time.Millisecond).UTC().Format(time.RFC3339Nano),
			"altitude_datum": "HAE", "ground_elevation": 100,
			"sensor_metadata": map[string]any{
				"location_lat": 47 + float64(n%row)*0.003, "location_lon": westDeg + float64(n/row)*0.006, "location_elevation": 300,
				"heading": 90, "pitch": -45, "roll": 0, "focal_length": 1500, "image_width": 1920, "image_height": 1080,
			},
		})
		if err != nil {
			panic(err) // numbers and strings always encode
		}
		return body
	}
}
