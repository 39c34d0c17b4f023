package fuzz

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

var (
	// refused matches what Helm 3 and Helm 4 make of `fail` and `required`. Every other failure of a template is reported in
	// another form.
	refused = regexp.MustCompile(`execution error at \([^)]*\): ((?s:.*))$`)
	// word matches what may be the path of a value in a message.
	word = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*(\.([A-Za-z0-9_/-]+|\*|<[a-z]+>))*`)
)

// Refusal returns the line by which a chart refused a document, or an error if err is something else: a template that
// crashed, a message of several lines, or one that names no value of the schema.
func (s *Schema) Refusal(err error) (string, error) {
	if err == nil {
		return "", errors.New("the document was not refused")
	}
	found := refused.FindStringSubmatch(err.Error())
	if found == nil {
		return "", fmt.Errorf("the chart broke instead of refusing: %w", err)
	}
	line := strings.TrimSpace(found[1])
	if strings.Contains(line, "\n") {
		return "", fmt.Errorf("the refusal has several lines: %s", line)
	}
	for _, path := range word.FindAllString(line, -1) {
		if s.names(strings.Split(path, ".")) {
			return line, nil
		}
	}
	return "", fmt.Errorf("the refusal names no value: %s", line)
}

// names reports whether path leads to a value of the schema. A first part alone is taken for a value only if it is a leaf:
// names of groups (image, service) are ordinary words too.
func (s *Schema) names(path []string) bool {
	var part any = s.root
	for i, key := range path {
		n, err := s.node(part)
		if err != nil {
			return false
		}
		properties, _ := n.keywords["properties"].(map[string]any)
		if len(properties) == 0 {
			return i > 0 && n.keywords["additionalProperties"] != false
		}
		next, ok := properties[key]
		if strings.ContainsAny(key, "*<") {
			return true
		}
		if !ok {
			return false
		}
		part = next
	}
	n, err := s.node(part)
	return err == nil && (len(path) > 1 || n.keywords["properties"] == nil)
}
