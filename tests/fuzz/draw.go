package fuzz

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode"

	"pgregory.net/rapid"
)

const (
	// depthLimit ends schemas that contain themselves: below it only what is required is drawn.
	depthLimit = 8
	// listLimit is the most entries of a list or a free mapping, where the schema allows as many.
	listLimit = 3
	// wordLimit is the most characters of a free string, where the schema allows as many.
	wordLimit = 12
)

// awkward are strings that templates and YAML get wrong where a value is not quoted.
var awkward = []string{
	"a", "", "true", "null", "1", "1e3", "0x1f", "012", "~", "a: b", "a #b", "- a", "*a", "&a", "{a}", "[a", "'a", `"a`, `\a`, "%a",
	"@a", "{{ a }}", " a ", "a\nb", "a\n", "\ta", "ä", "\u2028", "2026-11-22",
}

// value returns a generator of the values that satisfy part.
func (s *Schema) value(part any, depth int) *rapid.Generator[any] {
	n, err := s.node(part)
	if err != nil {
		panic(err)
	}
	return s.of(n, depth)
}

func (s *Schema) of(n *node, depth int) *rapid.Generator[any] {
	for _, name := range n.names {
		if domain, ok := s.domains[name]; ok {
			return domain.Filter(func(value any) bool { return s.valid(n, value) })
		}
	}
	choices, err := s.choices(n)
	if err != nil {
		panic(err)
	}
	if n.never || len(choices) == 0 {
		panic(fmt.Errorf("a part of the schema allows no value: %v", n.parts))
	}
	generator := rapid.Custom(func(t *rapid.T) any {
		return s.draw(t, choices[uniform(t, len(choices))], depth)
	})
	if slices.ContainsFunc(choices, func(choice *node) bool { return choice.loose }) {
		generator = generator.Filter(func(value any) bool { return s.valid(n, value) })
	}
	return generator
}

func (s *Schema) draw(t *rapid.T, n *node, depth int) any {
	if constant, ok := n.keywords["const"]; ok {
		return plain(constant)
	}
	if values := list(n.keywords["enum"]); values != nil {
		return plain(values[uniform(t, len(values))])
	}
	kinds := n.kinds()
	switch kinds[uniform(t, len(kinds))] {
	case "object":
		return s.drawObject(t, n, depth)
	case "array":
		return s.drawArray(t, n, depth)
	case "string":
		return drawString(t, n)
	case "integer":
		return drawInteger(t, n)
	case "number":
		return drawNumber(t, n)
	case "boolean":
		return rapid.Bool().Draw(t, "boolean")
	}
	return nil
}

// kinds returns the types that values may have. Without a `type` the other keywords tell.
func (n *node) kinds() []string {
	var kinds []string
	for _, name := range types(n.keywords["type"]) {
		kinds = append(kinds, name.(string))
	}
	if kinds != nil {
		return kinds
	}
	for _, hint := range []struct{ keyword, kind string }{
		{"properties", "object"},
		{"additionalProperties", "object"},
		{"required", "object"},
		{"items", "array"},
		{"pattern", "string"},
		{"minLength", "string"},
		{"maxLength", "string"},
		{"minimum", "integer"},
		{"maximum", "integer"},
	} {
		if _, ok := n.keywords[hint.keyword]; ok {
			return []string{hint.kind}
		}
	}
	return []string{"string", "boolean", "integer", "array", "object"}
}

func (s *Schema) drawObject(t *rapid.T, n *node, depth int) any {
	object := map[string]any{}
	properties, _ := n.keywords["properties"].(map[string]any)
	required := list(n.keywords["required"])
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		if !slices.Contains(required, any(key)) && (depth > depthLimit || !rapid.Bool().Draw(t, key)) {
			continue
		}
		object[key] = s.value(properties[key], depth+1).Draw(t, key)
	}
	for _, key := range required {
		if _, ok := object[key.(string)]; !ok {
			object[key.(string)] = s.value(n.others(), depth+1).Draw(t, key.(string))
		}
	}
	if n.keywords["additionalProperties"] != false && properties == nil && depth <= depthLimit {
		s.drawOthers(t, n, object, depth)
	}
	return object
}

// others is the schema of the keys that have no name in it.
func (n *node) others() any {
	if others, ok := n.keywords["additionalProperties"]; ok {
		return others
	}
	return true
}

