package cot

import (
	"fmt"
	"strings"
)

// The types that the code itself needs.
const (
	// unknownType is "ground, affiliation unknown": what an object is when its class says nothing more.
	unknownType    = "a-u-G"
	spotType       = "b-m-p-s-m"     // spot map marker
	cameraType     = "b-m-p-s-p-loc" // sensor, with its field of view
	retractionType = "t-x-d-d"       // delete what the link names
)

const (
	maxTypeBytes = 48
	affiliations = "puafnshjko" // of MITRE's type list; x (other) is deprecated there
	dimensions   = "PAGSUXF"    // MIL-STD-2525 battle dimensions: space, air, ground, sea, subsurface, other, SOF
)

// checkType holds a type against the pattern of the event schema and against what a detection may be: a thing (a), a
// mapping point or an alarm (b) or a reservation (r). Tasks, requests and chat messages would do something at the receiver.
func checkType(kind string) error {
	tokens := strings.Split(kind, "-")
	for _, token := range tokens {
		if !word(token) {
			return fmt.Errorf("%.60q is no CoT type: words of letters and digits with '-' between them", kind)
		}
	}
	switch {
	case len(kind) > maxTypeBytes:
		return fmt.Errorf("%.60q is longer than %d bytes", kind, maxTypeBytes)
	case len(tokens) < 2 || !oneOf(tokens[0], "abr") || strings.HasPrefix(kind, "b-t"):
		return fmt.Errorf("%q is no type of a thing on the map (a-..., b-... but not b-t, r-...)", kind)
	case tokens[0] != "a":
		return nil
	case !oneOf(tokens[1], affiliations):
		return fmt.Errorf("%q: the affiliation must be one of %s, not %q", kind, spaced(affiliations), tokens[1])
	case len(tokens) < 3 || !oneOf(tokens[2], dimensions):
		return fmt.Errorf("%q: the third part must be one of %s", kind, spaced(dimensions))
	}
	return nil
}

func word(token string) bool {
	for i := range len(token) {
		c := token[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return token != ""
}

func oneOf(token, letters string) bool { return len(token) == 1 && strings.Contains(letters, token) }

func spaced(letters string) string { return strings.Join(strings.Split(letters, ""), " ") }

// hostile tells whether a type or the path of an icon makes something hostile on a map. That is a-h (hostile), but ATAK draws
// a-s, a-j and a-k (suspect, joker, faker) with the same symbol (Icon2525cTypeResolver), and reports and graphics have
// affiliations too (b-r-h, b-g-h).
func hostile(text string) bool {
	for part := range strings.SplitSeq(text, "/") {
		for _, prefix := range []string{"a-", "b-r-", "b-g-"} {
			rest, found := strings.CutPrefix(part, prefix)
			if letter, _, _ := strings.Cut(rest, "-"); found && oneOf(letter, "hsjk") {
				return true
			}
		}
	}
	return false
}

// checkHow holds a how against the pattern of the event schema. m-g is refused: it says that the object reported its own
// GPS position, and ATAK does not let anybody move such a marker.
func checkHow(how string) error {
	tokens := strings.Split(how, "-")
	for i, token := range tokens {
		if !word(token) || i == 0 && len(token) != 1 || len(token) != 1 {
			return fmt.Errorf("%.40q is no how: single letters with '-' between them, such as m-i", how)
		}
	}
	if len(tokens) < 2 || len(how) > 16 {
		return fmt.Errorf("%.40q is no how: two to eight letters with '-' between them, such as m-i", how)
	}
	if how == "m-g" {
		return fmt.Errorf("m-g is what an object with a GPS of its own says; a detection is none")
	}
	return nil
}
