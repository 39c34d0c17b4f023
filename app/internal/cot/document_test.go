package cot_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/detection-api/detection-api/app/internal/cot"
)

// TestDocument holds docs/cot.md against the code: its examples are profiles, its table of classes and its events are those
// that are written.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile("../../../docs/cot.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(examples) == 0 {
		t.Error("no example of a profile")
	}
	for _, example := range examples {
		profile(t, example[1])
	}
	rows := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| [^|]*\\| `([A-Za-z-]+)` \\| `([A-Za-z-]+)`").FindAllStringSubmatch(string(text), -1)
	if len(rows) != 8 {
		t.Errorf("%d rows in the table of classes, want 8", len(rows))
	}
	for _, row := range rows {
		if tactical, sar := cot.Tactical().TypeOf(row[1]), cot.SearchAndRescue().TypeOf(row[1]); tactical != row[2] || sar != row[3] {
			t.Errorf("%s is %s and %s", row[0], tactical, sar)
		}
	}
	for _, name := range []string{"vehicle", "track", "retract", "camera"} {
		golden, err := os.ReadFile("testdata/" + name + ".golden.xml")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(unspaced(string(text)), unspaced(string(golden))) {
			t.Errorf("the event %s is not in the document", name)
		}
	}
}

// unspaced lets the document break lines between elements.
func unspaced(text string) string {
	return regexp.MustCompile(`>\s+<`).ReplaceAllString(text, "><")
}