func (s *Schema) drawOthers(t *rapid.T, n *node, object map[string]any, depth int) {
	least, most := n.bounds("minProperties", "maxProperties", listLimit)
	names := rapid.StringMatching(`[a-z]([a-z0-9]{0,8})`)
	if rule, ok := n.keywords["propertyNames"]; ok {
		names = rapid.Map(s.value(withType(rule, "string"), depth+1), func(name any) string { return name.(string) })
	}
	for _, name := range rapid.SliceOfNDistinct(names, least, most, rapid.ID).Draw(t, "keys") {
		object[name] = s.value(n.others(), depth+1).Draw(t, name)
	}
}

func withType(part any, kind string) any {
	return map[string]any{"allOf": []any{part, map[string]any{"type": kind}}}
}

func (s *Schema) drawArray(t *rapid.T, n *node, depth int) any {
	least, most := n.bounds("minItems", "maxItems", listLimit)
	if depth > depthLimit {
		most = least
	}
	items := any(true)
	if one, ok := n.keywords["items"].(map[string]any); ok {
		items = one
	}
	return rapid.SliceOfN(s.value(items, depth+1), least, most).Draw(t, "items")
}

// bounds returns the least and the most of a count.
func (n *node) bounds(least, most string, limit int) (int, int) {
	low, high := 0, limit
	if bound := number(n.keywords[least]); bound != nil {
		low = int(bound.Num().Int64())
		high = low + limit
	}
	if bound := number(n.keywords[most]); bound != nil {
		high = min(high, int(bound.Num().Int64()))
	}
	return low, high
}

func drawString(t *rapid.T, n *node) any {
	if pattern, ok := n.keywords["pattern"].(string); ok {
		return rapid.StringMatching(pattern).Filter(writable).Draw(t, "pattern")
	}
	least, most := n.bounds("minLength", "maxLength", wordLimit)
	fits := slices.DeleteFunc(slices.Clone(awkward), func(word string) bool {
		length := len([]rune(word))
		return length < least || n.keywords["maxLength"] != nil && length > most
	})
	free := rapid.StringOfN(rapid.Rune().Filter(unicode.IsPrint), least, most, -1)
	if len(fits) == 0 {
		return free.Draw(t, "string")
	}
	return rapid.OneOf(rapid.SampledFrom(fits), free).Draw(t, "string")
}

// words draws short strings.
func words() *rapid.Generator[string] {
	return rapid.StringOfN(rapid.Rune().Filter(unicode.IsPrint), 0, wordLimit, -1)
}

// writable reports whether YAML can hold a string as it is.
func writable(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' }) < 0
}

func drawInteger(t *rapid.T, n *node) any {
	low, high := n.limits()
	from, to := int64(math.Ceil(low)), int64(math.Floor(high))
	if from > to {
		t.Skip("no whole number between the bounds")
	}
	// All are drawn each time, so that shrinking can go from one to the other.
	whole, near := rapid.Int64Range(from, to).Draw(t, "integer"), from+int64(uniform(t, int(min(to-from, 10))+1))
	switch uniform(t, 10) {
	case 9:
		return float64(to)
	case 7, 8:
		return float64(whole)
	}
	return float64(near)
}

func drawNumber(t *rapid.T, n *node) any {
	low, high := n.limits()
	whole, near := rapid.Float64Range(low, high).Draw(t, "number"), rapid.Float64Range(0, 100).Draw(t, "number")
	switch uniform(t, 10) {
	case 9:
		return high
	case 7, 8:
		return whole
	}
	return min(high, low+math.Round(near*100)/100)
}

// limits returns the bounds of a number. Exclusive ones are left to the check against the schema. Without bounds numbers
// stay in the range that a float64 holds exactly, because that is what Helm makes of a number in a values file.
func (n *node) limits() (float64, float64) {
	const exact = 1 << 53
	low, high := -float64(exact), float64(exact)
	for _, keyword := range []string{"minimum", "exclusiveMinimum"} {
		if bound := number(n.keywords[keyword]); bound != nil {
			value, _ := bound.Float64()
			low = max(low, value)
		}
	}
	for _, keyword := range []string{"maximum", "exclusiveMaximum"} {
		if bound := number(n.keywords[keyword]); bound != nil {
			value, _ := bound.Float64()
			high = min(high, value)
		}
	}
	if low == -exact && high > 0 {
		low = max(low, -10)
	}
	return low, high
}

// plain turns the numbers of a parsed schema into what a values file gives.
func plain(value any) any {
	if number, ok := value.(json.Number); ok {
		result, _ := number.Float64()
		return result
	}
	return value
}
