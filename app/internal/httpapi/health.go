package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"
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

// routeHealth adds what is for the platform. None of it needs a token or counts against the bytes in flight.
func (a *api) routeHealth(e *echo.Echo) {
	read := []string{http.MethodGet, http.MethodHead}
	e.Match(read, "/health", health)
	e.Match(read, "/api/v1/health", health)
	e.Match(read, readyPath, a.ready)
	e.Match(read, "/metrics", echo.WrapHandler(promhttp.HandlerFor(a.Gatherer, promhttp.HandlerOpts{})))
}

// health says that the process answers, no more: a liveness probe that looks at a dependency restarts pods for its faults.
func health(c echo.Context) error {
	return writeJSON(c, http.StatusOK, map[string]string{"status": "ok"})
}

func (a *api) ready(c echo.Context) error {
	readiness := Readiness{Ready: true}
	if a.Ready != nil {
		readiness = a.Ready()
	}
	status := http.StatusOK
	if !readiness.Ready {
		status = http.StatusServiceUnavailable
	}
	return writeJSON(c, status, readiness)
}
