package server

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
	"github.com/detection-api/detection-api/app/internal/pictures"
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

// pictureKeeper returns what keeps the pictures of reports, or nil when they are not kept.
func (s *Server) pictureKeeper(cfg ServeConfig) (func() (detection.PictureWriter, error), error) {
	if cfg.PicturesDir == "" {
		return nil, nil
	}
	directory, err := pictures.Open(cfg.PicturesDir, pictures.Options{
		MaxBytes: cfg.PicturesMaxBytes, MaxAge: cfg.PicturesMaxAge, Now: cfg.Now,
		Failed: func(err error) { cfg.Logger.Warn("keep a picture", "error", err) },
	})
	if err != nil {
		return nil, fmt.Errorf("open the directory of pictures: %w", err)
	}
	s.closers.push("the pictures", ignoreContext(directory.PruneEvery(time.Minute)))
	return directory.Writer, nil
}
