package httpapi

import (
	"io"
	"net/http"
)

const (
	// serverDrainsBytes is what net/http itself reads of a body that a handler left, before it closes the connection.
	serverDrainsBytes = 256 << 10
	// maxDrainBytes bounds what is read on behalf of one refused request. It costs no memory, and ReadTimeout bounds the time.
	maxDrainBytes = 64 << 20
)

// answerThenDrain writes a refusal at once and only then reads what is still coming of the body. Most clients send all of
// their body before they look for an answer. If the connection were closed meanwhile, the kernel would answer the rest
// with a reset, which throws the refusal away: the client would see a broken connection instead of a 401 or 413.
func answerThenDrain(x *exchange, r *http.Request, write func() error) error {
	// Who asks with Expect waits for the answer before sending. Reading would tell it to go ahead.
	if r.Header.Get("Expect") != "" || r.ContentLength >= 0 && r.ContentLength <= serverDrainsBytes {
		return write()
	}
	control := http.NewResponseController(x.ResponseWriter)
	if control.EnableFullDuplex() != nil { // no HTTP/1 connection: a stream of HTTP/2 or a test has no such reset
		return write()
	}
	if err := write(); err != nil {
		return err
	}
	if err := control.Flush(); err != nil {
		return err
	}
	// An error means that the client has gone or is too slow. It has its answer as far as we can tell.
	_, _ = io.CopyN(io.Discard, r.Body, maxDrainBytes)
	return nil
}
