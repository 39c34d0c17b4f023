package detection

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// BatchFormat is how a batch is written.
type BatchFormat int

// The formats.
const (
	BatchArray BatchFormat = iota // an array of JSON
	BatchLines                    // NDJSON: an object of JSON on each line; empty lines are left out
)

// BatchOptions bounds a batch.
type BatchOptions struct {
	ReadOptions
	MaxItems     int   // 0: no bound
	MaxItemBytes int64 // of one report, with its picture; 0: no bound
}

// BatchReader reads the reports of a batch, one after the other, each as ReadInput does.
type BatchReader struct {
	src    *source
	format BatchFormat
	opts   BatchOptions
	items  int
	err    error // that ended the batch; io.EOF is its end
}

// NewBatchReader returns a reader of the batch that r has.
func NewBatchReader(r io.Reader, format BatchFormat, opts BatchOptions) *BatchReader {
	return &BatchReader{src: newSource(r), format: format, opts: opts}
}

// Next returns the next report, or io.EOF when there is none. An error with which the batch is not Broken is an *Error of that
// report, and the next one can be read; any other ends the batch: an *Error, or one that wraps the reader's.
func (b *BatchReader) Next() (Input, error) {
	if b.err != nil {
		return Input{}, b.err
	}
	more := b.nextLine
	if b.format == BatchArray {
		more = b.nextItem
	}
	if b.err = more(); b.err != nil {
		return Input{}, b.err
	}
	if b.items++; b.opts.MaxItems > 0 && b.items > b.opts.MaxItems {
		b.err = &Error{Code: CodeTooLarge, Message: fmt.Sprintf("a batch may have %d detections; send several", b.opts.MaxItems)}
		return Input{}, b.err
	}
	return b.read()
}

// Broken says that the batch cannot be read on, for another reason than that it is at its end.
func (b *BatchReader) Broken() bool { return b.err != nil && !errors.Is(b.err, io.EOF) }

func (b *BatchReader) read() (Input, error) {
	f := frame{src: b.src, keep: b.opts.Pictures, maxBytes: b.opts.MaxItemBytes, ends: atLine}
	if b.format == BatchArray {
		f.ends = atValue
	}
	f.read()
	in, err := f.input(false)
	switch {
	case b.src.failed() != nil:
		b.err = err
	case b.format == BatchArray && len(b.src.next()) == 0: // an array ends with its bracket
		b.err = b.broken("the array is not closed")
		return Input{}, b.err
	}
	return in, err
}

func (b *BatchReader) nextLine() error {
	if c, err := b.skip(); c == 0 {
		return err
	}
	return nil
}

// nextItem goes to the begin of the next item of the array.
func (b *BatchReader) nextItem() error {
	c, err := b.skip()
	switch {
	case errors.Is(err, io.EOF) && b.items == 0:
		return b.broken("the body must be an array of JSON")
	case errors.Is(err, io.EOF):
		return b.broken("the array is not closed")
	case err != nil:
		return err
	case b.items == 0 && c != '[':
		return b.broken("the body must be an array of JSON")
	case c == ']' && b.items > 0:
		return b.finish()
	case b.items > 0 && c != ',':
		return b.broken("an item must be followed by a comma or the end of the array")
	}
	b.src.take(1)
	c, err = b.skip()
	switch {
	case errors.Is(err, io.EOF):
		return b.broken("the array is not closed")
	case err != nil:
		return err
	case c == ']' && b.items == 0:
		return b.finish()
	case c == ',' || c == ']' || c == '}' || c == ':':
		return b.broken("an item is missing")
	}
	return nil
}

// finish takes the end of the array, which has to be the end of the body.
func (b *BatchReader) finish() error {
	b.src.take(1)
	c, err := b.skip()
	if c != 0 {
		return b.broken("more data after the array")
	}
	return err
}

// skip takes JSON's white space and returns the first byte that is none, or an error.
func (b *BatchReader) skip() (byte, error) {
	for {
		chunk := b.src.next()
		if len(chunk) == 0 {
			break
		}
		rest := bytes.TrimLeft(chunk, " \t\r\n")
		b.src.take(len(chunk) - len(rest))
		if len(rest) > 0 {
			if rest[0] == 0 { // 0 means that there is none
				return 1, nil
			}
			return rest[0], nil
		}
	}
	if err := b.src.failed(); err != nil {
		return 0, fmt.Errorf("read the batch: %w", err)
	}
	return 0, io.EOF
}

func (b *BatchReader) broken(reason string) *Error {
	return malformed(fmt.Sprintf("[%d]", b.items), "the batch breaks off at byte %d: %s", b.src.offset(), reason)
}
