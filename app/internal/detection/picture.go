package detection

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"io"
)

// pictureField is the name of the picture in a report.
const pictureField = "image_base64"

// PictureWriter takes a picture as it is read. Commit or Discard is called once, and nothing afterwards.
type PictureWriter interface {
	io.Writer
	// Commit keeps the picture, which was written whole and belongs to a report without a mistake.
	Commit(image Image) error
	// Discard forgets what was written.
	Discard()
}

// picture hashes a picture in base64 while it comes in, and keeps none of it.
type picture struct {
	sum     hash.Hash
	bytes   int64
	carry   [4]byte // characters that are no whole group yet
	carried int
	padded  bool // the last group had padding
	err     *Error
	decoded []byte
	keeper  PictureWriter // nil: nobody keeps it
}

func newPicture() *picture {
	return &picture{sum: sha256.New(), decoded: make([]byte, pictureReadBytes/4*3)}
}

func (p *picture) refuse() {
	if p.err == nil {
		p.err = Invalid(pictureField, "is not standard base64; send it without a data: prefix, padded with =")
	}
}

// write takes some more of the text. It takes no line ends.
func (p *picture) write(text []byte) {
	if p.carried > 0 {
		n := copy(p.carry[p.carried:], text)
		text, p.carried = text[n:], p.carried+n
		if p.carried < len(p.carry) {
			return
		}
		p.decode(p.carry[:])
		p.carried = 0
	}
	for len(text) >= 4 && p.err == nil {
		n := min(len(text)&^3, pictureReadBytes)
		p.decode(text[:n])
		text = text[n:]
	}
	if p.err == nil {
		p.carried = copy(p.carry[:], text)
	}
}

// decode takes whole groups of four characters.
func (p *picture) decode(text []byte) {
	n, err := base64.StdEncoding.Decode(p.decoded, text)
	if err != nil || p.padded {
		p.refuse()
		return
	}
	p.padded = n < len(text)/4*3
	p.sum.Write(p.decoded[:n])
	p.bytes += int64(n)
	if p.keeper == nil {
		return
	}
	if _, err := p.keeper.Write(p.decoded[:n]); err != nil { // to keep it is a courtesy; the report matters
		p.keeper.Discard()
		p.keeper = nil
	}
}

// image says what the picture was, nil when there was none, or what is wrong with it.
func (p *picture) image() (*Image, error) {
	if p.carried > 0 {
		p.refuse()
	}
	if p.err != nil {
		return nil, p.err
	}
	if p.bytes == 0 {
		return nil, nil
	}
	return &Image{SHA256: hex.EncodeToString(p.sum.Sum(nil)), Bytes: p.bytes}, nil
}

// finish tells who keeps the picture whether to.
func (p *picture) finish(image *Image) {
	keeper := p.keeper
	p.keeper = nil
	switch {
	case keeper == nil:
	case image == nil:
		keeper.Discard()
	default:
		_ = keeper.Commit(*image) // the keeper counts and logs its errors; they do not concern the report
	}
}

// pictureString takes the text of a picture out of a JSON string, piece by piece.
type pictureString struct {
	to      *picture
	escaped bool // after a backslash
	hex     int  // digits of a \u that are still to come
	code    rune
}

// take takes what the string has in chunk and returns how much that was and whether the string ended. It does not take the
// quote at the end, nor, when lines is set, a line end.
func (s *pictureString) take(chunk []byte, lines bool) (n int, ended bool) {
	text := chunk
	if end := bytes.IndexByte(text, '"'); end >= 0 {
		text, ended = text[:end], true
	}
	if s.escaped || s.hex > 0 || bytes.IndexByte(text, '\\') >= 0 || bytes.IndexByte(text, '\n') >= 0 || bytes.IndexByte(text, '\r') >= 0 {
		return s.takeSlowly(chunk, lines)
	}
	s.to.write(text)
	return len(text), ended
}

// takeSlowly knows escapes: PHP writes \/ for a slash and .NET \u002B for a plus.
func (s *pictureString) takeSlowly(chunk []byte, lines bool) (n int, ended bool) {
	for i, c := range chunk {
		switch {
		case c == '\n' && lines:
			return i, true
		case s.hex > 0 && c != '"':
			s.digit(c)
		case s.escaped:
			s.escape(c)
		case c == '"':
			if s.hex > 0 {
				s.to.refuse()
				s.hex = 0
			}
			return i, true
		case c == '\\':
			s.escaped = true
		case c == '\n' || c == '\r':
			s.lineEnd()
		default:
			s.to.write(chunk[i : i+1])
		}
	}
	return len(chunk), false
}

// lineEnd refuses one that is not escaped, as JSON wants it. Other control characters are no base64.
func (s *pictureString) lineEnd() {
	if s.to.err == nil {
		s.to.err = &Error{Code: CodeMalformed, Field: pictureField, Message: `a control character must be escaped in JSON; leave line ends out or write them \n`}
	}
}

func (s *pictureString) escape(c byte) {
	s.escaped = false
	switch c {
	case '/':
		s.to.write([]byte{c})
	case 'n', 'r': // MIME breaks lines; so do many encoders
	case 'u':
		s.hex, s.code = 4, 0
	default:
		s.to.refuse()
	}
}

func (s *pictureString) digit(c byte) {
	s.hex--
	value := bytes.IndexByte([]byte("0123456789abcdef"), c|0x20)
	if value < 0 || c < '0' {
		s.to.refuse()
		return
	}
	s.code = s.code<<4 | rune(value)
	if s.hex > 0 || s.code == '\n' || s.code == '\r' {
		return
	}
	if s.code > 0x7e {
		s.to.refuse()
		return
	}
	s.to.write([]byte{byte(s.code)})
}
