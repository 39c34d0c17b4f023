// Package source finds the actions and the blocks of a Go template in its text, where [text/template/parse] keeps only
// what they mean. What is put into the text at these places leaves every other byte, and every line number, as it was.
package source

import (
	"fmt"
	"strings"
	"text/template/parse"
)

// Action is one pair of delimiters and what is between them.
type Action struct {
	// Start and End are the offsets of the first byte of the left delimiter and of the one behind the right delimiter.
	Start, End int
	// Body and BodyEnd are the offsets of what is between the delimiters and their trim markers.
	Body, BodyEnd int
	// TrimLeft and TrimRight say whether the action removes the white space before and behind it.
	TrimLeft, TrimRight bool
	// Keyword is the first word of a control action such as "if", "else if" or "end", else empty.
	Keyword string
	// Comment says that there is nothing to execute.
	Comment bool
}

// Arm is one way through a block: the action that opens it and the text up to the action that closes it.
type Arm struct {
	Header Action
	// Start and End are the offsets of what the arm holds.
	Start, End int
}

// Block is an if, with, range, define or block action with all its arms.
type Block struct {
	Keyword string
	Arms    []Arm
	// Close is its end action.
	Close Action
}

// HasElse says whether the last arm is taken when no other is.
func (b Block) HasElse() bool { return b.Arms[len(b.Arms)-1].Header.Keyword == "else" }

// File is the text of one template.
type File struct {
	Name, Text string
	// Actions are in the order of the text, Blocks in the order of their ends.
	Actions []Action
	Blocks  []Block
	// Trees are the parsed main template, under Name, and the templates that the file defines.
	Trees map[string]*parse.Tree
}

// Parse reads a template. Functions need not be known.
func Parse(name, text string) (*File, error) {
	tree := parse.New(name)
	tree.Mode = parse.SkipFuncCheck
	trees := map[string]*parse.Tree{}
	if _, err := tree.Parse(text, "", "", trees); err != nil {
		return nil, fmt.Errorf("parse template: %w", err)
	}
	f := &File{Name: name, Text: text, Trees: trees}
	f.Actions = actions(text)
	if err := f.findBlocks(); err != nil {
		return nil, fmt.Errorf("parse template: %w", err)
	}
	return f, nil
}

// Line returns the number of the line that holds the byte at an offset; the first line is 1.
func (f *File) Line(offset int) int { return 1 + strings.Count(f.Text[:offset], "\n") }

// Body returns the text of an action without delimiters.
func (f *File) Body(a Action) string { return f.Text[a.Body:a.BodyEnd] }

func (f *File) findBlocks() error {
	var open []Block
	for _, a := range f.Actions {
		switch first, _, _ := strings.Cut(a.Keyword, " "); first {
		case "if", "with", "range", "define", "block":
			open = append(open, Block{Keyword: a.Keyword, Arms: []Arm{{Header: a, Start: a.End}}})
		case "else", "end":
			if len(open) == 0 {
				return fmt.Errorf("%s:%d: %s without a block", f.Name, f.Line(a.Start), a.Keyword)
			}
			top := &open[len(open)-1]
			top.Arms[len(top.Arms)-1].End = a.Start
			if first == "else" {
				top.Arms = append(top.Arms, Arm{Header: a, Start: a.End})
				continue
			}
			top.Close = a
			f.Blocks = append(f.Blocks, *top)
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		return fmt.Errorf("%s: %d blocks are not closed", f.Name, len(open))
	}
	return nil
}
