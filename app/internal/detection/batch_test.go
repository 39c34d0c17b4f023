package detection

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// oneLine is goodBody on one line, with another pixel.
func oneLine(x int) string {
	return strings.ReplaceAll(strings.Replace(goodBody, `"pixel_x": 960`, fmt.Sprintf(`"pixel_x": %d`, x), 1), "\n", "")
}

// outcomes reads a batch to its end and says what each item was: its pixel, or the code of its error; then what ended it.
func outcomes(b *BatchReader) string {
	var said []string
	for {
		in, err := b.Next()
		switch {
		case err == nil:
			said = append(said, fmt.Sprint(in.PixelX))
			continue
		case err == io.EOF:
			return strings.Join(append(said, "end"), " ")
		case b.Broken():
			return strings.Join(append(said, "broken: "+err.Error()), " ")
		}
		said = append(said, string(CodeOf(err)))
	}
}

func TestBatches(t *testing.T) {
	_, long := pictureOf(60_000)
	large := strings.Replace(oneLine(9), "aGVsbG8=", long, 1)
	tests := []struct {
		name, body string
		format     BatchFormat
		want       string
	}{
		{"array", "[" + oneLine(1) + "," + oneLine(2) + "]", BatchArray, "1 2 end"},
		{"with space", " [\n" + goodBody + "\n,\t" + oneLine(2) + " ] \n", BatchArray, "960 2 end"},
		{"empty array", "[ ]", BatchArray, "end"},
		{"a wrong field", "[" + oneLine(1) + "," + oneLine(-2) + "," + oneLine(3) + "]", BatchArray, "1 invalid_field 3 end"},
		{"not JSON inside", "[" + oneLine(1) + `,{"pixel_x":NaN},{"a":"]}"},` + oneLine(3) + "]", BatchArray, "1 malformed_json invalid_field 3 end"},
		{"other values", `[1,"a,]",null,true,[1,{}],` + oneLine(3) + "]", BatchArray, "malformed_json malformed_json malformed_json malformed_json malformed_json 3 end"},
		{"too large", "[" + oneLine(1) + "," + large + "," + oneLine(3) + "]", BatchArray, "1 body_too_large 3 end"},
		{"cut off", "[" + oneLine(1) + "," + oneLine(2)[:50], BatchArray, "1 broken: [2]: the batch breaks off at byte"},
		{"cut off in a picture", "[" + oneLine(1) + `,{"image_base64":"aGVs`, BatchArray, "1 broken: [2]: the batch breaks off at byte"},
		{"not closed", "[" + oneLine(1), BatchArray, "broken: [1]: the batch breaks off at byte"},
		{"a comma at the end", "[" + oneLine(1) + ",]", BatchArray, "1 broken: [1]: the batch breaks off at byte"},
		{"two commas", "[" + oneLine(1) + ",," + oneLine(2) + "]", BatchArray, "1 broken: [1]: the batch breaks off at byte"},
		{"no comma", "[" + oneLine(1) + oneLine(2) + "]", BatchArray, "1 broken: [1]: the batch breaks off at byte"},
		{"brackets do not match", `[{"source":[1}},` + oneLine(2) + "]", BatchArray, "malformed_json 2 end"},
		{"a bracket too many", `[{"a":1}},` + oneLine(2) + "]", BatchArray, "invalid_field broken: [1]: the batch breaks off at byte 8: an item must be followed"},
		{"a tail", "[" + oneLine(1) + "] x", BatchArray, "1 broken: [1]: the batch breaks off at byte"},
		{"an object", oneLine(1), BatchArray, "broken: [0]: the batch breaks off at byte 0: the body must be an array"},
		{"nothing", "", BatchArray, "broken: [0]: the batch breaks off at byte 0: the body must be an array"},
		{"too many", "[" + strings.Repeat(oneLine(1)+",", 6) + oneLine(1) + "]", BatchArray, "1 1 1 1 1 1 broken: a batch may have 6 detections"},

		{"lines", oneLine(1) + "\n" + oneLine(2) + "\n", BatchLines, "1 2 end"},
		{"no line end, and CR", oneLine(1) + "\r\n\r\n \n" + oneLine(2), BatchLines, "1 2 end"},
		{"no lines", "\n\n", BatchLines, "end"},
		{"wrong lines", oneLine(1) + "\nhello\n" + oneLine(2)[:80] + "\n" + oneLine(-4) + "\n]\n" + oneLine(5), BatchLines, "1 malformed_json malformed_json invalid_field malformed_json 5 end"},
		{"two on a line", oneLine(1) + oneLine(2) + "\n" + oneLine(3), BatchLines, "malformed_json 3 end"},
		{"a line end in a picture", `{"image_base64":"aGVs` + "\n" + oneLine(2), BatchLines, "malformed_json 2 end"},
		{"a large line", oneLine(1) + "\n" + large + "\n" + oneLine(3), BatchLines, "1 body_too_large 3 end"},
		{"a long line", oneLine(1) + "\n{\"source\":\"" + strings.Repeat("x", 70_000) + "\"}\n" + oneLine(3), BatchLines, "1 body_too_large 3 end"},
		{"too many lines", strings.Repeat(oneLine(1)+"\n", 7), BatchLines, "1 1 1 1 1 1 broken: a batch may have 6 detections"},
	}
	for _, tt := range tests {
		for way, reader := range steps {
			t.Run(tt.name+" "+way, func(t *testing.T) {
				got := outcomes(NewBatchReader(reader(strings.NewReader(tt.body)), tt.format, BatchOptions{MaxItems: 6, MaxItemBytes: 70_000}))
				if !strings.HasPrefix(got, tt.want) || !strings.Contains(tt.want, "broken") && got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		}
	}
}

func TestErrorsOfTheBatchesReader(t *testing.T) {
	reset := errors.New("connection reset")
	for _, format := range []BatchFormat{BatchArray, BatchLines} {
		for _, part := range []string{"", "[", "[" + oneLine(1)[:60], "[" + oneLine(1) + ","} {
			b := NewBatchReader(io.MultiReader(strings.NewReader(part), iotest.ErrReader(reset)), format, BatchOptions{})
			var err error
			for !b.Broken() && err != io.EOF {
				_, err = b.Next()
			}
			if _, again := b.Next(); !errors.Is(err, reset) || !errors.Is(again, reset) {
				t.Errorf("after %.20q: %v, then %v", part, err, again)
			}
		}
	}
}

// FuzzBatchReader holds that a batch ends, is read the same however it arrives, and that lines are what ParseInput says of each.
func FuzzBatchReader(f *testing.F) {
	f.Add("["+oneLine(1)+","+oneLine(2)+"]", true)
	f.Add(oneLine(1)+"\n"+oneLine(-1)+"\n\nx", false)
	f.Add(`[{"image_base64":"aGVs`+"\n", true)
	f.Fuzz(func(t *testing.T, body string, array bool) {
		format := BatchLines
		if array {
			format = BatchArray
		}
		opts := BatchOptions{MaxItems: 1000, MaxItemBytes: 10_000}
		got := outcomes(NewBatchReader(strings.NewReader(body), format, opts))
		if slow := outcomes(NewBatchReader(iotest.OneByteReader(strings.NewReader(body)), format, opts)); slow != got {
			t.Errorf("byte by byte %q, at once %q", slow, got)
		}
		if array || strings.Count(body, "\n") > 900 || len(body) > 9000 {
			return
		}
		var want []string
		for line := range strings.SplitSeq(body, "\n") {
			if line = strings.TrimLeft(line, " \t\r"); line == "" {
				continue
			}
			if in, err := ParseInput([]byte(line)); err != nil {
				want = append(want, string(CodeOf(err)))
			} else {
				want = append(want, fmt.Sprint(in.PixelX))
			}
		}
		if want := strings.Join(append(want, "end"), " "); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
