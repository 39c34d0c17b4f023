package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/bench/measure"
	"github.com/detection-api/detection-api/app/bench/report"
)

// TestSomeRowsRun holds that rows of each kind can be measured and written. What they measure in no time means nothing.
func TestSomeRowsRun(t *testing.T) {
	env := environment(t.TempDir(), true)
	env.Plan = measure.Plan{Pairs: 1, Length: 10 * time.Millisecond}
	env.Log = t.Logf
	r := report.Report{Machine: machine(), Commit: commit(t.Context()), LoadBefore: loadAverage()}
	measureAll(t.Context(), &r, regexp.MustCompile("^(T1|T3|T4|T4 with TAK|T11|T14|T18|T29) "), env)
	if err := env.Close(); err != nil {
		t.Error(err)
	}
	if len(r.Results) < 7 {
		t.Errorf("%d rows were measured", len(r.Results))
	}
	for _, result := range r.Results {
		if result.Error != "" || !(result.Ratio.Median > 0) {
			t.Errorf("%s: %+v", result.ID, result)
		}
	}
	if text := r.Markdown("."); strings.Contains(text, "failed") || !strings.Contains(text, "| T14 |") {
		t.Errorf("table:\n%s", text)
	}
}
