package detection

import (
	"errors"
	"io"
)

const (
	// firstReadBytes is what a body is read in. A report without a picture has about 700 bytes.
	firstReadBytes = 4 << 10
	// pictureReadBytes is what a picture is read in: a multiple of 4.
	pictureReadBytes = 16 << 10
	// maxEmptyReads is how often a reader may return nothing and no error.
	maxEmptyReads = 100
)

// source hands out what a reader has in pieces. What was read and is not taken yet is buf[from:to].
type source struct {
	r        io.Reader
	buf      []byte
	from, to int
	base     int64 // bytes of the reader before buf[0]
	err      error // of the reader; io.EOF is its end
}

func newSource(r io.Reader) *source { return &source{r: r, buf: make([]byte, firstReadBytes)} }

// sourceOf is the source of what is in memory already. It does not change it.
func sourceOf(body []byte) *source { return &source{buf: body, to: len(body), err: io.EOF} }

// next returns what is there, after a read if that is nothing; nothing at the end or after an error.
func (s *source) next() []byte {
	for range maxEmptyReads {
		if s.from < s.to || s.err != nil {
			return s.buf[s.from:s.to]
		}
		s.base += int64(s.to)
		s.from = 0
		s.to, s.err = s.r.Read(s.buf)
	}
	s.err = io.ErrNoProgress
	return nil
}

func (s *source) take(n int) { s.from += n }

// offset is the number of bytes that were taken.
func (s *source) offset() int64 { return s.base + int64(s.from) }

// grow makes the next reads as large as a picture wants them.
func (s *source) grow() {
	if len(s.buf) >= pictureReadBytes || s.err != nil {
		return
	}
	buf := make([]byte, pictureReadBytes)
	s.base += int64(s.from)
	s.to = copy(buf, s.buf[s.from:s.to])
	s.from, s.buf = 0, buf
}

// failed is the error that the reader ended with, nil when it came to its end.
func (s *source) failed() error {
	if errors.Is(s.err, io.EOF) {
		return nil
	}
	return s.err
}
