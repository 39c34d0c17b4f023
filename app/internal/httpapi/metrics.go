package httpapi

import (
	"net/http"
	"strconv"

	"github.com/detection-api/detection-api/app/internal/geo"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are those of the service that belong to its HTTP side.
type metrics struct {
	requests *prometheus.CounterVec
	duration prometheus.Histogram
	flags    *prometheus.CounterVec
	refused  *prometheus.CounterVec
}

// durationBuckets are in seconds, from a commit on a fast disk up to a client's patience. 2 s is the service's objective.
var durationBuckets = []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10}

// newMetrics registers the metrics. Each status and flag starts at 0, so that the first refusal is an increase and a
// query for one that never happened is not empty.
func newMetrics(registerer prometheus.Registerer, a *api) metrics {
	m := metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "detection_requests_total",
			Help: "Detections reported by POST, by the HTTP status of the answer; each of a batch for itself.",
		}, []string{"status"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "detection_request_duration_seconds",
			Help:    "Time to answer a detection reported by POST, reading its body included.",
			Buckets: durationBuckets,
		}),
		flags: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "geolocation_confidence_flag",
			Help: "Accepted detections by the confidence flag of their position.",
		}, []string{"flag"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "detection_refused_total",
			Help: "Detections refused though nothing was wrong with them, by what there was not enough of.",
		}, []string{"reason"}),
	}
	for _, reason := range reasons {
		m.refused.WithLabelValues(reason)
	}
	for _, status := range []int{http.StatusOK, http.StatusCreated, http.StatusAccepted} {
		m.requests.WithLabelValues(strconv.Itoa(status))
	}
	for code, status := range statuses {
		if code != codeMethod {
			m.requests.WithLabelValues(strconv.Itoa(status))
		}
	}
	for _, flag := range []geo.Flag{geo.Green, geo.Yellow, geo.Red} {
		m.flags.WithLabelValues(string(flag))
	}
	registerer.MustRegister(m.requests, m.duration, m.flags, m.refused, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "detection_admission_limit",
		Help: "Detections that may be in progress, from the rate of the last seconds; 0 means that there is no limit.",
	}, func() float64 {
		limit, _ := a.admission.state()
		return float64(limit)
	}), prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "detection_in_progress",
		Help: "Detections that are being located and committed.",
	}, func() float64 {
		_, inProgress := a.admission.state()
		return float64(inProgress)
	}), prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "detection_streams",
		Help: "Clients that follow the detections by GET /api/v1/stream.",
	}, func() float64 { return float64(a.streams.Load()) }))
	return m
}
