package storeapi

import (
	"net/http"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// The paths of the API. All take and give JSON; reading ones are GET, the others POST.
const (
	pathCommit      = "/v1/commit"
	pathAcknowledge = "/v1/acknowledge"
	pathRenew       = "/v1/renew"
	pathClaim       = "/v1/claim"
	pathRelease     = "/v1/release"
	pathDetection   = "/v1/detection" // ?id=
	pathStats       = "/v1/stats"
	pathLetters     = "/v1/dead-letters" // ?after=&limit=
	pathRedrive     = "/v1/dead-letters/redrive"
	pathPurge       = "/v1/dead-letters/purge"
	pathAudit       = "/v1/audit"            // ?after=&limit=
	pathFind        = "/v1/catalogue/find"   // POST, as a query is not a word or two
	pathFollow      = "/v1/catalogue/follow" // ?after=&limit=&wait_ms=
	pathLast        = "/v1/catalogue/last"
	pathTrail       = "/v1/catalogue/trail" // ?id=
)

// headerTimeout tells the server in whole milliseconds how long the client will wait, so that it does not work for
// somebody who has left.
const headerTimeout = "X-Timeout-Ms"

// maxBodyBytes bounds requests and answers: some 30,000 detections.
const maxBodyBytes = 64 << 20

// maxClaim bounds how many records one claim may ask for; the answer must be encoded within the client's time-out.
const maxClaim = 10_000

type (
	commitRequest struct {
		Records []detection.Record `json:"records"`
	}
	// commitResponse has an id for each record that was there already and an empty text for each other one; it is left out when
	// all are new, as stores of older releases do.
	commitResponse struct {
		Repeats []string `json:"repeats,omitempty"`
	}
	acknowledgeRequest struct {
		Deliveries []detection.Delivery `json:"deliveries"`
	}
	renewRequest struct {
		Owner   string `json:"owner"`
		LeaseMS int64  `json:"lease_ms"`
	}
	claimRequest struct {
		Owner string `json:"owner"`
		After string `json:"after"`
		Limit int    `json:"limit"`
	}
	claimResponse struct {
		Records []detection.Record `json:"records"`
	}
	releaseRequest struct {
		Owner string `json:"owner"`
	}
	orderRequest struct {
		detection.Order
		IDs []string `json:"ids"`
	}
	orderResponse struct {
		Count int `json:"count"`
	}
	lettersResponse struct {
		DeadLetters []detection.DeadLetter `json:"dead_letters"`
	}
	auditResponse struct {
		Entries []detection.AuditEntry `json:"entries"`
	}
	empty         struct{}
	errorResponse struct {
		Code    detection.Code `json:"error_code"`
		Message string         `json:"error_message"`
		Field   string         `json:"field,omitempty"`
	}
)

func (r renewRequest) lease() time.Duration { return time.Duration(r.LeaseMS) * time.Millisecond }

// statusOf is the HTTP status of a refusal.
func statusOf(code detection.Code) int {
	switch code {
	case detection.CodeMalformed, detection.CodeInvalidField:
		return http.StatusBadRequest
	case detection.CodeUnauthorized:
		return http.StatusUnauthorized
	case detection.CodeNotFound:
		return http.StatusNotFound
	case detection.CodeConflict:
		return http.StatusConflict
	case detection.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case detection.CodeUnavailable:
		return http.StatusServiceUnavailable
	case detection.CodeStorageFull:
		return http.StatusInsufficientStorage
	default:
		return http.StatusInternalServerError
	}
}
