package report

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/detection-api/detection-api/app/bench/measure"
)

func TestTheWorseEndDecides(t *testing.T) {
	ratio := measure.Ratio{Median: 10, Low: 9, High: 11, Pairs: 7}
	for _, c := range []struct {
		target Target
		also   *Condition
		met    bool
	}{
		{Target{AtLeast: 9}, nil, true},
		{Target{AtLeast: 9.5}, nil, false},
		{Target{AtMost: 11}, nil, true},
		{Target{AtMost: 10.5}, nil, false},
		{Target{}, nil, true},
		{Target{AtLeast: 9}, &Condition{Holds: false}, false},
	} {
		if got := (Result{Target: c.target, Ratio: ratio, Also: c.also}).Met(); got != c.met {
			t.Errorf("%+v: met = %v, want %v", c.target, got, c.met)
		}
	}
}

func TestWriteKeepsTheRestOfTheDocument(t *testing.T) {
	dir := t.TempDir()
	document := filepath.Join(dir, "d.md")
	if err := os.WriteFile(document, []byte("above\n"+beginMarker+"\nold\n"+endMarker+"\nbelow\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := Report{
		Machine: "a machine", Results: []Result{{ID: "T1", What: "rows", Ratio: measure.Ratio{Median: 12.34, Pairs: 7}}},
		Charts: []Chart{{
			Name: "c", Title: "A chart", X: Axis{Label: "x", Log: true}, Y: Axis{Label: "y", Log: true},
			Lines: []Line{{Name: "l", Points: [][2]float64{{1, 2}, {10, 0}, {100, 20}}}},
		}},
	}
	for range 2 { // it can be written again
		if err := r.Write(filepath.Join(dir, "plots"), document); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"above\n", "\nbelow\n", "| T1 | rows |", "12.3", "(plots/c.svg)"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the document has no %q:\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "old") || strings.Count(string(text), "T1") != 1 {
		t.Errorf("the old table is still there:\n%s", text)
	}
	wellFormed(t, filepath.Join(dir, "plots", "c.svg"))
	if err := r.Write(filepath.Join(dir, "plots"), filepath.Join(dir, "plots", "run.json")); err == nil {
		t.Error("a document without markers was written to")
	}
}

func wellFormed(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for d := xml.NewDecoder(f); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
}
