package detection

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

// pictureOf is random bytes and their base64.
func pictureOf(bytes int) (raw []byte, text string) {
	random := rand.NewChaCha8([32]byte{})
	raw = make([]byte, bytes)
	_, _ = random.Read(raw) // it never fails
	return raw, base64.StdEncoding.EncodeToString(raw)
}

func withPicture(text string) string { return strings.Replace(goodBody, "aGVsbG8=", text, 1) }

// steps are ways in which the same bytes can arrive.
var steps = map[string]func(io.Reader) io.Reader{
	"whole": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "half": iotest.HalfReader, "with the end": iotest.DataErrReader,
}

// TestPicturesAreHashedAsTheyCome compares with SHA-256 over the bytes that were encoded, for sizes at the edges of what is
// read at once, however the bytes arrive and are escaped.
func TestPicturesAreHashedAsTheyCome(t *testing.T) {
	escapes := map[string]*strings.Replacer{
		"plain": strings.NewReplacer(), "PHP": strings.NewReplacer("/", `\/`), ".NET": strings.NewReplacer("+", `\u002B`, "=", `\u003d`),
		"MIME": strings.NewReplacer("A", `A\r\n`),
	}
	for _, size := range []int{1, 2, 3, 4, 3050, 12286, 12287, 12288, 12289, 50_001} {
		raw, text := pictureOf(size)
		sum := sha256.Sum256(raw)
		want := &Image{SHA256: hex.EncodeToString(sum[:]), Bytes: int64(size)}
		for style, escape := range escapes {
			for way, reader := range steps {
				in, err := ReadInput(reader(strings.NewReader(withPicture(escape.Replace(text)))), ReadOptions{})
				if err != nil || !reflect.DeepEqual(in.Image, want) {
					t.Errorf("%d bytes, %s, %s: got %+v, %v", size, style, way, in.Image, err)
				}
			}
		}
	}
}

func TestBrokenPictures(t *testing.T) {
	_, long := pictureOf(30_000)
	at := 20_000
	for name, tt := range map[string]struct {
		text string
		code Code
	}{
		"not base64":            {long[:at] + "*" + long[at+1:], CodeInvalidField},
		"a character too many":  {long + "A", CodeInvalidField},
		"padding in the middle": {long[:at-2] + "==" + long[at:], CodeInvalidField},
		"padding in a read":     {long[:16384-2] + "==" + long[16384:], CodeInvalidField},
		"a line end":            {long[:at] + "\n" + long[at:], CodeMalformed},
		"a zero":                {long[:at] + "\x00" + long[at:], CodeInvalidField},
		"an escaped quote":      {long[:at] + `\"` + long[at:], CodeInvalidField},
		"not ASCII":             {long[:at] + `\u00e9` + long[at:], CodeInvalidField},
		"not hexadecimal":       {long[:at] + `\u00g9` + long[at:], CodeInvalidField},
		"half an escape":        {long + `\u00`, CodeInvalidField},
		"an URL":                {"data:image/png;base64," + long, CodeInvalidField},
	} {
		for way, reader := range steps {
			in, err := ReadInput(reader(strings.NewReader(withPicture(tt.text))), ReadOptions{})
			var got *Error
			if !errors.As(err, &got) || got.Code != tt.code || got.Field != pictureField {
				t.Errorf("%s, %s: got %+v, %v", name, way, in.Image, err)
			}
		}
	}
}

// TestOffsetsCountThePicture holds that a mistake after the picture is told at its place in the body.
func TestOffsetsCountThePicture(t *testing.T) {
	_, long := pictureOf(100_000)
	body := strings.Replace(withPicture(long), `"pixel_x": 960`, `"pixel_x": NaN`, 1)
	_, err := ParseInput([]byte(body))
	if want := fmt.Sprintf("byte %d:", strings.Index(body, "NaN")); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// endless is a report whose picture, or another field, does not end. It counts what was read of it.
type endless struct {
	head string
	read int64
	most int64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.read >= e.most {
		return 0, io.EOF
	}
	n := copy(p, e.head)
	e.head = e.head[n:]
	for ; n < len(p); n++ {
		p[n] = 'A'
	}
	e.read += int64(n)
	return n, nil
}

// TestMemoryIsBounded reads a picture of 64 MiB, and holds what was allocated on the way.
func TestMemoryIsBounded(t *testing.T) {
	got := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			_, err := ReadInput(&endless{head: `{"image_base64":"`, most: 64 << 20}, ReadOptions{})
			if CodeOf(err) != CodeMalformed {
				b.Fatal(err)
			}
		}
	})
	if bytes := got.AllocedBytesPerOp(); bytes > 100<<10 {
		t.Errorf("%d bytes were allocated", bytes)
	}
}

