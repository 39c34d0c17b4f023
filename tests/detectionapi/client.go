// Package detectionapi is a client of the service's HTTP API for tests: it knows the API only, nothing of the service.
package detectionapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Client calls the API at one address. Its methods are safe for concurrent use.
type Client struct {
	BaseURL string // such as http://127.0.0.1:8000
	Token   string // bearer token; empty: none is sent
	HTTP    *http.Client
}

// New returns a client that keeps its connections, as a long-running client does.
func New(baseURL, token string) *Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second}
	return &Client{BaseURL: baseURL, Token: token, HTTP: &http.Client{Transport: transport, Timeout: 30 * time.Second}}
}

// Answer is what the API said.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// DetectionID is the id of an accepted detection.
func (a Answer) DetectionID() string { return a.Header.Get("X-Detection-ID") }

// Accepted says whether the API promised to keep the detection: now, or (200) when it was posted before.
func (a Answer) Accepted() bool {
	return a.Status == http.StatusCreated || a.Status == http.StatusAccepted || a.Status == http.StatusOK
}

// Error is the body of a refusal.
type Error struct {
	Code    string         `json:"error_code"`
	Message string         `json:"error_message"`
	Details map[string]any `json:"details"`
}

// Error decodes the body of a refusal.
func (a Answer) Error() (Error, error) {
	var e Error
	if err := json.Unmarshal(a.Body, &e); err != nil {
		return e, fmt.Errorf("decode refusal %q: %w", a.Body, err)
	}
	return e, nil
}

// Post sends one detection; its answer, when it is accepted, is the Cursor on Target event. An error means that there was no
// answer.
func (c *Client) Post(ctx context.Context, body []byte) (Answer, error) {
	return c.do(ctx, http.MethodPost, "/api/v1/detections", "application/xml", body)
}

// Detection is what the API says of an accepted detection.
type Detection struct {
	ID         string  `json:"detection_id"`
	LatDeg     float64 `json:"lat"`
	LonDeg     float64 `json:"lon"`
	CE90Metres float64 `json:"ce90_m"`
	Track      struct {
		ID         string `json:"track_id"`
		Detections int    `json:"detections"`
	} `json:"track"`
}

// MarkerID is what the marker on the map is named by: the id of the object's first detection.
func (d Detection) MarkerID() string { return cmp.Or(d.Track.ID, d.ID) }

// Report sends one detection and returns what became of it. An error tells of a refusal, too.
func (c *Client) Report(ctx context.Context, body []byte) (Detection, error) {
	answer, err := c.do(ctx, http.MethodPost, "/api/v1/detections", "application/json", body)
	if err != nil {
		return Detection{}, err
	}
	if !answer.Accepted() {
		return Detection{}, fmt.Errorf("refused: %d %s", answer.Status, answer.Body)
	}
	var detection Detection
	if err := json.Unmarshal(answer.Body, &detection); err != nil {
		return Detection{}, fmt.Errorf("decode answer %q: %w", answer.Body, err)
	}
	return detection, nil
}

// Get fetches a path; accept may be empty.
func (c *Client) Get(ctx context.Context, path, accept string) (Answer, error) {
	return c.do(ctx, http.MethodGet, path, accept, nil)
}

func (c *Client) do(ctx context.Context, method, path, accept string, body []byte) (Answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.BaseURL+path, bytes.NewReader(body))
	if err != nil {
		return Answer{}, fmt.Errorf("make request: %w", err)
	}
	if c.Token != "" {
		request.Header.Set("Authorization", "Bearer "+c.Token)
	}
	if accept != "" {
		request.Header.Set("Accept", accept)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.HTTP.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return Answer{}, fmt.Errorf("read answer of %s %s: %w", method, path, err)
	}
	return Answer{Status: response.StatusCode, Header: response.Header, Body: content}, nil
}
