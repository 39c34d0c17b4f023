package server

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/track"
)

const (
	// learnBack is how many of the newest entries a new tracker begins with.
	learnBack = 2000
	// learnBatch is how many entries are asked for at one time, and learnWait how long one call waits for the first.
	learnBatch, learnWait = 500, 20 * time.Second
	// learnPause is the pause after a failure. A tracker that does not hear of other pods only starts more tracks.
	learnPause = 2 * time.Second
)

// tracking returns what recognises objects, or nil when that is off.
func (s *Server) tracking(
	cfg ServeConfig, record detection.Catalogue, reg prometheus.Registerer,
) (func(*detection.Detection), error) {
	if cfg.Tracks == nil {
		return nil, nil
	}
	opts := *cfg.Tracks
	opts.Thresholds = cfg.Thresholds
	tracker, err := track.New(opts)
	if err != nil {
		return nil, fmt.Errorf("track objects: %w", err)
	}
	promauto.With(reg).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tracks_in_memory", Help: "Objects that a new detection may be recognised as.",
	}, func() float64 { return float64(tracker.Len()) })
	s.closers.push("following the record", ignoreContext(follow(tracker, record, cfg.Logger)))
	return tracker.Observe, nil
}

// follow has the tracker learn what all pods accept, until stop is called.
func follow(tracker *track.Tracker, record detection.Catalogue, log *slog.Logger) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		after, err := int64(-1), error(nil)
		for ctx.Err() == nil {
			if after, err = learn(ctx, tracker, record, after); err != nil && ctx.Err() == nil {
				log.Debug("follow the record for tracks; will try again", "error", err)
				pause(ctx, learnPause)
			}
		}
	})
	return func() error { cancel(); done.Wait(); return nil }
}

// learn takes in what came after a position, -1 for the start, and returns how far it got.
func learn(ctx context.Context, tracker *track.Tracker, record detection.Catalogue, after int64) (int64, error) {
	if after < 0 {
		last, err := record.Last(ctx)
		if err != nil {
			return after, err
		}
		after = max(0, last-learnBack)
	}
	entries, err := record.Follow(ctx, after, learnBatch, learnWait)
	for _, entry := range entries {
		tracker.Learn(entry)
		after = entry.Seq
	}
	return after, err
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// seriesOf names the track that an event belongs to, of which only the newest is sent.
func seriesOf(d detection.Detection) string {
	if d.Track == nil {
		return ""
	}
	return d.Track.ID
}
