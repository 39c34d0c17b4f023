package detection

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Bounds of a path that is told to a client: our own fields lie two deep and have short names.
const (
	maxPathDepth    = 8
	maxPathKeyBytes = 64
)

// level is an object or array that is open where a walk through a text of JSON has got to.
type level struct {
	object  bool
	inValue bool   // the key has been read, its value has not
	key     string // of the value, cut to maxPathKeyBytes
}

// brokenField returns the path of the field whose value ends the JSON, or "" when it ends elsewhere. NaN and Infinity,
// which some languages write, end here: they are no JSON, and their writer wants to know which field it was.
func brokenField(body []byte) string {
	dec := json.NewDecoder(bytes.NewReader(body))
	var open []level
	for len(open) <= maxPathDepth {
		token, err := dec.Token()
		if err != nil {
			return path(open)
		}
		open = step(open, token)
	}
	return path(open)
}

func step(open []level, token json.Token) []level {
	switch token {
	case json.Delim('{'):
		return append(open, level{object: true})
	case json.Delim('['):
		return append(open, level{})
	case json.Delim('}'), json.Delim(']'):
		open = open[:len(open)-1]
	}
	if len(open) == 0 {
		return open
	}
	top := &open[len(open)-1]
	if key, ok := token.(string); ok && top.object && !top.inValue {
		top.inValue, top.key = true, key[:min(len(key), maxPathKeyBytes)]
		return open
	}
	top.inValue = false
	return open
}

func path(open []level) string {
	var keys []string
	for _, l := range open {
		if l.inValue {
			keys = append(keys, l.key)
		}
	}
	return strings.ToValidUTF8(strings.Join(keys, "."), "")
}
