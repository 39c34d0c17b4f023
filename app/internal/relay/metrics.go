package relay

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/detection-api/detection-api/app/internal/detection"
)

type metrics struct {
	pushed, failed, synced, superseded, expired prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, queue detection.Queue, oldest func() time.Duration) metrics {
	f := promauto.With(reg)
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "offline_queue_depth",
		Help: "Detections in this pod's queue that TAK, or the store, has not confirmed yet.",
	}, func() float64 {
		depth := queue.Depth()
		return float64(max(depth.Undelivered, depth.Unstored))
	})
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "offline_queue_oldest_age_seconds",
		Help: "Age of the detection that stands first in this pod's queue for TAK, since its acceptance; 0 when there is none.",
	}, func() float64 { return oldest().Seconds() })
	return metrics{
		pushed: f.NewCounter(prometheus.CounterOpts{
			Name: "tak_push_success_total", Help: "Events that TAK has read.",
		}),
		failed: f.NewCounter(prometheus.CounterOpts{
			Name: "tak_push_failure_total", Help: "Attempts to push an event that failed; each event counts in each attempt.",
		}),
		synced: f.NewCounter(prometheus.CounterOpts{
			Name: "offline_queue_sync_total", Help: "Detections that left the queue: stored, delivered and confirmed.",
		}),
		superseded: f.NewCounter(prometheus.CounterOpts{
			Name: "tak_push_superseded_total",
			Help: "Detections that were not sent because a newer one of the same track was sent instead.",
		}),
		expired: f.NewCounter(prometheus.CounterOpts{
			Name: "tak_push_expired_total",
			Help: "Detections that were not sent because they had waited longer than --tak-expire-after.",
		}),
	}
}

func (m metrics) leftOut(records []leftOut) {
	for i := range records {
		if records[i].outcome == detection.Expired {
			m.expired.Inc()
		} else {
			m.superseded.Inc()
		}
	}
}
