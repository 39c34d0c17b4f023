package server_test

import (
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/server"
	"github.com/detection-api/detection-api/app/internal/sqlite"
	"github.com/detection-api/detection-api/app/internal/storeapi"
)

// TestARedrivenDeadLetterReachesTAK runs both roles: an operator's order at the store is all it takes.
func TestARedrivenDeadLetterReachesTAK(t *testing.T) {
	store := startStore(t, t.TempDir())
	client, err := storeapi.NewClient(storeapi.ClientOptions{BaseURL: store.url, Token: storeToken, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	const id = "01900000-0000-7000-8000-000000000001"
	letter := detection.Record{Deliver: true, Detection: detection.Detection{ID: id, ReceivedAt: time.Now(), SeenAt: time.Now(), ObjectClass: "vehicle"}}
	if err := client.Commit(t.Context(), []detection.Record{letter}); err != nil {
		t.Fatal(err)
	}
	if err := client.Acknowledge(t.Context(), []detection.Delivery{{ID: id, Outcome: detection.DeadLettered, At: time.Now(), Reason: "test"}}); err != nil {
		t.Fatal(err)
	}
	tak := newSink(t, "127.0.0.1:0")
	cfg := serveConfig(t, t.TempDir())
	cfg.StoreURL, cfg.StoreToken, cfg.TAKAddr, cfg.Lease = store.url, storeToken, tak.listener.Addr().String(), time.Second
	s, err := server.NewServe(t.Context(), cfg)
	c := newClient(t, cfg, start(t, s, err).url)
	first := c.post(sample).Header.Get("X-Detection-ID")
	eventually(t, "a new detection on TAK", func() bool { return tak.has(first) })
	if tak.has(id) {
		t.Error("a dead letter was sent without an order")
	}
	n, err := client.Redrive(t.Context(), []string{id}, detection.Order{Operator: "alice", Reason: "mended"})
	if n != 1 || err != nil {
		t.Fatalf("Redrive = %d, %v", n, err)
	}
	eventually(t, "the dead letter on TAK", func() bool { return tak.has(id) })
	eventually(t, "nothing owed any more", func() bool {
		stats, err := client.Stats(t.Context())
		return err == nil && stats == detection.StoreStats{Detections: 2}
	})
}

// TestRetentionReachesTheStore holds that both roles that keep a store hand it on: what it refuses ends the start.
func TestRetentionReachesTheStore(t *testing.T) {
	bad := common(t, t.TempDir())
	bad.Retention = sqlite.Retention{AuditMaxAge: time.Hour}
	if _, err := server.NewStore(t.Context(), server.StoreConfig{Common: bad, Token: storeToken}); err == nil {
		t.Error("the store role took an audit retention of an hour")
	}
	cfg := serveConfig(t, t.TempDir())
	cfg.Retention = bad.Retention
	if _, err := server.NewServe(t.Context(), cfg); err == nil {
		t.Error("a serve role with its own store took an audit retention of an hour")
	}
}
