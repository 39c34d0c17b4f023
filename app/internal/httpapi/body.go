package httpapi

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/detection-api/detection-api/app/internal/detection"
)

const (
	// firstReadBytes is what a body of unknown length counts for to begin with. A report without a picture has about 700 bytes.
	firstReadBytes = 4 << 10
	// maxReportHeldBytes is what one report counts for at most: a picture is hashed as it comes, and what is read at a time and
	// the report without the picture have no more (see detection.ReadInput).
	maxReportHeldBytes = 128 << 10
	// maxBatchHeldBytes is what a batch counts for at most: the reports, which are about as large as their text.
	maxBatchHeldBytes = 4 << 20
)

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

// body is the body of a request as it comes in. What was read counts as in flight, up to a bound.
type body struct {
	io.Reader
	held       *lease
	boundBytes int64
	readBytes  int64
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.readBytes += int64(n)
	if more := min(b.readBytes, b.boundBytes) - b.held.bytes; more > 0 && !b.held.grow(more) {
		return 0, errBusy
	}
	return n, err
}

// checkMediaType refuses a report that says to be no JSON. What says nothing is looked at, and so is what says to be a form,
// as curl -d does unless it is told otherwise.
func checkMediaType(r *http.Request) error {
	said := r.Header.Get(headerContentType)
	if said == "" {
		return nil
	}
	mediaType, _, err := mime.ParseMediaType(said)
	if err == nil && (mediaType == mediaJSON || strings.HasSuffix(mediaType, "+json") || mediaType == mediaForm) {
		return nil
	}
	return &detection.Error{Code: codeMediaType, Field: headerContentType, Message: "must be " + mediaJSON}
}

// openBody returns the body to be read, or refuses it by its Content-Length before a byte is read.
func (a *api) openBody(x *exchange, r *http.Request, held *lease, boundBytes int64) (*body, error) {
	if encoding := strings.Join(r.Header.Values(headerEncoding), ","); encoding != "" && !strings.EqualFold(encoding, "identity") {
		x.Header().Set("Accept-Encoding", "identity") // RFC 9110 section 15.5.16
		return nil, &detection.Error{Code: codeMediaType, Field: headerEncoding, Message: "is not supported; send plain JSON"}
	}
	if r.ContentLength > a.MaxBodyBytes {
		return nil, a.tooLarge()
	}
	size := int64(firstReadBytes)
	if r.ContentLength >= 0 {
		size = r.ContentLength
	}
	if !held.grow(min(size, boundBytes)) {
		return nil, errBusy
	}
	limited := http.MaxBytesReader(x.ResponseWriter, r.Body, a.MaxBodyBytes)
	return &body{Reader: limited, held: held, boundBytes: boundBytes}, nil
}

// bodyError says what was wrong with reading a body. An *detection.Error is what was wrong with what it says.
func (a *api) bodyError(err error) error {
	var refusal *detection.Error
	var limit *http.MaxBytesError
	switch {
	case err == nil, errors.As(err, &refusal):
		return err
	case errors.As(err, &limit):
		return a.tooLarge()
	}
	return &detection.Error{Code: detection.CodeMalformed, Message: "the body ended before it was complete", Err: err}
}

func (a *api) tooLarge() error {
	return &detection.Error{Code: detection.CodeTooLarge, Message: fmt.Sprintf("the body is larger than %d bytes", a.MaxBodyBytes)}
}
