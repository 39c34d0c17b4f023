package httpapi

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/labstack/echo/v4"
)

// codeMethod is the one code that only HTTP knows.
const codeMethod detection.Code = "method_not_allowed"

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
	detection.CodeUnauthorized:   http.StatusUnauthorized,
	detection.CodeNotFound:       http.StatusNotFound,
	codeMethod:                   http.StatusMethodNotAllowed,
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
	var routing *echo.HTTPError
	if errors.As(err, &routing) {
		switch routing.Code {
		case http.StatusNotFound:
			return &detection.Error{Code: detection.CodeNotFound, Message: "there is nothing at this path"}
		case http.StatusMethodNotAllowed:
			return &detection.Error{Code: codeMethod, Message: "this path does not support the method; see the Allow header"}
		}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &detection.Error{Code: detection.CodeUnavailable, Message: "the request could not be completed in time"}
	}
	return &detection.Error{Code: detection.CodeInternal, Message: "an internal error; the log has it under this request_id"}
}

// refuse writes the answer to an error.
func refuse(c echo.Context, x *exchange, refusal *detection.Error) error {
	status := statuses[refusal.Code]
	switch status {
	case http.StatusServiceUnavailable:
		setRetryAfter(c, retryUnavailable)
	case http.StatusInsufficientStorage:
		setRetryAfter(c, retryFull)
	case http.StatusTooManyRequests: // no jitter: it is told when its own next token is there
		seconds := int(math.Ceil(x.retryAfter.Seconds()))
		c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(max(1, seconds)))
	}
	details := map[string]string{"request_id": x.requestID}
	if refusal.Field != "" {
		details["field"] = refusal.Field
	}
	return writeJSON(c, status, errorBody{Code: refusal.Code, Message: refusal.Message, Details: details})
}

func setRetryAfter(c echo.Context, seconds int) {
	c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(seconds+rand.IntN(seconds+1)))
}
