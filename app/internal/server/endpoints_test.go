package server

import (
	"maps"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/detection-api/detection-api/app/internal/tak"
)

// TestEndpointsOfOneName holds that endpoints that cannot be told apart do not spoil /metrics, and that what is not known is
// not shown.
func TestEndpointsOfOneName(t *testing.T) {
	const name = "http://tak.example.org/cot"
	reg := prometheus.NewPedanticRegistry()
	registerTAK(reg, func() tak.LinkStatus {
		return tak.LinkStatus{
			State: tak.Connected, CertificateError: "the key is another certificate's",
			Endpoints: []tak.EndpointStatus{{Endpoint: name, InUse: true}, {Endpoint: name}},
		}
	})
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			key := []string{family.GetName()}
			for _, label := range metric.GetLabel() {
				key = append(key, label.GetValue())
			}
			got[strings.Join(key, " ")] = metric.GetGauge().GetValue()
		}
	}
	want := map[string]float64{
		"tak_connected": 1, "tak_tls_files_refused": 1, "tak_connect_attempts_total": 0, "tak_connection_failures_total": 0,
		"tak_endpoint_state " + name + " in_use": 1, "tak_endpoint_state " + name + " ready": 0,
		"tak_endpoint_state " + name + " passed_over": 0,
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
