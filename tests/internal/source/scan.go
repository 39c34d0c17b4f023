package source

import "strings"

// keywords are the first words of actions that are not pipelines.
const keywords = " if else end with range define block template break continue "

// actions finds every action of a template that is known to parse.
func actions(text string) []Action {
	var found []Action
	for at := 0; ; {
		left := strings.Index(text[at:], "{{")
		if left < 0 {
			return found
		}
		a := action(text, at+left)
		found = append(found, a)
		at = a.End
	}
}

// action reads the action whose left delimiter is at start.
func action(text string, start int) Action {
	a := Action{Start: start, Body: start + 2}
	if strings.HasPrefix(text[a.Body:], "-") && isSpace(text, a.Body+1) {
		a.TrimLeft = true
		a.Body++
	}
	if rest := strings.TrimLeft(text[a.Body:], " \t\r\n"); strings.HasPrefix(rest, "/*") {
		a.Comment = true
		a.BodyEnd = len(text) - len(rest) + strings.Index(rest, "*/") + 2
	} else {
		a.BodyEnd = bodyEnd(text, a.Body)
	}
	a.End = a.BodyEnd + strings.Index(text[a.BodyEnd:], "}}") + 2
	a.TrimRight = text[a.End-3] == '-' && a.End-3 >= a.BodyEnd
	if !a.Comment {
		a.Keyword = keyword(text[a.Body:a.BodyEnd])
	}
	return a
}

// bodyEnd returns where the right delimiter, or the white space and trim marker before it, begins. What is quoted does
// not count.
func bodyEnd(text string, at int) int {
	for at < len(text) {
		switch c := text[at]; {
		case strings.HasPrefix(text[at:], "}}"), isSpace(text, at) && strings.HasPrefix(text[at+1:], "-}}"):
			return at
		case c == '`':
			at += 2 + strings.IndexByte(text[at+1:], '`')
		case c == '"', c == '\'':
			at = quoteEnd(text, at)
		default:
			at++
		}
	}
	return at
}

// quoteEnd returns the offset behind the quoted text that starts at an offset.
func quoteEnd(text string, at int) int {
	quote := text[at]
	for at++; at < len(text) && text[at] != quote; at++ {
		if text[at] == '\\' {
			at++
		}
	}
	return at + 1
}

// keyword returns the word that makes an action a control action; an else is returned with the if or with behind it.
func keyword(body string) string {
	letter := func(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '_' }
	words := strings.FieldsFunc(body, func(r rune) bool { return !letter(r) })
	trimmed := strings.TrimLeft(body, " \t\r\n")
	if len(words) == 0 || !strings.HasPrefix(trimmed, words[0]) || !strings.Contains(keywords, " "+words[0]+" ") {
		return ""
	}
	if words[0] == "else" && len(words) > 1 {
		return "else " + words[1]
	}
	return words[0]
}

func isSpace(text string, at int) bool {
	return at < len(text) && strings.IndexByte(" \t\r\n", text[at]) >= 0
}
