package coverage

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
)

// Report is a list of branches in the order of their files and lines.
type Report []Branch

// Report returns every branch with what has been counted so far.
func (p *Profile) Report() Report {
	report := make(Report, len(p.branches))
	for i, branch := range p.branches {
		branch.Hits = p.hits[i].Load()
		report[i] = branch
	}
	sortBranches(report)
	return report
}

// Missed returns the branches that were never taken.
func (r Report) Missed() Report {
	var missed Report
	for _, branch := range r {
		if branch.Hits == 0 {
			missed = append(missed, branch)
		}
	}
	return missed
}

// Percent returns the share of the branches that were taken; of none it is 100.
func (r Report) Percent() float64 {
	if len(r) == 0 {
		return 100
	}
	return 100 * float64(len(r)-len(r.Missed())) / float64(len(r))
}

// ByTemplate returns the branches of each file.
func (r Report) ByTemplate() map[string]Report {
	files := map[string]Report{}
	for _, branch := range r {
		files[branch.Template] = append(files[branch.Template], branch)
	}
	return files
}

// String says how many branches were taken, in which files some were not, and which those are.
func (r Report) String() string {
	var b strings.Builder
	missed := r.Missed()
	fmt.Fprintf(&b, "template branches taken: %d of %d (%.1f %%)\n", len(r)-len(missed), len(r), r.Percent())
	files := r.ByTemplate()
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	last := ""
	for _, branch := range missed {
		if branch.Template != last {
			last = branch.Template
			fmt.Fprintf(table, "%s\t%.0f %% of %d\n", last, files[last].Percent(), len(files[last]))
		}
		fmt.Fprintf(table, "  %s:%d\tnever: %s\n", branch.Template, branch.Line, branch.Way)
	}
	_ = table.Flush() // a strings.Builder does not fail
	return b.String()
}

func sortBranches(r Report) {
	slices.SortStableFunc(r, func(a, b Branch) int {
		return cmp.Or(cmp.Compare(a.Template, b.Template), cmp.Compare(a.Line, b.Line))
	})
}
