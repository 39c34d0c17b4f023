package server

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/detection-api/detection-api/app/internal/tak"
)

// States of an endpoint, as tak_endpoint_state has them.
const (
	endpointInUse  = "in_use"
	endpointReady  = "ready"       // to be tried when a link is wanted
	endpointPassed = "passed_over" // failed of late: tried after the others
)

// takCollector shows what the way to TAK says of itself: one look for each scrape, so that the samples agree.
type takCollector struct {
	status                                                                 func() tak.LinkStatus
	connected, endpoint, silence, attempts, failures, expiry, filesRefused *prometheus.Desc
}

func registerTAK(reg prometheus.Registerer, status func() tak.LinkStatus) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	reg.MustRegister(&takCollector{
		status:    status,
		connected: desc("tak_connected", "1 while there is a link to a TAK endpoint, else 0."),
		endpoint:  desc("tak_endpoint_state", "1 for the state that a TAK endpoint is in, 0 for the others.", "endpoint", "state"),
		silence:   desc("tak_last_byte_age_seconds", "Time since the TAK server sent a byte; absent without a link that hears one."),
		attempts:  desc("tak_connect_attempts_total", "Attempts to connect to a TAK endpoint."),
		failures:  desc("tak_connection_failures_total", "Attempts to connect to TAK and links to it that failed."),
		expiry: desc("tak_certificate_expiry_timestamp_seconds",
			"When the client certificate for TAK expires (Unix time); absent without one."),
		filesRefused: desc("tak_tls_files_refused", "1 while the TLS files for TAK are no good; good ones from before stay in use."),
	})
}

// Describe implements prometheus.Collector.
func (c *takCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.connected, c.endpoint, c.silence, c.attempts, c.failures, c.expiry, c.filesRefused} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *takCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.status()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(c.connected, zeroOrOne(s.State == tak.Connected))
	gauge(c.filesRefused, zeroOrOne(s.CertificateError != ""))
	ch <- prometheus.MustNewConstMetric(c.attempts, prometheus.CounterValue, float64(s.Attempts))
	ch <- prometheus.MustNewConstMetric(c.failures, prometheus.CounterValue, float64(s.Failures))
	if s.LastByteAgeSeconds != nil {
		gauge(c.silence, *s.LastByteAgeSeconds)
	}
	if s.Certificate != nil {
		gauge(c.expiry, float64(s.Certificate.NotAfter.Unix()))
	}
	for endpoint, is := range endpointStates(s.Endpoints) {
		for _, state := range []string{endpointInUse, endpointReady, endpointPassed} {
			gauge(c.endpoint, zeroOrOne(state == is), endpoint, state)
		}
	}
}

// endpointStates returns one state for each name: endpoints that differ in their parameters only have the same.
func endpointStates(endpoints []tak.EndpointStatus) map[string]string {
	states := map[string]string{}
	for _, e := range endpoints {
		switch {
		case e.InUse:
			states[e.Endpoint] = endpointInUse
		case states[e.Endpoint] == endpointInUse:
		case e.PassedUntil != nil:
			states[e.Endpoint] = endpointPassed
		default:
			states[e.Endpoint] = endpointReady
		}
	}
	return states
}

func zeroOrOne(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
