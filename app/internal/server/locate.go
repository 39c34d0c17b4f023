package server

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
	"github.com/detection-api/detection-api/app/internal/terrain"
)

// locator finds where on the ground an object is, with the height model if there is one.
func locator(cfg ServeConfig, reg prometheus.Registerer) (detection.Locator, error) {
	l := detection.Locator{Sigmas: geo.DefaultSigmas(), Thresholds: cfg.Thresholds, Profiles: cfg.Cameras}
	if cfg.Terrain.Dir == "" {
		return l, nil
	}
	opts := cfg.Terrain
	opts.Logger, opts.Registerer, opts.Now = cfg.Logger, reg, cfg.Now
	model, err := terrain.Open(opts)
	if err != nil {
		return l, fmt.Errorf("open the height model: %w", err)
	}
	cfg.Logger.Info("height model", "summary", model.Summary().String())
	l.Terrain = model
	return l, nil
}
