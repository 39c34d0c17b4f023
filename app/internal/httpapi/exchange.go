package httpapi

import (
	"net/http"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
)

// handler answers one request. An error that it returns is answered for it, when it has not begun to answer itself.
type handler func(x *exchange, r *http.Request) error

// exchange is one request's answer on its way, with what is known of both for the log line. Empty fields are not logged.
type exchange struct {
	http.ResponseWriter
	status int // of the answer, 0 before it began

	started     time.Time
	requestID   string
	identity    Identity
	detectionID string
	source      string
	cameraID    string
	flag        geo.Flag
	durability  detection.Durability
	items       int           // of a batch
	refused     int           // of a batch's items
	answered    bool          // each item of a batch for itself
	err         error         // the whole error, for the log only
	retryAfter  time.Duration // of a client that was too fast
}

// WriteHeader begins the answer.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

func (x *exchange) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	return x.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// blob answers with a body that is complete.
func (x *exchange) blob(status int, mediaType string, body []byte) error {
	x.Header().Set(headerContentType, mediaType)
	x.WriteHeader(status)
	_, err := x.Write(body)
	return err
}
