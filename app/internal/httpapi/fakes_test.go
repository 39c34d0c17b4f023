package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	goodToken = "good-token"
	goodID    = "01890a5d-ac96-774b-bcce-b302099a8057"
	goodEvent = `<event version="2.0" uid="x"/>`
	goodBody  = `{"pixel_x":960,"pixel_y":540,"object_class":"vehicle","ai_confidence":0.9,"source":"uav-1","camera_id":"cam-3",
		"timestamp":"2026-02-15T12:00:00Z","sensor_metadata":{"location_lat":40.7,"location_lon":-74,"location_elevation":100,
		"heading":45,"pitch":-30,"roll":0,"focal_length":3000,"image_width":1920,"image_height":1080}}`
)

var errTest = errors.New("dial tcp 10.1.2.3:8081: secret-host refused; SELECT * FROM detections")

type fakeIngestor struct {
	accept func(ctx context.Context, in detection.Input, reportedBy string) (detection.Accepted, error)
}

func (f fakeIngestor) Accept(ctx context.Context, in detection.Input, reportedBy string) (detection.Accepted, error) {
	return f.accept(ctx, in, reportedBy)
}

type fakeFinder struct {
	get func(ctx context.Context, id string) (detection.Record, error)
}

func (f fakeFinder) Get(ctx context.Context, id string) (detection.Record, error) {
	return f.get(ctx, id)
}

// syncBuffer is a log that handlers may write at one time.
type syncBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// rig is an API with fakes behind it. Tests change the options before the first request.
type rig struct {
	Options
	log      syncBuffer
	registry *prometheus.Registry
	handler  http.Handler
}

func newRig() *rig {
	g := &rig{registry: prometheus.NewRegistry()}
	g.Options = Options{
		Logger:     slog.New(slog.NewJSONHandler(&g.log, nil)),
		Registerer: g.registry,
		Gatherer:   g.registry,
		Authenticate: func(bearer string) (Identity, error) {
			if bearer != goodToken {
				return Identity{}, errTest
			}
			return Identity{Subject: "drone-7", Roles: []Role{Ingest, Read, Operate}}, nil
		},
		Ingestor: fakeIngestor{func(_ context.Context, in detection.Input, by string) (detection.Accepted, error) {
			return detection.Accepted{
				Detection: detectionOf(in, by), Event: []byte(goodEvent),
				Durability: detection.InStore, Warnings: in.Warnings,
			}, nil
		}},
		Finder: fakeFinder{func(_ context.Context, id string) (detection.Record, error) {
			if id != goodID {
				return detection.Record{}, detection.ErrNotFound
			}
			in, err := detection.ParseInput([]byte(goodBody))
			return detection.Record{Detection: detectionOf(in, "drone-7")}, err
		}},
		Batch: fakeBatch{func(ins []detection.Input, by string) []detection.Result {
			results := make([]detection.Result, len(ins))
			for i, in := range ins {
				results[i].Accepted = detection.Accepted{Detection: detectionOf(in, by), Durability: detection.InStore}
			}
			return results
		}},
		Catalogue: &fakeRecord{},
		Encode:    func(detection.Detection) ([]byte, error) { return []byte(goodEvent), nil },
	}
	return g
}

func detectionOf(in detection.Input, by string) detection.Detection {
	return detection.Detection{
		ID: goodID, ReceivedAt: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), SeenAt: in.SeenAt,
		ObjectClass: in.ObjectClass, AIConfidence: in.AIConfidence, Source: in.Source, CameraID: in.CameraID,
		PixelX: in.PixelX, PixelY: in.PixelY, Sensor: in.Sensor, Datum: in.Datum, Image: in.Image, ReportedBy: by,
		Fix: detection.Fix{
			LatDeg: 40.701, LonDeg: -73.999, CE90Metres: 7.5, LE90Metres: 4, SlantRangeMetres: 200,
			DepressionDeg: 30, Flag: geo.Green, Method: detection.MethodRayEllipsoid,
		},
	}
}

// build returns the API, held against its description.
func (g *rig) build() http.Handler { return inContract.watch(New(g.Options)) }

func (g *rig) serve(r *http.Request) *httptest.ResponseRecorder {
	if g.handler == nil {
		g.handler = g.build()
	}
	w := httptest.NewRecorder()
	g.handler.ServeHTTP(w, r)
	return w
}

// ask makes a request with the good token. headers are pairs of name and value.
func ask(method, path, body string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+goodToken)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func (g *rig) post(body string, headers ...string) *httptest.ResponseRecorder {
	return g.serve(ask(http.MethodPost, detectionsPath, body, headers...))
}

// ingestFails makes the ingestor return the error.
func (g *rig) ingestFails(err error) {
	g.Ingestor = fakeIngestor{func(context.Context, detection.Input, string) (detection.Accepted, error) {
		return detection.Accepted{}, err
	}}
}

// checkRefusal compares an answer with a refusal and its shape with the contract.
func checkRefusal(t *testing.T, w *httptest.ResponseRecorder, status int, code detection.Code, field string) errorBody {
	t.Helper()
	var body errorBody
	decoder := json.NewDecoder(w.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil {
		t.Fatalf("status %d, the body is no error: %v", w.Code, err)
	}
	if w.Code != status || body.Code != code || body.Details["field"] != field {
		t.Errorf("got %d %s, field %q (%s); want %d %s, field %q", w.Code, body.Code, body.Details["field"], body.Message, status, code, field)
	}
	id := w.Header().Get("X-Request-ID")
	if status == http.StatusUnauthorized && body.Details["request_id"] == "" { // the same whatever is wrong with the token
		body.Details["request_id"] = id
	}
	if body.Message == "" || id == "" || body.Details["request_id"] != id {
		t.Errorf("incomplete: %+v", body)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type: got %q", got)
	}
	return body
}

// unsized hides the length of a body, so that it goes in chunks.
type unsized struct{ io.Reader }

// noRegisterer lets one rig build several APIs.
type noRegisterer struct{ prometheus.Registerer }

func (noRegisterer) MustRegister(...prometheus.Collector) {}
