package detection

import "io"

// ReadOptions says how reports are read.
type ReadOptions struct {
	// Pictures returns what keeps the next picture; nil: pictures are hashed and not kept. A report does not fail because its
	// picture cannot be kept.
	Pictures func() (PictureWriter, error)
}

// ReadInput reads, decodes and validates one report in JSON. It holds no more than some 100 KiB at a time whatever the size of
// the picture, which is hashed as it comes. The error is an *Error that names the field, or else wraps that of the reader.
func ReadInput(r io.Reader, opts ReadOptions) (Input, error) { return read(newSource(r), opts, false) }

// ParseInput is ReadInput for a report that is in memory already.
func ParseInput(body []byte) (Input, error) {
	return read(sourceOf(body), ReadOptions{}, false)
}

// ParseView is ParseInput for callers who only want a position: what says where the camera looks is required, who saw what
// and when may be absent.
func ParseView(body []byte) (Input, error) {
	return read(sourceOf(body), ReadOptions{}, true)
}

func read(src *source, opts ReadOptions, viewOnly bool) (Input, error) {
	f := frame{src: src, keep: opts.Pictures}
	f.read()
	return f.input(viewOnly)
}
