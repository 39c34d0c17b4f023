package detection

import (
	"errors"
	"fmt"
)

// Code is a machine-readable cause of a refusal. Clients may rely on the text.
type Code string

// The codes that reach clients.
const (
	CodeMalformed      Code = "malformed_json"
	CodeInvalidField   Code = "invalid_field"
	CodeNoIntersection Code = "no_ground_intersection"
	CodeBelowGround    Code = "camera_below_ground"
	CodeTooShallow     Code = "ray_too_shallow"
	CodeTooLarge       Code = "body_too_large"
	CodeUnauthorized   Code = "unauthorized"
	CodeNotFound       Code = "not_found"
	CodeConflict       Code = "conflict"
	CodeUnavailable    Code = "unavailable"
	CodeOverloaded     Code = "overloaded"
	CodeRateLimited    Code = "rate_limited"
	CodeStorageFull    Code = "storage_full"
	CodeForbidden      Code = "forbidden"
	CodeNotAcceptable  Code = "not_acceptable"
	CodeKeyReused      Code = "idempotency_key_reused"
	CodeNoTerrain      Code = "no_terrain"
	CodeOutsideLens    Code = "outside_lens_model"
	CodeInternal       Code = "internal"
)

// Error is a refusal that may be shown to the client. Err, the cause, is for the log only.
type Error struct {
	Code    Code
	Message string
	Field   string // JSON path of the offending field, empty when there is none
	Err     error
}

func (e *Error) Error() string {
	text := e.Message
	if e.Field != "" {
		text = e.Field + ": " + text
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// Invalid says that one field of the input cannot be accepted.
func Invalid(field, format string, args ...any) *Error {
	return &Error{Code: CodeInvalidField, Field: field, Message: fmt.Sprintf(format, args...)}
}

// CodeOf returns the code of the first *Error in err's chain, or CodeInternal when there is none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}

// Sentinels of the storage layer. A Store or Journal wraps them with what it was doing.
var (
	// ErrFull means that the disk, the database or the queue's byte cap has no room. Nothing was committed.
	ErrFull = &Error{Code: CodeStorageFull, Message: "no room to store the detection; free disk space or raise the limit"}
	// ErrUnavailable means that the store cannot be reached or did not answer in time. What was asked may have happened.
	ErrUnavailable = &Error{Code: CodeUnavailable, Message: "the store cannot be reached"}
	// ErrNotFound means that no detection has the id.
	ErrNotFound = &Error{Code: CodeNotFound, Message: "no detection has this id"}
)
