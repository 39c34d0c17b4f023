package httpapi

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const readyPath = "/ready"

// Readiness is the answer of GET /ready.
type Readiness struct {
	// Ready says that this pod can accept work. An outage of the store or of TAK alone does not make it false: every pod
	// would turn unready at one time.
	Ready bool `json:"ready"`
	// Slot is the blue/green slot this pod belongs to, so that a switch can be seen from outside; empty outside a slot.
	Slot string `json:"slot,omitempty"`
	// Parts says how each part is: "queue", "store", "tak". Anyone who reaches the port can read it.
	Parts map[string]Part `json:"parts"`
}

// Part is the state of one thing that the service depends on.
type Part struct {
	State  string `json:"state"`            // one word, such as "ok", "full", "unreachable" or "off"
	Detail string `json:"detail,omitempty"` // for people
}

// showMetrics is for Prometheus. Like the rest of this file it is for the platform: it needs no token and does not count
// against the bytes in flight.
func (a *api) showMetrics(x *exchange, r *http.Request) error {
	promhttp.HandlerFor(a.Gatherer, promhttp.HandlerOpts{}).ServeHTTP(x, r)
	return nil
}

// health says that the process answers, no more: a liveness probe that looks at a dependency restarts pods for its faults.
func health(x *exchange, _ *http.Request) error {
	return writeJSON(x, http.StatusOK, map[string]string{"status": "ok"})
}

func (a *api) ready(x *exchange, _ *http.Request) error {
	readiness := Readiness{Ready: true}
	if a.Ready != nil {
		readiness = a.Ready()
	}
	status := http.StatusOK
	if !readiness.Ready {
		status = http.StatusServiceUnavailable
	}
	return writeJSON(x, status, readiness)
}

// showTAKStatus tells how the link to TAK is.
func (a *api) showTAKStatus(x *exchange, r *http.Request) error {
	if err := queryOf(r).finish(); err != nil {
		return err
	}
	var status any = map[string]string{"state": "off"}
	if a.TAKStatus != nil {
		status = a.TAKStatus()
	}
	x.Header().Set(headerCacheControl, "no-store")
	return writeJSON(x, http.StatusOK, status)
}
