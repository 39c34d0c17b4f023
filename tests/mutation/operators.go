package mutation

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/detection-api/detection-api/tests/internal/source"
)

// edit puts a text in place of the bytes from start to end.
type edit struct {
	start, end int
	text       string
	operator   string
}

func dropArms(f *source.File) []edit {
	var edits []edit
	for _, block := range f.Blocks {
		for _, arm := range block.Arms {
			if strings.TrimSpace(f.Text[arm.Start:arm.End]) != "" {
				operator := "drop what is in " + block.Keyword
				if arm.Header.Keyword == "else" {
					operator = "drop what is in else"
				}
				edits = append(edits, edit{arm.Start, arm.End, "", operator})
			}
		}
	}
	return edits
}

func negateConditions(f *source.File) []edit {
	var edits []edit
	for _, a := range f.Actions {
		body := f.Body(a)
		if a.Keyword != "if" && a.Keyword != "else if" || strings.Contains(body, ":=") {
			continue
		}
		start := a.Body + strings.Index(body, "if") + len("if")
		end := a.Body + len(strings.TrimRight(body, " \t\n"))
		condition := strings.TrimLeft(f.Text[start:end], " \t\n")
		edits = append(edits, edit{start, end, " not (" + condition + ")", "negate condition"})
	}
	return edits
}

// swapArms exchanges an arm with the next one. With two arms that is a negation, which is made anyway.
func swapArms(f *source.File) []edit {
	var edits []edit
	for _, block := range f.Blocks {
		for i := 0; i+1 < len(block.Arms) && len(block.Arms) > 2 && block.Keyword == "if"; i++ {
			one, two := block.Arms[i], block.Arms[i+1]
			swapped := f.Text[two.Start:two.End] + f.Text[one.End:two.Start] + f.Text[one.Start:one.End]
			edits = append(edits, edit{one.Start, two.End, swapped, "swap arms"})
		}
	}
	return edits
}

// dropIncludes drops actions that print what a define gives.
func dropIncludes(f *source.File) []edit {
	var edits []edit
	assignment := regexp.MustCompile(`^\s*\$\w+\s*:?=`)
	for _, a := range f.Actions {
		body := f.Body(a)
		if a.Comment || a.Keyword != "" && a.Keyword != "template" || assignment.MatchString(body) {
			continue
		}
		if a.Keyword == "template" || regexp.MustCompile(`\binclude\b`).MatchString(body) {
			edits = append(edits, edit{a.Start, a.End, "", "drop include"})
		}
	}
	return edits
}

// opposites are the functions that swapFunctions exchanges.
func opposites() map[string]string {
	return map[string]string{
		"and": "or", "or": "and", "eq": "ne", "ne": "eq", "gt": "ge", "ge": "gt", "lt": "le", "le": "lt",
		"max": "min", "min": "max", "add": "sub", "sub": "add", "mul": "add", "floor": "ceil", "ceil": "floor",
	}
}

func swapFunctions(f *source.File) []edit {
	var edits []edit
	for _, w := range words(f) {
		if other, ok := opposites()[w.text]; ok {
			edits = append(edits, edit{w.start, w.start + len(w.text), other, w.text + " becomes " + other})
		}
	}
	return edits
}

// shiftNumbers adds one to the numbers of actions, but not to indentations, and to those that are YAML values.
func shiftNumbers(f *source.File) []edit {
	var edits []edit
	shift := func(start int, digits string) {
		if n, err := strconv.Atoi(digits); err == nil {
			edits = append(edits, edit{start, start + len(digits), strconv.Itoa(n + 1), digits + " becomes " + strconv.Itoa(n+1)})
		}
	}
	last := ""
	for _, w := range words(f) {
		if last != "indent" && last != "nindent" {
			shift(w.start, w.text)
		}
		last = w.text
	}
	value := regexp.MustCompile(`(?m):[ \t]+"?([0-9]+)"?[ \t]*(?:[,}#].*)?$|: ([0-9]+)[,}]`)
	for _, match := range value.FindAllStringSubmatchIndex(blankActions(f), -1) {
		for group := 2; group < len(match); group += 2 {
			if match[group] >= 0 {
				shift(match[group], f.Text[match[group]:match[group+1]])
			}
		}
	}
	return edits
}
