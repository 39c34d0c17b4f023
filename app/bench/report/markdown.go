package report

import (
	"fmt"
	"os"
	"strings"
)

const (
	beginMarker = "<!-- make bench: begin -->"
	endMarker   = "<!-- make bench: end -->"
)

// insert replaces what stands between the markers of the document.
func (r Report) insert(document, dir string) error {
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), beginMarker)
	_, after, closed := strings.Cut(rest, endMarker)
	if !found || !closed {
		return fmt.Errorf("%s has no lines %q and %q", document, beginMarker, endMarker)
	}
	return os.WriteFile(document, []byte(before+beginMarker+"\n"+r.Markdown(dir)+endMarker+after), 0o644)
}

// Markdown is the table with what it needs to be read. Links to the plots go to dir.
func (r Report) Markdown(dir string) string {
	var b strings.Builder
	if r.Quick {
		b.WriteString("**A quick run with short windows: not to be quoted.**\n\n")
	}
	fmt.Fprintf(&b, "%s. Commit %s, %s, %s. Load average %s before and %s after.\n\n",
		r.Machine, r.Commit, r.Started, r.Took, r.LoadBefore, r.LoadAfter)
	b.WriteString("| row | what, against what | target | ratio (95 %) | met | figures (medians) | control |\n|---|---|---|---|---|---|---|\n")
	for _, result := range r.Results {
		b.WriteString(result.markdown())
	}
	b.WriteString("\n")
	for _, c := range r.Charts {
		fmt.Fprintf(&b, "![%s](%s/%s.svg)\n\n", c.Title, dir, c.Name)
	}
	if len(r.NotMeasured) > 0 {
		b.WriteString("Not measured:\n\n")
		for _, line := range r.NotMeasured {
			fmt.Fprintf(&b, "- %s\n", line)
		}
	}
	return b.String()
}

func (r Result) markdown() string {
	if r.Error != "" {
		return fmt.Sprintf("| %s | %s | %s | failed | no | %s | |\n", r.ID, r.What, r.Target, strings.ReplaceAll(r.Error, "\n", " "))
	}
	ratio := fmt.Sprintf("%s (%s to %s)", number(r.Ratio.Median), number(r.Ratio.Low), number(r.Ratio.High))
	if r.Ratio.Pairs < 2 {
		ratio = number(r.Ratio.Median) + " (one run)"
	}
	target, figures := r.Target.String(), r.Figures
	if r.Also != nil {
		figures += "; " + r.Also.Says
		if !r.Also.Holds {
			figures += " **not met**"
		}
	}
	met := "yes"
	switch {
	case !r.Met():
		met = "**no**"
	case target == "" && r.Also == nil:
		met = ""
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %s |\n", r.ID, r.What, target, ratio, met, figures, r.Control.markdown())
}

func (c *Condition) markdown() string {
	switch {
	case c == nil:
		return ""
	case c.Holds:
		return c.Says
	}
	return c.Says + " **the control did not show it**"
}

// number has three digits that mean something.
func number(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}
