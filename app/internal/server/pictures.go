package server

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/pictures"
)

// pruneEvery is how often pictures that are too old are looked for: while none is written, nothing else does.
const pruneEvery = time.Minute

// pictureKeeper returns what keeps the pictures of reports, or nil when they are not kept.
func (s *Server) pictureKeeper(cfg ServeConfig, reg prometheus.Registerer) (func() (detection.PictureWriter, error), error) {
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
	promauto.With(reg).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "pictures_bytes", Help: "Size of the pictures that are kept.",
	}, func() float64 { return float64(directory.Bytes()) })
	s.closers.push("the pictures", ignoreContext(directory.PruneEvery(pruneEvery)))
	return directory.Writer, nil
}
