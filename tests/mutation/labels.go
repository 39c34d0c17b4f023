package mutation

import (
	"regexp"
	"strings"

	"github.com/detection-api/detection-api/tests/internal/source"
)

// word is an identifier or a number in an action.
type word struct {
	start int
	text  string
}

// words returns the identifiers and numbers of all actions, but no fields, variables or quoted text.
func words(f *source.File) []word {
	var found []word
	pattern := regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"|`[^`]*`|[.$]?[\\w.]+")
	for _, a := range f.Actions {
		if a.Comment {
			continue
		}
		for _, at := range pattern.FindAllStringIndex(f.Body(a), -1) {
			if text := f.Body(a)[at[0]:at[1]]; !strings.ContainsAny(text[:1], "\"`.$") {
				found = append(found, word{a.Body + at[0], text})
			}
		}
	}
	return found
}

// blankActions returns the text with every byte of an action but its line ends made a question mark, so that offsets stay.
func blankActions(f *source.File) string {
	blanked := []byte(f.Text)
	for _, a := range f.Actions {
		for i := a.Start; i < a.End; i++ {
			if blanked[i] != '\n' {
				blanked[i] = '?'
			}
		}
	}
	return string(blanked)
}

// changeLabels changes the key and the value of every line below labels, matchLabels or selector, and drops the line.
func changeLabels(f *source.File) []edit {
	var edits []edit
	text := blankActions(f)
	pair := regexp.MustCompile(`^( +)([\w./-]+):( +)(\S.*)$`)
	parent, start := -1, 0
	for _, line := range strings.SplitAfter(text, "\n") {
		content := strings.TrimRight(line, "\n")
		indent := len(content) - len(strings.TrimLeft(content, " "))
		switch match := pair.FindStringSubmatchIndex(content); {
		case strings.TrimSpace(content) == "" || strings.HasPrefix(strings.TrimSpace(content), "?"):
		case isLabels(strings.TrimSpace(content)) || parent < 0 && inLabelDefine(f, start):
			if isLabels(strings.TrimSpace(content)) {
				parent = indent
			} else if match != nil || topPair(content) {
				edits = append(edits, labelEdits(start, content)...)
			}
		case parent >= 0 && indent > parent && match != nil:
			edits = append(edits, labelEdits(start, content)...)
		case indent <= parent:
			parent = -1
		}
		start += len(line)
	}
	return edits
}

func isLabels(line string) bool {
	switch strings.TrimPrefix(line, "- ") {
	case "labels:", "matchLabels:", "selector:", "nodeSelector:", "podSelector:":
		return true
	}
	return false
}

func topPair(line string) bool { return regexp.MustCompile(`^[\w./-]+: +\S`).MatchString(line) }

// inLabelDefine says whether an offset is in a define whose name speaks of labels.
func inLabelDefine(f *source.File, offset int) bool {
	for _, block := range f.Blocks {
		arm := block.Arms[0]
		if block.Keyword == "define" && arm.Start <= offset && offset < arm.End {
			return strings.Contains(strings.ToLower(f.Body(arm.Header)), "labels")
		}
	}
	return false
}

func labelEdits(start int, line string) []edit {
	key := start + len(line) - len(strings.TrimLeft(line, " "))
	colon := start + strings.Index(line, ":")
	value := colon + 1 + len(line[colon-start+1:]) - len(strings.TrimLeft(line[colon-start+1:], " "))
	if line[value-start] == '"' {
		value++
	}
	return []edit{
		{key, key, "mutant-", "change label key"},
		{value, value, "mutant-", "change label value"},
		{start, start + len(line) + 1, "", "drop label"},
	}
}
