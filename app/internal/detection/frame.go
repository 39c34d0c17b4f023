package detection

import "fmt"

// maxReportBytes bounds a report without its picture. One with every field has about 1500 bytes.
const maxReportBytes = 64 << 10

// ending says where a report in a stream ends.
type ending int

const (
	atEnd   ending = iota // with the stream
	atLine                // before the next line end
	atValue               // with its JSON value
)

// What the text of a report is being looked through for.
const (
	anything = iota
	colon    // the name of the picture was read
	value    // and a colon after it
)

// frame is one report as it is read: the bytes of its JSON without what stands between the quotes of the picture, which is
// hashed on the way. It does not judge the JSON, and neither more nor less than one picture is taken out: another one stays in
// rest, where its name is there twice.
type frame struct {
	src  *source
	ends ending
	keep func() (PictureWriter, error)

	begin    int64 // offset of the first byte
	rest     []byte
	maxBytes int64 // of all of it
	tooLarge bool  // rest is not whole

	depth             int
	inString, escaped bool
	matched           int // bytes of pictureField that the string began with, -1 when it is another one
	expect            int
	picture           *picture // nil: none was found
	cutAt, cutBytes   int64    // where in rest the picture was, and how long
}

// read reads up to the end of the report, also of one that is too large unless nothing follows it.
func (f *frame) read() {
	f.begin = f.src.offset()
	for {
		chunk := f.src.next()
		if len(chunk) == 0 {
			return
		}
		n, done := f.scan(chunk)
		f.add(chunk[:n])
		f.src.take(n)
		if done || f.tooLarge && f.ends == atEnd {
			return
		}
		if f.expect == value && f.inString {
			f.cut()
		}
	}
}

func (f *frame) add(text []byte) {
	if f.tooLarge = f.tooLarge || len(f.rest)+len(text) > maxReportBytes || f.over(len(text)); !f.tooLarge {
		f.rest = append(f.rest, text...)
	}
}

// over says whether the report has more bytes than it may, with n more.
func (f *frame) over(n int) bool {
	return f.maxBytes > 0 && f.src.offset()+int64(n)-f.begin > f.maxBytes
}

// scan looks through some bytes, up to the end of the report or the begin of its picture, and returns how many.
func (f *frame) scan(chunk []byte) (n int, done bool) {
	for i, c := range chunk {
		switch {
		case c == '\n' && f.ends == atLine:
			return i, true
		case f.inString:
			f.inText(c)
			continue
		}
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		case '"':
			f.inString, f.escaped, f.matched = true, false, 0
			if f.expect == value && f.picture == nil {
				return i + 1, false
			}
		case ':':
			if f.expect == colon {
				f.expect = value
				continue
			}
		case '{', '[':
			f.depth++
		case '}', ']', ',':
			if n, done := f.close(i, c); done {
				return n, true
			}
		}
		f.expect = anything
	}
	return len(chunk), false
}

// close takes a bracket, or a comma, and says whether the report ends with it or before it.
func (f *frame) close(i int, c byte) (n int, done bool) {
	if f.depth == 0 {
		return i, f.ends == atValue
	}
	if c != ',' {
		f.depth--
	}
	return i + 1, f.depth == 0 && f.ends == atValue
}

// inText takes a byte of a string.
func (f *frame) inText(c byte) {
	switch {
	case f.escaped:
		f.escaped = false
	case c == '\\':
		f.escaped, f.matched = true, -1
	case c == '"':
		f.inString = false
		if f.depth == 1 && f.matched == len(pictureField) {
			f.expect = colon
		}
	case f.matched >= 0 && f.matched < len(pictureField) && c == pictureField[f.matched]:
		f.matched++
	default:
		f.matched = -1
	}
}

// cut reads the picture, up to its quote, which stays to be read.
func (f *frame) cut() {
	f.expect, f.matched = anything, -1
	f.picture = newPicture()
	if f.keep != nil {
		if keeper, err := f.keep(); err == nil { // whoever keeps pictures counts and logs that it cannot
			f.picture.keeper = keeper
		}
	}
	f.src.grow()
	f.cutAt = int64(len(f.rest))
	text := pictureString{to: f.picture}
	begin := f.src.offset()
	for ended := false; !ended; {
		chunk := f.src.next()
		if len(chunk) == 0 {
			break
		}
		var n int
		if n, ended = text.take(chunk, f.ends == atLine); f.over(n) {
			f.tooLarge = true
		}
		f.src.take(n)
		if f.tooLarge && f.ends == atEnd {
			break
		}
	}
	if text.escaped || text.hex > 0 {
		f.picture.refuse()
	}
	f.cutBytes = f.src.offset() - begin
}

// offset says where in the stream a byte of rest was.
func (f *frame) offset(inRest int64) int64 {
	if f.picture != nil && inRest >= f.cutAt {
		inRest += f.cutBytes
	}
	return f.begin + inRest
}

// input judges what was read.
func (f *frame) input(viewOnly bool) (in Input, err error) {
	var image *Image
	defer func() {
		if f.picture != nil {
			f.picture.finish(image)
		}
	}()
	if err := f.src.failed(); err != nil {
		return Input{}, fmt.Errorf("read the report: %w", err)
	}
	if f.tooLarge {
		return Input{}, f.tooLargeError()
	}
	var wire wireInput
	if err := decode(f.rest, &wire, f.offset); err != nil {
		return Input{}, err
	}
	if in, err = wire.validate(viewOnly); err != nil {
		return Input{}, err
	}
	if f.picture == nil && wire.ImageBase64 != nil { // the name was written with an escape
		f.picture = newPicture()
		f.picture.write([]byte(*wire.ImageBase64))
	}
	if f.picture != nil {
		if image, err = f.picture.image(); err != nil {
			return Input{}, err
		}
	}
	in.Image = image
	return in, nil
}

func (f *frame) tooLargeError() *Error {
	message := fmt.Sprintf("a report without its picture may have %d bytes; send the picture in image_base64 and nothing else that is long", maxReportBytes)
	if f.maxBytes > 0 && f.src.offset()-f.begin > f.maxBytes {
		message = fmt.Sprintf("a report of a batch may have %d bytes; send this one alone", f.maxBytes)
	}
	return &Error{Code: CodeTooLarge, Message: message}
}
