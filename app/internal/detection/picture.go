package detection

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

// pictureField is the name of the picture in a report.
const pictureField = "image_base64"

// minCutBytes is the size from which on a body is looked through for a picture.
const minCutBytes = 8 << 10

// parseWithoutPicture parses a body whose picture is cut out first: in a long string encoding/json looks at each byte
// several times and copies it, which takes longer than all else that is done for a detection. It reports false when that
// is not as good as parsing the whole body: for a body with a problem, which is told about the body as it came, and for
// uncommon JSON.
func parseWithoutPicture(body []byte, viewOnly bool) (Input, bool) {
	rest, picture, found := cutPicture(body)
	if !found {
		return Input{}, false
	}
	in, err := parseWhole(rest, viewOnly)
	if err != nil {
		return Input{}, false
	}
	var sound bool
	in.Image, sound = hashPicture(picture)
	return in, sound
}

// cutPicture returns the body with an empty string for its picture, and the picture. It does not judge whether the body
// is JSON, and finds nothing when there is any doubt: with two pictures, or with an escape in a string.
func cutPicture(body []byte) (rest, picture []byte, found bool) {
	depth, from := 0, 0
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			text, ok := plainString(body[i:])
			if !ok {
				return nil, nil, false
			}
			i += len(text) + 1
			value, isKey := valueAfter(body, i+1)
			if depth != 1 || !isKey || !bytes.EqualFold(text, []byte(pictureField)) { // as encoding/json matches names
				continue
			}
			if from > 0 || value >= len(body) || body[value] != '"' {
				return nil, nil, false
			}
			if picture, ok = plainString(body[value:]); !ok {
				return nil, nil, false
			}
			from = value + 1
			i = from + len(picture)
		}
	}
	if len(picture) == 0 {
		return nil, nil, false
	}
	rest = append(make([]byte, 0, len(body)-len(picture)), body[:from]...)
	return append(rest, body[from+len(picture):]...), picture, true
}

// plainString returns what stands between the quote that text begins with and the next one, unless there is an escape.
func plainString(text []byte) ([]byte, bool) {
	end := bytes.IndexByte(text[1:], '"')
	if end < 0 {
		return nil, false
	}
	inner := text[1 : 1+end]
	return inner, bytes.IndexByte(inner, '\\') < 0
}

// valueAfter returns where the value begins, if what comes at i makes a key of the string before it.
func valueAfter(body []byte, i int) (at int, isKey bool) {
	i = skipSpace(body, i)
	if i >= len(body) || body[i] != ':' {
		return 0, false
	}
	return skipSpace(body, i+1), true
}

func skipSpace(body []byte, i int) int {
	for i < len(body) && (body[i] == ' ' || body[i] == '\t' || body[i] == '\n' || body[i] == '\r') {
		i++
	}
	return i
}

// hashPicture says what a picture in base64 is. It takes no line ends, which are not allowed in a JSON string.
func hashPicture(text []byte) (*Image, bool) {
	const step = 16 << 10 // a multiple of 4
	if bytes.ContainsAny(text, "\r\n") {
		return nil, false
	}
	var decoded [step / 4 * 3]byte
	image, sum := &Image{}, sha256.New()
	for len(text) > 0 {
		part := text[:min(step, len(text))]
		text = text[len(part):]
		n, err := base64.StdEncoding.Decode(decoded[:], part)
		if err != nil || len(text) > 0 && n < len(decoded) { // padding before the end
			return nil, false
		}
		sum.Write(decoded[:n])
		image.Bytes += int64(n)
	}
	image.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return image, true
}
