package httpapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// firstReadBytes is what a body of unknown length gets to begin with. A report without a picture has about 700 bytes.
const firstReadBytes = 4 << 10

// errBusy refuses a body for which there is no room beside the others in flight.
var errBusy = &detection.Error{Code: detection.CodeOverloaded, Message: "too many request bodies at one time; try again shortly"}

// budget is a number of bytes that concurrent requests share.
type budget struct{ free atomic.Int64 }

func newBudget(bytes int64) *budget {
	b := &budget{}
	b.free.Store(bytes)
	return b
}

// take reserves bytes and reports whether there were enough. It never waits: a client that has to wait may as well do so
// at its own end, where it holds no memory of ours.
func (b *budget) take(bytes int64) bool {
	if b.free.Add(-bytes) < 0 {
		b.free.Add(bytes)
		return false
	}
	return true
}

// lease is the part of a budget that one request holds.
type lease struct {
	budget *budget
	bytes  int64
}

func (l *lease) grow(bytes int64) bool {
	if !l.budget.take(bytes) {
		return false
	}
	l.bytes += bytes
	return true
}

func (l *lease) end() {
	l.budget.free.Add(l.bytes)
	l.bytes = 0
}

// readBody returns the body, or refuses it: by its Content-Length before a byte is read, and by what comes otherwise.
func (a *api) readBody(x *exchange, r *http.Request, held *lease) ([]byte, error) {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil, &detection.Error{Code: detection.CodeMalformed, Message: "Content-Encoding is not supported; send plain JSON"}
	}
	if r.ContentLength > a.MaxBodyBytes {
		return nil, a.tooLarge()
	}
	size := int64(firstReadBytes)
	if r.ContentLength >= 0 {
		size = r.ContentLength + 1 // one more, so that the end is seen without growing
	}
	body, err := readAll(http.MaxBytesReader(x.ResponseWriter, r.Body, a.MaxBodyBytes), size, held)
	var limit *http.MaxBytesError
	switch {
	case err == nil, errors.Is(err, errBusy):
		return body, err
	case errors.As(err, &limit):
		return nil, a.tooLarge()
	}
	return nil, &detection.Error{Code: detection.CodeMalformed, Message: "the body ended before it was complete", Err: err}
}

// readAll reads to the end into a buffer of size bytes that doubles as needed, all of it held by the lease.
func readAll(r io.Reader, size int64, held *lease) ([]byte, error) {
	if !held.grow(size) {
		return nil, errBusy
	}
	body := make([]byte, 0, size)
	for {
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if err == io.EOF {
			return body, nil
		}
		if err != nil {
			return nil, err
		}
		if len(body) == cap(body) {
			if !held.grow(int64(cap(body))) {
				return nil, errBusy
			}
			body = append(make([]byte, 0, 2*cap(body)), body...)
		}
	}
}

func (a *api) tooLarge() error {
	return &detection.Error{Code: detection.CodeTooLarge, Message: fmt.Sprintf("the body is larger than %d bytes", a.MaxBodyBytes)}
}
