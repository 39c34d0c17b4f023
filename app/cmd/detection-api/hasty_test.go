package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/detection-api/detection-api/app/internal/cot"
	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
	"github.com/detection-api/detection-api/app/internal/httpapi"
	"github.com/detection-api/detection-api/app/internal/sqlite"
	"github.com/detection-api/detection-api/app/internal/token"
)

// hasty is the positive control: a journal that acknowledges first and commits then.
type hasty struct {
	store *sqlite.Store
	log   *slog.Logger
}

func (h hasty) Accept(_ context.Context, detections []detection.Detection) ([]detection.Commitment, error) {
	var records []detection.Record
	for _, d := range detections {
		records = append(records, detection.Record{Detection: d})
	}
	go func() {
		if err := h.store.Commit(context.Background(), records); err != nil {
			h.log.Error("commit", "error", err)
		}
	}()
	return slices.Repeat([]detection.Commitment{{Durability: detection.InStore}}, len(detections)), nil
}

// serveHasty is the API of the service on top of such a journal.
func serveHasty(addr, dir string) error {
	key, err := token.NewKey(loadKey)
	if err != nil {
		return err
	}
	store, err := sqlite.OpenStore(context.Background(), sqlite.StoreOptions{Options: sqlite.Options{Dir: dir}})
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	encoder := cot.Encoder{Stale: time.Minute}
	ring := token.Alone(key)
	handler := httpapi.New(httpapi.Options{
		Logger: logger, Registerer: registry, Gatherer: registry, Now: time.Now,
		Authenticate: func(bearer string) (httpapi.Identity, error) {
			identity, err := ring.Verify(bearer, time.Now())
			return httpapi.Identity{Subject: identity.Subject, Roles: []httpapi.Role{httpapi.Ingest}}, err
		},
		Ingestor: &detection.Pipeline{
			Locator: detection.Locator{Sigmas: geo.DefaultSigmas(), Thresholds: geo.DefaultThresholds()},
			Encode:  encoder.Encode, Journal: hasty{store, logger}, Now: time.Now,
		},
		Encode: func(d detection.Detection) ([]byte, error) { return encoder.Encode(d, time.Now()) },
	})
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	return httpapi.NewServer(handler, logger).Serve(l)
}
