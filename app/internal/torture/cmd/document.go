package main

import (
	"fmt"
	"strings"
	"time"
)

// summary is what a document says.
type summary struct {
	machine  machine
	began    time.Time
	took     time.Duration
	each     time.Duration
	seed     uint64
	outcomes []outcome
}

// document renders the summary as Markdown.
func document(s summary) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Endurance tests\n\n`make torture` writes this file. Each test calls `torture.Budget`, ran by itself for %v "+
		"and has a positive\ncontrol: the same with something broken on purpose, which must be noticed. Lost must be 0.\n\n", s.each)
	passed := 0
	for _, o := range s.outcomes {
		if o.err == nil {
			passed++
		}
	}
	m := s.machine
	for _, line := range []string{
		fmt.Sprintf("Result: %d of %d tests passed, in %v", passed, len(s.outcomes), s.took.Round(time.Second)),
		fmt.Sprintf("Date: %s, commit %s, seed %d", s.began.UTC().Format("2006-01-02 15:04 UTC"), m.commit, s.seed),
		fmt.Sprintf("Machine: %d cores, %s, %s, Linux %s; temporary files on %s", m.cores, m.cpu, m.goVersion, m.kernel, m.fileSystem),
	} {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	b.WriteString("\n| Test | What | Rounds | Acknowledged | Lost | What the positive control found | Notes |\n" +
		"|---|---|--:|--:|--:|---|---|\n")
	for _, o := range s.outcomes {
		for _, r := range o.results {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s | %s |\n", o.test, cell(r.What), thousands(r.Rounds),
				thousands(r.Acknowledged), thousands(r.Lost), cell(r.Control), cell(r.Notes))
		}
		if o.err != nil {
			fmt.Fprintf(&b, "| `%s` | FAILED: %s | | | | | |\n", o.test, cell(o.err.Error()))
		}
	}
	return b.String()
}

// cell keeps text in its cell.
func cell(text string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(text, "|", `\|`)), " ")
}

// thousands writes 1234567 as 1,234,567.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
