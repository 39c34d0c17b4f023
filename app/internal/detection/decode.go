package detection

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Bounds of a path that is told to a client: our own fields lie three deep and have short names.
const (
	maxPathDepth    = 8
	maxPathKeyBytes = 64
)

// decode takes one object of JSON and nothing else: no name twice, none that is not known or in another case, no invalid
// UTF-8, no NaN, no tail. The error is an *Error that names the field; offset says where a byte of text was in the body.
func decode(text []byte, wire *wireInput, offset func(int64) int64) error {
	err := json.Unmarshal(text, wire, json.RejectUnknownMembers(true))
	var syntax *jsontext.SyntacticError
	var semantic *json.SemanticError
	switch {
	case err == nil && strings.TrimSpace(string(text[:min(len(text), 16)])) == "null":
		return malformed("", "the body must be a JSON object, not null")
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return syntaxError(syntax, offset)
	case errors.As(err, &semantic):
		return semanticError(semantic)
	}
	return malformed("", "not valid JSON: the body ends too early or is empty")
}

func malformed(field, format string, args ...any) *Error {
	return &Error{Code: CodeMalformed, Field: field, Message: fmt.Sprintf(format, args...)}
}

func syntaxError(err *jsontext.SyntacticError, offset func(int64) int64) *Error {
	at, field := offset(err.ByteOffset), path(err.JSONPointer)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return malformed(field, "not valid JSON: the body ends too early or is empty, at byte %d", at)
	case errors.Is(err, jsontext.ErrDuplicateName):
		return malformed(field, "is there twice; send it once")
	case strings.Contains(err.Err.Error(), "surrogate"):
		return malformed(field, "has half a surrogate pair at byte %d; send whole characters", at)
	case strings.Contains(err.Err.Error(), "invalid UTF-8"):
		return malformed(field, "not valid UTF-8 at byte %d; send the text as UTF-8", at)
	case strings.Contains(err.Err.Error(), "after top-level value"):
		return malformed("", "more data after the JSON object at byte %d; send one detection a request", at)
	}
	reason := err.Err.Error()
	if strings.Contains(reason, "invalid character") {
		reason += "; NaN, Infinity, comments and single quotes are no JSON"
	}
	return malformed(field, "not valid JSON at byte %d: %.120s", at, reason)
}

func semanticError(err *json.SemanticError) *Error {
	field := path(err.JSONPointer)
	if errors.Is(err.Err, json.ErrUnknownName) {
		return unknownName(field, err.JSONPointer.LastToken())
	}
	got := kindName(err.JSONKind)
	if field == "" {
		return malformed("", "the body must be a JSON object, not %s", got)
	}
	want := wanted(err.GoType)
	if got == "number" && want != "a string" && want != "an object" {
		return Invalid(field, "must be %s in the range of its type, got %.40s", want, err.JSONValue)
	}
	return Invalid(field, "must be %s, not %s", want, got)
}

// unknownName refuses a name, and says which one was meant where that can be told.
func unknownName(field, name string) *Error {
	for _, of := range []any{wireInput{}, wireSensor{}, Distortion{}, Sigmas{}} {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(of)) {
			known, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if strings.EqualFold(unseparated(known), unseparated(name)) {
				return Invalid(field, "is not a field that is known here; did you mean %s?", known)
			}
		}
	}
	return Invalid(field, "is not a field that is known here; take it out or check its spelling")
}

// unseparated takes out what separates the words of a name.
func unseparated(name string) string { return strings.NewReplacer("_", "", "-", "").Replace(name) }

func kindName(kind jsontext.Kind) string {
	switch kind {
	case jsontext.KindNull, jsontext.KindString, jsontext.KindNumber:
		return kind.String()
	case jsontext.KindFalse, jsontext.KindTrue:
		return "bool"
	case jsontext.KindBeginArray:
		return "array"
	}
	return "object"
}

func wanted(t reflect.Type) string {
	if t == nil {
		return "of another type"
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Float64:
		return "a number"
	case reflect.String:
		return "a string"
	default:
		return "an object"
	}
}

// path writes a JSON pointer with dots, bounded, as it may be the client's.
func path(pointer jsontext.Pointer) string {
	var keys []string
	for key := range pointer.Tokens() {
		if len(keys) == maxPathDepth {
			break
		}
		keys = append(keys, key[:min(len(key), maxPathKeyBytes)])
	}
	return strings.ToValidUTF8(strings.Join(keys, "."), "")
}
