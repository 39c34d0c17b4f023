package cot

import (
	"strconv"
	"unicode/utf8"
)

const ellipsis = "..."

// appendText appends s as ASCII character data that is also safe in a quoted attribute, in at most limit bytes, which
// must be 3 or more. What does not fit is cut between characters and replaced by "...".
func appendText(b []byte, s string, limit int) []byte {
	if len(s) <= limit && plain(s) {
		return append(b, s...)
	}
	from, fits := len(b), len(b)
	for _, r := range s { // invalid UTF-8 comes out as U+FFFD
		r = printable(r)
		if r < 0 {
			continue
		}
		b = appendRune(b, r)
		switch size := len(b) - from; {
		case size > limit:
			return append(b[:fits], ellipsis...)
		case size <= limit-len(ellipsis):
			fits = len(b)
		}
	}
	return b
}

// plain tells whether s can be written as it is, which most text can.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || markup(c) {
			return false
		}
	}
	return true
}

func markup(c byte) bool { return c == '<' || c == '>' || c == '&' || c == '"' || c == '\'' }

// appendName is appendText for what must not be empty.
func appendName(b []byte, s string, limit int) []byte {
	from := len(b)
	if b = appendText(b, s, limit); len(b) == from {
		return append(b, "unknown"...)
	}
	return b
}

// appendRune writes markup characters and everything beyond ASCII as numeric character references.
func appendRune(b []byte, r rune) []byte {
	switch {
	case r >= utf8.RuneSelf || markup(byte(r)):
		b = append(b, "&#"...)
		b = strconv.AppendInt(b, int64(r), 10)
		return append(b, ';')
	default:
		return append(b, byte(r))
	}
}

// printable returns what to write for r: a space for controls and line ends (XML 1.0 forbids most of them, and a newline
// makes OpenTAKServer lose the rest of its buffer), nothing (-1) for noncharacters and for the bidirectional controls, with
// which a name could be made to read as another one, and r itself for the rest.
func printable(r rune) rune {
	switch {
	case r < 0x20 || r >= 0x7f && r <= 0x9f || r == 0x2028 || r == 0x2029:
		return ' '
	case r == 0x061c || r == 0x200e || r == 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
		return -1
	case r&0xfffe == 0xfffe || r >= 0xfdd0 && r <= 0xfdef:
		return -1
	}
	return r
}

// appendClipped bounds one user-given field of the remarks, so that one long field does not displace all that follow.
func appendClipped(b []byte, s string) []byte {
	if len(s) <= maxRemarkField {
		return append(b, s...)
	}
	cut := maxRemarkField
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return append(append(b, s[:cut]...), ellipsis...)
}
