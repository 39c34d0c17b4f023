package server_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/geo"
	"github.com/detection-api/detection-api/app/internal/server"
	"github.com/detection-api/detection-api/app/internal/token"
)

const sample = `{"pixel_x":2000,"pixel_y":1500,"object_class":"vehicle","ai_confidence":0.9,"source":"test","camera_id":"cam-1",
"timestamp":"2026-02-15T12:00:00Z","altitude_datum":"HAE","ground_elevation":245.25839721158042,"sensor_metadata":{
"location_lat":33.8371893,"location_lon":-84.5387701,"location_elevation":386.32685776177146,"heading":172.4,"pitch":-36,
"roll":0,"focal_length":2800,"image_width":4000,"image_height":3000}}`

// running is a role that serves until the test ends or stop is called.
type running struct {
	*server.Server
	url  string
	stop func() error
}

func common(t testing.TB, dir string) server.Common {
	return server.Common{
		ListenAddr: "127.0.0.1:0", DataDir: dir, MinFreeBytes: 1, ShutdownTimeout: 10 * time.Second,
		Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		Fatal: func(err error) { t.Errorf("fatal: %v", err) },
	}
}

func start(t testing.TB, s *server.Server, err error) *running {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	r := &running{Server: s, url: "http://" + s.Addr()}
	r.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return r
}

// tester may do everything.
var tester = token.Identity{Subject: "tester", Roles: []token.Role{token.Ingest, token.Read, token.Operate}}

func serveConfig(t testing.TB, dir string) server.ServeConfig {
	key, err := token.NewKey("a key made for one test run: " + time.Now().String())
	if err != nil {
		t.Fatal(err)
	}
	return server.ServeConfig{
		Common: common(t, dir), Keys: token.Alone(key), TokenLifetime: time.Minute, Thresholds: geo.DefaultThresholds(), StoreTimeout: 2 * time.Second,
		PodName: "pod-1", Lease: time.Second, QueueMaxBytes: 64 << 20, MaxBodyBytes: 1 << 20, CoTStale: time.Minute,
	}
}

func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !f() {
		if time.Now().After(deadline) {
			t.Fatalf("waited 30 s in vain for %s", what)
		}
		time.Sleep(5 * time.Millisecond) // between two looks at a condition of another process
	}
}

// TestAlone runs everything in one process and one directory.
func TestAlone(t *testing.T) {
	tak := newSink(t, "127.0.0.1:0")
	cfg := serveConfig(t, t.TempDir())
	cfg.TAKAddr = tak.listener.Addr().String()
	s, err := server.NewServe(t.Context(), cfg)
	r := start(t, s, err)
	c := newClient(t, cfg, r.url)
	response := c.post(sample)
	id := response.Header.Get("X-Detection-ID")
	if response.StatusCode != http.StatusCreated || id == "" {
		t.Fatalf("got %d, id %q", response.StatusCode, id)
	}
	eventually(t, "the event on TAK", func() bool { return tak.has(id) })
	status, body := c.get("/api/v1/detections/" + id)
	var found struct {
		Lat float64 `json:"lat"`
		Lon float64 `json:"lon"`
	}
	if err := json.Unmarshal(body, &found); status != http.StatusOK || err != nil {
		t.Fatalf("got %d %s", status, body)
	}
	// OpenAthena's own answer for this published shot; 1e-5 degrees is about a metre.
	if d := max(abs(found.Lat-33.83545871335009), abs(found.Lon+84.53849210727509)); d > 1e-5 {
		t.Errorf("position %+v is %g degrees off", found, d)
	}
}

func abs(x float64) float64 { return max(x, -x) }

// TestRestart holds that a process that stops while TAK is away delivers everything after its next start.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	reserved := newSink(t, "127.0.0.1:0")
	addr := reserved.listener.Addr().String()
	reserved.close()
	cfg := serveConfig(t, dir)
	cfg.TAKAddr = addr
	var ids []string
	first, err := server.NewServe(t.Context(), cfg)
	r := start(t, first, err)
	c := newClient(t, cfg, r.url)
	for range 50 {
		ids = append(ids, c.post(sample).Header.Get("X-Detection-ID"))
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	tak := newSink(t, addr)
	second, err := server.NewServe(t.Context(), cfg)
	start(t, second, err)
	eventually(t, "everything on TAK after the restart", func() bool { return tak.has(ids...) })
}

// TestStoreAway runs serve and store apart, takes the store away and brings it back.
func TestStoreAway(t *testing.T) {
	storeDir := t.TempDir()
	storeConfig := server.StoreConfig{Common: common(t, storeDir), Token: strings.Repeat("shared-", 8), RestartGrace: time.Second}
	s, err := server.NewStore(t.Context(), storeConfig)
	store := start(t, s, err)
	cfg := serveConfig(t, t.TempDir())
	cfg.StoreURL, cfg.StoreToken = store.url, storeConfig.Token
	a, err := server.NewServe(t.Context(), cfg)
	api := start(t, a, err)
	c := newClient(t, cfg, api.url)
	if got := c.post(sample).StatusCode; got != http.StatusCreated {
		t.Fatalf("with the store: %d", got)
	}
	if err := store.stop(); err != nil {
		t.Fatal(err)
	}
	away := c.post(sample)
	if away.StatusCode != http.StatusAccepted || away.Header.Get("X-Durability") != "pod" {
		t.Fatalf("without the store: %d, durability %q", away.StatusCode, away.Header.Get("X-Durability"))
	}
	if status, body := c.get("/api/v1/detections/" + away.Header.Get("X-Detection-ID")); status != http.StatusOK {
		t.Errorf("a detection that only this pod has: %d %s", status, body)
	}
	if status, body := c.get("/ready"); status != http.StatusOK || !strings.Contains(string(body), `"down"`) {
		t.Errorf("ready without the store: %d %s; want 200 and the store told as down", status, body)
	}
	storeConfig.ListenAddr = strings.TrimPrefix(store.url, "http://")
	again, err := server.NewStore(t.Context(), storeConfig)
	start(t, again, err)
	eventually(t, "nothing that only the pod has", func() bool {
		_, body := c.get("/ready")
		return strings.Contains(string(body), "0 not in the store yet") && strings.Contains(string(body), `"up"`)
	})
	if status, body := c.get("/api/v1/detections/" + away.Header.Get("X-Detection-ID")); status != http.StatusOK {
		t.Errorf("the detection in the store: %d %s", status, body)
	}
}

// TestSharedDirectoryIsRefused holds that a second process cannot open the same databases.
func TestSharedDirectoryIsRefused(t *testing.T) {
	cfg := serveConfig(t, t.TempDir())
	s, err := server.NewServe(t.Context(), cfg)
	start(t, s, err)
	if _, err := server.NewServe(t.Context(), cfg); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want one line that says that the directory is in use", err)
	}
}
