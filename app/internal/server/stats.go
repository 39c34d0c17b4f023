package server

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/sqlite"
)

// statsCollector shows the counts of a store. They are read at each scrape, so that they cannot drift.
type statsCollector struct {
	store                           detection.Store
	log                             *slog.Logger
	detections, outbox, deadLetters *prometheus.Desc
}

func registerStats(reg prometheus.Registerer, store detection.Store, log *slog.Logger) {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	reg.MustRegister(&statsCollector{
		store: store, log: log.With("component", "metrics"),
		detections:  desc("store_detections", "Detections in the store."),
		outbox:      desc("store_outbox_depth", "Detections in the store that are owed to TAK."),
		deadLetters: desc("store_dead_letters", "Detections that cannot be delivered; an operator decides."),
	})
}

// registerSetAside shows damaged queues: each holds detections that were acknowledged and may not have been handed on.
func registerSetAside(reg prometheus.Registerer, queue *sqlite.Queue) {
	promauto.With(reg).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "offline_queue_set_aside_files", Help: "Damaged queue files that were set aside for an operator to look at.",
	}, func() float64 { return float64(len(queue.SetAside())) })
}

func (c *statsCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.detections
	ch <- c.outbox
	ch <- c.deadLetters
}

func (c *statsCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	stats, err := c.store.Stats(ctx)
	if err != nil {
		c.log.Warn("read the store's counts", "error", err)
		return
	}
	for desc, value := range map[*prometheus.Desc]int64{
		c.detections: stats.Detections, c.outbox: stats.Outbox, c.deadLetters: stats.DeadLetters,
	} {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(value))
	}
}
