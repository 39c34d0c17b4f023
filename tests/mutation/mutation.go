// Package mutation asks whether the tests of a Helm chart would notice a mistake in its templates.
//
// [Mutants] makes small mistakes in templates, one at a time: an arm of an if, with or range or the body of a define is
// dropped, a condition is negated, two arms change places, an include is dropped, a function is swapped for its opposite
// (and/or, eq/ne, ...), a number is off by one, a label is changed or dropped. [Run] tries each one: a mutant whose
// renders are those of the original over all sets of values is equivalent; any other has to make the check fail, and one
// that does not survives. A survivor is either a test that is missing or a line that nothing needs.
package mutation

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/detection-api/detection-api/tests/internal/source"
)

// Mutant is one mistake in one template.
type Mutant struct {
	// Template is the file's name, Line the first line that changes.
	Template string
	Line     int
	// Operator names the kind of mistake.
	Operator string
	// Text is the whole template with the mistake.
	Text string

	original string
}

// Mutants returns every mistake that the operators make in the templates, which are given by the names of their files,
// in the order of files and lines. Mistakes that give the same text are returned once.
func Mutants(templates map[string][]byte) ([]Mutant, error) {
	var mutants []Mutant
	for _, name := range slices.Sorted(maps.Keys(templates)) {
		file, err := source.Parse(name, string(templates[name]))
		if err != nil {
			return nil, fmt.Errorf("mutate %s: %w", name, err)
		}
		mutants = append(mutants, ofFile(file)...)
	}
	return mutants, nil
}

func ofFile(f *source.File) []Mutant {
	var edits []edit
	for _, operator := range []func(*source.File) []edit{
		dropArms, negateConditions, swapArms, dropIncludes, swapFunctions, shiftNumbers, changeLabels,
	} {
		edits = append(edits, operator(f)...)
	}
	slices.SortStableFunc(edits, func(a, b edit) int { return a.start - b.start })
	seen := map[string]bool{f.Text: true}
	var mutants []Mutant
	for _, e := range edits {
		text := f.Text[:e.start] + e.text + f.Text[e.end:]
		if _, err := source.Parse(f.Name, text); err != nil || seen[text] {
			continue
		}
		seen[text] = true
		mutants = append(mutants, Mutant{Template: f.Name, Line: f.Line(e.start), Operator: e.operator, Text: text, original: f.Text})
	}
	return mutants
}

// Sample returns n mutants spread evenly over all of them; always the same ones.
func Sample(mutants []Mutant, n int) []Mutant {
	if n >= len(mutants) {
		return mutants
	}
	sample := make([]Mutant, n)
	for i := range sample {
		sample[i] = mutants[i*len(mutants)/n]
	}
	return sample
}

// String says where the mistake is and of what kind.
func (m Mutant) String() string { return fmt.Sprintf("%s:%d: %s", m.Template, m.Line, m.Operator) }

// Diff returns the lines that change, those of the original with a minus and the new ones with a plus.
func (m Mutant) Diff() string {
	before, after := strings.Split(m.original, "\n"), strings.Split(m.Text, "\n")
	for len(before) > 0 && len(after) > 0 && before[0] == after[0] {
		before, after = before[1:], after[1:]
	}
	for len(before) > 0 && len(after) > 0 && before[len(before)-1] == after[len(after)-1] {
		before, after = before[:len(before)-1], after[:len(after)-1]
	}
	var b strings.Builder
	for _, line := range before {
		b.WriteString("-" + line + "\n")
	}
	for _, line := range after {
		b.WriteString("+" + line + "\n")
	}
	return b.String()
}
