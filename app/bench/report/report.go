package report

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/detection-api/detection-api/app/bench/measure"
)

// Report is one run.
type Report struct {
	Machine     string   `json:"machine"`
	Commit      string   `json:"commit"`
	Started     string   `json:"started"` // UTC
	Took        string   `json:"took"`
	LoadBefore  string   `json:"load_before"` // load averages of 1, 5 and 15 minutes
	LoadAfter   string   `json:"load_after"`
	Quick       bool     `json:"quick"` // short windows: the figures are not to be quoted
	Results     []Result `json:"results"`
	Charts      []Chart  `json:"charts"`
	NotMeasured []string `json:"not_measured"`
}

// Result is one row.
type Result struct {
	ID      string        `json:"id"`   // as in the list of targets
	What    string        `json:"what"` // and against what
	Target  Target        `json:"target"`
	Ratio   measure.Ratio `json:"ratio"`
	Figures string        `json:"figures"`           // the absolute ones, for the reader
	Also    *Condition    `json:"also,omitempty"`    // what must hold beside the ratio
	Control *Condition    `json:"control,omitempty"` // what must come out otherwise, or the measurement sees nothing
	Load    string        `json:"load"`              // average of the last minute when it was taken
	Error   string        `json:"error,omitempty"`
}

// Condition is something that holds or does not.
type Condition struct {
	Says  string `json:"says"`
	Holds bool   `json:"holds"`
}

// Target is a bound of a ratio.
type Target struct {
	AtLeast float64 `json:"at_least,omitempty"`
	AtMost  float64 `json:"at_most,omitempty"`
}

// String writes the bound; nothing for a row that only informs.
func (t Target) String() string {
	switch {
	case t.AtLeast > 0:
		return fmt.Sprintf("≥ %gx", t.AtLeast)
	case t.AtMost > 0:
		return fmt.Sprintf("≤ %gx", t.AtMost)
	}
	return ""
}

// Met says whether the worse end of the interval passes.
func (r Result) Met() bool {
	if r.Error != "" || r.Also != nil && !r.Also.Holds {
		return false
	}
	t := r.Target
	if t.AtLeast > 0 && !(r.Ratio.Low >= t.AtLeast) || t.AtMost > 0 && !(r.Ratio.High <= t.AtMost) {
		return false
	}
	return true
}

// Write puts the report into dir: run.json, the plots, and the table between the markers of document.
func (r Report) Write(dir, document string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, c := range r.Charts {
		if err := c.write(filepath.Join(dir, c.Name+".svg")); err != nil {
			return fmt.Errorf("plot %s: %w", c.Name, err)
		}
	}
	for i := range r.Results { // JSON has no form for these
		q := &r.Results[i].Ratio
		for _, v := range []*float64{&q.Median, &q.Low, &q.High, &q.A, &q.B} {
			if math.IsNaN(*v) || math.IsInf(*v, 0) {
				*v = 0
			}
		}
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "run.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	return r.insert(document, filepath.Base(dir))
}
