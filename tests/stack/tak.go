package stack

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// UIDPrefix comes before the detection's id in the uid of its event.
const UIDPrefix = "detection-api."

// TAK is the TAK test server, seen through its control API.
type TAK struct {
	ControlURL string // of the control API
	Addr       string // host:port of the CoT input, as this machine reaches it
}

// Event is one object as the TAK server knows it.
type Event struct {
	UID   string    `json:"uid"`
	Type  string    `json:"type"`
	How   string    `json:"how"`
	Lat   float64   `json:"lat"`
	Lon   float64   `json:"lon"`
	HAE   float64   `json:"hae"`
	CE    float64   `json:"ce"`
	LE    float64   `json:"le"`
	Time  time.Time `json:"time"`
	Start time.Time `json:"start"`
	Stale time.Time `json:"stale"`
	Raw   string    `json:"raw"`
	// Client is the common name of the certificate over whose connection it came; empty: plain TCP.
	Client string `json:"client"`
}

// DetectionID is the id of the detection the event tells of.
func (e Event) DetectionID() string { return strings.TrimPrefix(e.UID, UIDPrefix) }

// Events returns what has arrived, in that order, repeated deliveries included.
func (t *TAK) Events(ctx context.Context) ([]Event, error) {
	body, err := t.call(ctx, http.MethodGet, "/events")
	if err != nil {
		return nil, err
	}
	defer body.Close()
	var events []Event
	scanner := bufio.NewScanner(body)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var event Event
		if err := json.Unmarshal(scanner.Bytes(), &event); err != nil {
			return nil, fmt.Errorf("decode event of the TAK test server: %w", err)
		}
		events = append(events, event)
	}
	return events, scanner.Err()
}

// IDs returns the ids of all detections that have arrived.
func (t *TAK) IDs(ctx context.Context) (map[string]bool, error) {
	events, err := t.Events(ctx)
	if err != nil {
		return nil, err
	}
	ids := make(map[string]bool, len(events))
	for _, event := range events {
		ids[event.DetectionID()] = true
	}
	return ids, nil
}

// Pause makes the server unreachable: it closes its port and every connection.
func (t *TAK) Pause(ctx context.Context) error { return t.command(ctx, "/pause") }

// Resume ends a Pause.
func (t *TAK) Resume(ctx context.Context) error { return t.command(ctx, "/resume") }

func (t *TAK) command(ctx context.Context, path string) error {
	body, err := t.call(ctx, http.MethodPost, path)
	if err != nil {
		return err
	}
	return body.Close()
}

func (t *TAK) call(ctx context.Context, method, path string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, method, t.ControlURL+path, nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask the TAK test server: %w", err)
	}
	if response.StatusCode >= 300 {
		response.Body.Close()
		return nil, fmt.Errorf("ask the TAK test server: %s %s: %s", method, path, response.Status)
	}
	return response.Body, nil
}