func TestTooLargeReportsAreNotReadOn(t *testing.T) {
	body := &endless{head: `{"source":"`, most: 64 << 20}
	if _, err := ReadInput(body, ReadOptions{}); CodeOf(err) != CodeTooLarge || body.read > maxReportBytes+2*firstReadBytes {
		t.Errorf("%d bytes were read: %v", body.read, err)
	}
}

func TestErrorsOfTheReader(t *testing.T) {
	broken := errors.New("connection reset")
	for _, part := range []string{"", goodBody[:40], `{"image_base64":"aGVs`} {
		_, err := ReadInput(io.MultiReader(strings.NewReader(part), iotest.ErrReader(broken)), ReadOptions{})
		var refusal *Error
		if !errors.Is(err, broken) || errors.As(err, &refusal) {
			t.Errorf("after %q: got %v", part, err)
		}
	}
	if _, err := ReadInput(stuck{}, ReadOptions{}); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a reader that does nothing: %v", err)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// keeper is a PictureWriter in memory.
type keeper struct {
	bytes.Buffer
	outcome string
	fail    bool
}

func (k *keeper) Write(p []byte) (int, error) {
	if k.fail {
		return 0, errors.New("disk full")
	}
	return k.Buffer.Write(p)
}
func (k *keeper) Commit(image Image) error { k.outcome += "kept " + image.SHA256; return nil }
func (k *keeper) Discard()                 { k.outcome += "discarded" }

func TestPicturesAreKeptWithSoundReports(t *testing.T) {
	raw, text := pictureOf(40_000)
	sum := sha256.Sum256(raw)
	for _, tt := range []struct {
		name, body, want string
		fail, refused    bool
	}{
		{"sound", withPicture(text), "kept " + hex.EncodeToString(sum[:]), false, false},
		{"no room", withPicture(text), "discarded", true, false},
		{"another field is wrong", strings.Replace(withPicture(text), `"pixel_x": 960`, `"pixel_x": -1`, 1), "discarded", false, true},
		{"not base64", withPicture(text + "*"), "discarded", false, true},
		{"cut off", withPicture(text)[:30_000], "discarded", false, true},
		{"empty", withPicture(""), "discarded", false, false},
		{"none", strings.Replace(goodBody, `"image_base64": "aGVsbG8=",`, "", 1), "", false, false},
	} {
		k := &keeper{fail: tt.fail}
		_, err := ReadInput(strings.NewReader(tt.body), ReadOptions{Pictures: func() (PictureWriter, error) { return k, nil }})
		if k.outcome != tt.want || (err != nil) != tt.refused {
			t.Errorf("%s: got %q, %v; want %q", tt.name, k.outcome, err, tt.want)
		}
		if strings.HasPrefix(tt.want, "kept") && !bytes.Equal(k.Bytes(), raw) {
			t.Errorf("%s: %d bytes were kept that are not the picture", tt.name, k.Len())
		}
	}
	_, err := ReadInput(strings.NewReader(goodBody), ReadOptions{Pictures: func() (PictureWriter, error) { return nil, io.ErrClosedPipe }})
	if err != nil {
		t.Errorf("a report is refused because its picture cannot be kept: %v", err)
	}
}

// FuzzReadInput holds that a report is judged the same however it arrives.
func FuzzReadInput(f *testing.F) {
	f.Add([]byte(goodBody))
	f.Add([]byte(withPicture(`aGVs\nbG8\u003d`)))
	f.Add([]byte(`{"image_base64":"aGVsbG8=","image_base64":""}`))
	f.Add([]byte(`["image_base64":"aGVsbG8="]`))
	f.Add([]byte(strings.Replace(goodBody, `"hello"`, `{"a":["image_base64"]}`, 1)))
	f.Fuzz(func(t *testing.T, body []byte) {
		want, wantErr := ParseInput(body)
		got, err := ReadInput(iotest.OneByteReader(bytes.NewReader(body)), ReadOptions{})
		if !reflect.DeepEqual(got, want) || fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Errorf("byte by byte %+v, %v; at once %+v, %v", got, err, want, wantErr)
		}
		if wantErr == nil && (want.Source == "" || want.Image != nil && want.Image.Bytes == 0) {
			t.Errorf("accepted %+v", want)
		}
	})
}

func BenchmarkReadInput(b *testing.B) {
	_, text := pictureOf(150_000)
	for name, body := range map[string]string{
		"small": strings.Replace(goodBody, `"image_base64": "aGVsbG8=",`, "", 1), "picture of 200 KB": withPicture(text),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseInput([]byte(body)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
