package httpapi

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// The codes that only HTTP knows.
const (
	codeMethod    detection.Code = "method_not_allowed"
	codeParameter detection.Code = "invalid_parameter" // of the query or a header field; the field names it
	codeMediaType detection.Code = "unsupported_media_type"
)

// statuses is the one table from codes to status codes. A code that is missing is a fault of ours: 500.
var statuses = map[detection.Code]int{
	detection.CodeMalformed:      http.StatusBadRequest,
	detection.CodeInvalidField:   http.StatusUnprocessableEntity,
	detection.CodeNoIntersection: http.StatusUnprocessableEntity,
	detection.CodeBelowGround:    http.StatusUnprocessableEntity,
	detection.CodeTooShallow:     http.StatusUnprocessableEntity,
	detection.CodeOutsideLens:    http.StatusUnprocessableEntity,
	detection.CodeNoTerrain:      http.StatusUnprocessableEntity,
	detection.CodeTooLarge:       http.StatusRequestEntityTooLarge,
	detection.CodeKeyReused:      http.StatusUnprocessableEntity,
	detection.CodeUnauthorized:   http.StatusUnauthorized,
	detection.CodeForbidden:      http.StatusForbidden,
	detection.CodeNotAcceptable:  http.StatusNotAcceptable,
	detection.CodeNotFound:       http.StatusNotFound,
	codeParameter:                http.StatusBadRequest,
	codeMethod:                   http.StatusMethodNotAllowed,
	codeMediaType:                http.StatusUnsupportedMediaType,
	detection.CodeConflict:       http.StatusConflict,
	detection.CodeUnavailable:    http.StatusServiceUnavailable,
	detection.CodeOverloaded:     http.StatusServiceUnavailable,
	detection.CodeRateLimited:    http.StatusTooManyRequests,
	detection.CodeStorageFull:    http.StatusInsufficientStorage,
	detection.CodeInternal:       http.StatusInternalServerError,
}

// Seconds after which a refused client may try again; a random time up to as much again is added, so that clients that
// were refused together do not come back together.
const (
	retryUnavailable = 1
	retryFull        = 10 // a full disk takes an operator or the backlog's delivery
)

// errorBody is every answer that is not a success. Details may have more keys later.
type errorBody struct {
	Code    detection.Code    `json:"error_code"`
	Message string            `json:"error_message"`
	Details map[string]string `json:"details"`
}

// refusalOf returns what the client gets to know of an error. Only an *detection.Error carries text for clients.
func refusalOf(err error) *detection.Error {
	var refusal *detection.Error
	if errors.As(err, &refusal) && refusal.Code != detection.CodeInternal && statuses[refusal.Code] != 0 {
		return refusal
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &detection.Error{Code: detection.CodeUnavailable, Message: "the request could not be completed in time"}
	}
	return &detection.Error{Code: detection.CodeInternal, Message: "an internal error; the log has it under this request_id"}
}

// refuse writes the answer to an error.
func refuse(x *exchange, refusal *detection.Error) error {
	status := statuses[refusal.Code]
	switch status {
	case http.StatusServiceUnavailable:
		setRetryAfter(x, retryUnavailable)
	case http.StatusInsufficientStorage:
		setRetryAfter(x, retryFull)
	case http.StatusTooManyRequests: // no jitter: it is told when its own next token is there
		setSeconds(x, x.retryAfter)
	}
	details := map[string]string{}
	if status != http.StatusUnauthorized { // of which each is the same to the byte: the header has the id
		details["request_id"] = x.requestID
	}
	if refusal.Field != "" {
		details["field"] = refusal.Field
	}
	return writeJSON(x, status, errorBody{Code: refusal.Code, Message: refusal.Message, Details: details})
}

func setRetryAfter(x *exchange, seconds int) {
	x.Header().Set(headerRetryAfter, strconv.Itoa(seconds+rand.IntN(seconds+1)))
}

func setSeconds(x *exchange, wait time.Duration) {
	x.Header().Set(headerRetryAfter, strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
}
