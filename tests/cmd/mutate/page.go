package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/detection-api/detection-api/tests/mutation"
)

// reason says why a survivor may live. It holds for every mutant in the file whose first changed line contains Line.
type reason struct {
	Template string `json:"template"`
	Line     string `json:"line"`
	Operator string `json:"operator,omitempty"`
	Because  string `json:"because"`
}

func readReasons(name string) ([]reason, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read explained survivors: %w", err)
	}
	var reasons []reason
	if err := yaml.UnmarshalStrict(text, &reasons); err != nil {
		return nil, fmt.Errorf("read explained survivors: %w", err)
	}
	return reasons, nil
}

// facts are what the page tells.
type facts struct {
	report  mutation.Report
	of      int
	took    time.Duration
	reasons []reason
}

func (f facts) because(r mutation.Result) string {
	for _, reason := range f.reasons {
		if reason.Template == r.Template && strings.Contains(r.Diff(), reason.Line) && strings.HasPrefix(r.Operator, reason.Operator) {
			return reason.Because
		}
	}
	return "**open**: no test notices it yet."
}

func (f facts) page() string {
	var b strings.Builder
	b.WriteString("# Mutation run of the chart's templates\n\nWritten by `make mutation` (`tests/cmd/mutate`); " +
		"reasons are in `tests/cmd/mutate/explained.yaml`.\n\n" +
		"Each mutant is one mistake in one template. The in-process tests of `tests/render` have to fail for it. One whose " +
		"objects and notes are those of the chart with every values file and every switch of `values.yaml` either way, and that no " +
		"test finds, is equivalent and left out of the score.\n\n")
	fmt.Fprintf(&b, "%s. Tried: %d of %d, in %s.\n\n", f.report.Summary(), len(f.report), f.of, f.took.Round(time.Second))
	f.killers(&b)
	f.operators(&b)
	b.WriteString("\n## Survivors\n")
	for _, r := range f.report {
		if r.Outcome == mutation.Survived || r.Outcome == mutation.TimedOut {
			fmt.Fprintf(&b, "\n`%s` (%s)\n\n```diff\n%s```\n\n%s\n", r.Mutant, r.Outcome, r.Diff(), f.because(r))
		}
	}
	b.WriteString("\n## Equivalent over these values\n\nOther values may tell them apart: look at each.\n\n")
	for _, r := range f.report.Only(mutation.Equivalent) {
		fmt.Fprintf(&b, "- `%s`\n", r.Mutant)
	}
	return b.String()
}

// killers counts the mutants that only another test than the comparison with golden files found.
func (f facts) killers(b *strings.Builder) {
	killed := f.report.Only(mutation.Killed)
	byGoldens := 0
	for _, r := range killed {
		if strings.Contains(goldens, r.Detail) {
			byGoldens++
		}
	}
	fmt.Fprintf(b, "The goldens, which are asked first, found %d of the killed ones; other tests the remaining %d.\n\n", byGoldens, len(killed)-byGoldens)
}

func (f facts) operators(b *strings.Builder) {
	byOperator := map[string]mutation.Report{}
	for _, r := range f.report {
		operator := r.Operator
		if strings.Contains(operator, "becomes") && operator[0] >= '0' && operator[0] <= '9' {
			operator = "number off by one"
		}
		byOperator[operator] = append(byOperator[operator], r)
	}
	b.WriteString("| operator | tried | killed | survived | equivalent |\n|---|---|---|---|---|\n")
	for _, operator := range slices.Sorted(maps.Keys(byOperator)) {
		r := byOperator[operator]
		fmt.Fprintf(b, "| %s | %d | %d | %d | %d |\n", operator, len(r), len(r.Only(mutation.Killed)),
			len(r.Only(mutation.Survived))+len(r.Only(mutation.TimedOut)), len(r.Only(mutation.Equivalent)))
	}
}
