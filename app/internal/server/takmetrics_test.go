package server_test

import (
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/server"
)

// TestMetricsOfTAK reads what is shown of the way to TAK: of two endpoints the first takes no connection.
func TestMetricsOfTAK(t *testing.T) {
	away := newSink(t, "127.0.0.1:0")
	away.close()
	cfg := withEverything(t)
	first, second := "tcp://"+away.listener.Addr().String(), cfg.TAKAddr
	cfg.TAKAddr = first + "," + second
	before := time.Now()
	s, err := server.NewServe(t.Context(), cfg)
	r := start(t, s, err)
	eventually(t, "a link to TAK", func() bool { return sampled(t, r.url, "tak_connected") == 1 })
	for name, want := range map[string]float64{
		`tak_endpoint_state{endpoint="` + first + `",state="passed_over"}`: 1,
		`tak_endpoint_state{endpoint="` + first + `",state="in_use"}`:      0,
		`tak_endpoint_state{endpoint="` + second + `",state="in_use"}`:     1,
		`tak_endpoint_state{endpoint="` + second + `",state="ready"}`:      0,
		"tak_connect_attempts_total":                                       2,
		"tak_connection_failures_total":                                    1,
		"tak_tls_files_refused":                                            0,
	} {
		if got := sampled(t, r.url, name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if silent := sampled(t, r.url, "tak_last_byte_age_seconds"); silent < 0 || silent > time.Since(before).Seconds() {
		t.Errorf("the last byte is %v s old", silent)
	}
	// taktest's certificates live for a day.
	if left := sampled(t, r.url, "tak_certificate_expiry_timestamp_seconds") - float64(before.Unix()); left < 22*3600 || left > 25*3600 {
		t.Errorf("the certificate is valid for %v s, want about a day", left)
	}
}
