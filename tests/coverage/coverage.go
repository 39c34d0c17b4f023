// Package coverage tells which branches of a Helm chart's templates a set of renders has taken.
//
// [Instrument] puts a call of a template function into every arm of every if, with and range, into the else that is not
// written, and into every define. Rendered with [Profile.Funcs], by the engine of Helm 4 or by text/template itself, the
// templates give the same bytes as before, on the same lines, and each call is counted. A Profile may be used by many
// renders at once; [Profile.Report] tells what none of them took.
//
// A range over a list or dict that the template writes out is never empty, so that way is none.
// What an action decides by itself (default, ternary, and, or) is no branch here; package mutation asks about those.
package coverage

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"text/template"

	"github.com/detection-api/detection-api/tests/internal/source"
)

// probe is the template function that counts.
const probe = "coverageProbe"

// Branch is one way through an action of a template.
type Branch struct {
	// Template is the file's name, Line the line of the action.
	Template string
	Line     int
	// Way names the action and which way it is, for instance "if .Values.enabled: no".
	Way string
	// Hits counts how often it was taken.
	Hits uint64
}

// Profile counts the branches that renders of its instrumented templates take.
type Profile struct {
	templates map[string][]byte
	branches  []Branch
	hits      []atomic.Uint64
}

// Instrument puts a probe into every branch of the templates, which are given by the names of their files.
func Instrument(templates map[string][]byte) (*Profile, error) {
	p := &Profile{templates: make(map[string][]byte, len(templates))}
	for _, name := range slices.Sorted(maps.Keys(templates)) {
		file, err := source.Parse(name, string(templates[name]))
		if err != nil {
			return nil, fmt.Errorf("instrument %s: %w", name, err)
		}
		p.templates[name] = []byte(p.instrument(file))
	}
	p.hits = make([]atomic.Uint64, len(p.branches))
	return p, nil
}

// Templates returns the instrumented templates.
func (p *Profile) Templates() map[string][]byte { return maps.Clone(p.templates) }

// Funcs returns the template function that the instrumented templates call.
func (p *Profile) Funcs() template.FuncMap {
	return template.FuncMap{probe: func(branch int) string {
		p.hits[branch].Add(1)
		return ""
	}}
}

// insertion is text that goes before the byte at an offset.
type insertion struct {
	at   int
	text string
}

func (p *Profile) instrument(f *source.File) string {
	var insertions []insertion
	for _, block := range f.Blocks {
		for _, arm := range block.Arms {
			if block.Keyword == "define" && strings.TrimSpace(f.Text[arm.Start:arm.End]) == "" {
				continue // an empty definition does not replace another one; one with a probe would
			}
			call := p.call(f, arm.Header, way(f, block, arm))
			insertions = append(insertions, insertion{arm.Start, call.between(arm.Header.TrimRight)})
		}
		if !block.HasElse() && mayFallThrough(f, block) {
			call := p.call(f, block.Arms[0].Header, otherwise(f, block))
			insertions = append(insertions, insertion{block.Close.Start, call.inElse(block.Close.TrimLeft)})
		}
	}
	slices.SortStableFunc(insertions, func(a, b insertion) int { return a.at - b.at })
	return insert(f.Text, insertions)
}

// mayFallThrough says whether execution can take no arm of a block.
func mayFallThrough(f *source.File, b source.Block) bool {
	return b.Keyword != "define" && b.Keyword != "block" && !fixedRange(f.Body(b.Arms[0].Header))
}

// fixedRange says whether the header of a block is that of a range over a list or dict that is written out.
func fixedRange(header string) bool {
	parentheses := regexp.MustCompile(`\([^()]*\)`)
	for parentheses.MatchString(header) {
		header = parentheses.ReplaceAllString(header, "_")
	}
	fixed := regexp.MustCompile(`^\s*range\s+(\$\w+\s*(,\s*\$\w+\s*)?:=\s*)?(list|dict|tuple)\s+[^|\s][^|]*$`)
	return fixed.MatchString(header)
}

func insert(text string, insertions []insertion) string {
	var b strings.Builder
	done := 0
	for _, i := range insertions {
		b.WriteString(text[done:i.at])
		b.WriteString(i.text)
		done = i.at
	}
	b.WriteString(text[done:])
	return b.String()
}

// call is the action that counts a branch, without delimiters.
type call string

func (p *Profile) call(f *source.File, at source.Action, way string) call {
	p.branches = append(p.branches, Branch{Template: f.Name, Line: f.Line(at.Start), Way: way})
	return call(probe + " " + strconv.Itoa(len(p.branches)-1))
}

// between returns the action for a place behind another action. That one no longer touches the text that follows, so
// this one trims it in its stead.
func (c call) between(trim bool) string {
	if trim {
		return "{{- " + string(c) + " -}}"
	}
	return "{{" + string(c) + "}}"
}

// inElse returns an else with the action for a place before the end of a block.
func (c call) inElse(trim bool) string {
	if trim {
		return "{{- else}}{{" + string(c) + "}}"
	}
	return "{{else}}{{" + string(c) + "}}"
}

// way names an arm that is written in the text.
func way(f *source.File, b source.Block, arm source.Arm) string {
	header := strings.Join(strings.Fields(f.Body(arm.Header)), " ")
	switch {
	case arm.Header.Keyword == "else":
		return otherwise(f, b)
	case b.Keyword == "define" || b.Keyword == "block":
		return header
	case b.Keyword == "range":
		return header + ": an element"
	}
	return header + ": yes"
}

// otherwise names the way that is taken when no arm with a condition is.
func otherwise(f *source.File, b source.Block) string {
	header := strings.Join(strings.Fields(f.Body(b.Arms[0].Header)), " ")
	if b.Keyword == "range" {
		return header + ": empty"
	}
	if conditions := len(b.Arms); conditions > 2 || conditions == 2 && !b.HasElse() {
		return header + " and every else if: no"
	}
	return header + ": no"
}
