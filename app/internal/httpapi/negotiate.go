package httpapi

import (
	"strconv"
	"strings"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// match is how well a client's Accept header takes a media type.
type match struct {
	quality     float64 // 0: not at all
	specificity int     // 0: unmatched, 1: */*, 2: application/*, 3: by its name
	position    int     // of the media range in the header
}

// better says whether an offer beats another one: by quality, then by being named, then by being named first.
func (m match) better(than match) bool {
	if m.quality != than.quality {
		return m.quality > than.quality
	}
	if m.quality == 0 {
		return false
	}
	if m.specificity != than.specificity {
		return m.specificity > than.specificity
	}
	return m.specificity == 3 && m.position < than.position
}

// prefersJSON says whether a client with these Accept headers (RFC 9110 section 12.5.1) gets JSON rather than XML.
// When it likes both or neither equally, byDefault decides: an answer in another form is of more use than 406.
func prefersJSON(accept []string, byDefault bool) bool {
	var asJSON, asXML match
	for position, mediaRange := range strings.Split(strings.Join(accept, ","), ",") {
		name, quality, ok := parseRange(mediaRange)
		if !ok {
			continue
		}
		switch name {
		case "application/json":
			asJSON.meet(match{quality, 3, position})
		case "application/xml", "text/xml":
			asXML.meet(match{quality, 3, position})
		case "application/*":
			asJSON.meet(match{quality, 2, position})
			asXML.meet(match{quality, 2, position})
		case "*/*":
			asJSON.meet(match{quality, 1, position})
			asXML.meet(match{quality, 1, position})
		}
	}
	if byDefault {
		return !asXML.better(asJSON)
	}
	return asJSON.better(asXML)
}

// meet keeps the more specific of two matches, which is the one that counts.
func (m *match) meet(other match) {
	if other.specificity > m.specificity {
		*m = other
	}
}

func parseRange(text string) (name string, quality float64, ok bool) {
	name, params, _ := strings.Cut(text, ";")
	quality = 1
	for param := range strings.SplitSeq(params, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if !strings.EqualFold(key, "q") {
			continue
		}
		q, err := strconv.ParseFloat(value, 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return "", 0, false
		}
		quality = q
	}
	name = strings.ToLower(strings.TrimSpace(name))
	return name, quality, name != ""
}

// choose returns which of the offers a client with these Accept headers prefers: the first of those that it likes equally,
// as it is when it says nothing, and "" when it takes none.
func choose(accept []string, offers ...string) string {
	best, chosen, said := match{}, "", false
	matches := make([]match, len(offers))
	for position, mediaRange := range strings.Split(strings.Join(accept, ","), ",") {
		name, quality, ok := parseRange(mediaRange)
		if !ok {
			continue
		}
		said = true
		for i, offer := range offers {
			matches[i].meet(match{quality, specificity(name, offer), position})
		}
	}
	if !said {
		return offers[0]
	}
	for i, m := range matches {
		if m.better(best) {
			best, chosen = m, offers[i]
		}
	}
	return chosen
}

// specificity is how closely a media range names a media type, 0 when it does not cover it.
func specificity(mediaRange, offer string) int {
	kind, _, _ := strings.Cut(offer, "/")
	switch mediaRange {
	case offer:
		return 3
	case kind + "/*":
		return 2
	case "*/*":
		return 1
	}
	return 0
}

func notAcceptable(offers ...string) error {
	return &detection.Error{Code: detection.CodeNotAcceptable, Message: "Accept takes none of " + strings.Join(offers, ", ")}
}
