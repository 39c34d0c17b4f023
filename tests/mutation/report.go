package mutation

import (
	"fmt"
	"strings"
)

// Report is what became of all mutants, in their order.
type Report []Result

// Only returns the results with one outcome.
func (r Report) Only(outcome Outcome) Report {
	var only Report
	for _, result := range r {
		if result.Outcome == outcome {
			only = append(only, result)
		}
	}
	return only
}

// Score returns the share of the mutants that were killed in percent, equivalent ones left out; of none it is 100. One
// that timed out was not killed.
func (r Report) Score() float64 {
	counted := len(r) - len(r.Only(Equivalent))
	if counted == 0 {
		return 100
	}
	return 100 * float64(len(r.Only(Killed))) / float64(counted)
}

// Summary is the score and the number of each outcome in one line.
func (r Report) Summary() string {
	return fmt.Sprintf("%d mutants: %d killed, %d survived, %d timed out, %d equivalent; score %.1f %%",
		len(r), len(r.Only(Killed)), len(r.Only(Survived)), len(r.Only(TimedOut)), len(r.Only(Equivalent)), r.Score())
}

// String is the summary and each survivor with its diff.
func (r Report) String() string {
	var b strings.Builder
	b.WriteString(r.Summary() + "\n")
	for _, result := range r {
		if result.Outcome == Survived || result.Outcome == TimedOut {
			fmt.Fprintf(&b, "%s %s\n%s", result.Outcome, result.Mutant, result.Diff())
		}
	}
	return b.String()
}
