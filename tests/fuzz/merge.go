package fuzz

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"slices"
)

// refLimit is the most references that may lead from one to the next before they count as a circle.
const refLimit = 100

// node is what a value at one place must satisfy: a part of the schema with its references and allOf resolved.
type node struct {
	keywords map[string]any
	// alternatives holds one list for each anyOf or oneOf: the value satisfies one schema of each list.
	alternatives [][]any
	// names are the references that led here.
	names []string
	// parts are the pieces of the schema that the node was made of. A value that satisfies all of them is right.
	parts []any
	// loose says that values drawn by the keywords may be wrong and have to be checked against the parts.
	loose bool
	// never says that no value can be right.
	never bool
}

// drawn are the keywords that drawing respects; values of a part with another one are checked after they are drawn.
var drawn = []string{
	"type", "enum", "const", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "items",
	"properties", "required", "additionalProperties", "anyOf", "allOf", "$ref",
	"description", "title", "default", "examples", "$comment", "$id", "$schema", "definitions",
}

// node resolves a part of the schema.
func (s *Schema) node(part any) (*node, error) {
	return s.resolve(part, 0)
}

func (s *Schema) resolve(part any, depth int) (*node, error) {
	if depth > refLimit {
		return nil, fmt.Errorf("$ref: it leads back to itself")
	}
	object, ok := part.(map[string]any)
	if !ok {
		return &node{keywords: map[string]any{}, parts: []any{part}, never: part == false}, nil
	}
	if ref, ok := object["$ref"].(string); ok {
		// What stands beside a reference does not count in draft 7.
		target, err := s.target(ref)
		if err != nil {
			return nil, err
		}
		result, err := s.resolve(target, depth+1)
		if err == nil {
			result.names = append(result.names, ref)
		}
		return result, err
	}
	result := &node{keywords: maps.Clone(object), parts: []any{object}, loose: !onlyDrawn(object)}
	for _, all := range list(object["allOf"]) {
		other, err := s.resolve(all, depth+1)
		if err != nil {
			return nil, err
		}
		result.add(other)
	}
	for _, keyword := range []string{"anyOf", "oneOf"} {
		if alternatives := list(object[keyword]); alternatives != nil {
			result.alternatives = append(result.alternatives, alternatives)
		}
	}
	return result, nil
}

func onlyDrawn(part map[string]any) bool {
	for keyword := range part {
		if !slices.Contains(drawn, keyword) {
			return false
		}
	}
	return part["pattern"] == nil || part["minLength"] == nil && part["maxLength"] == nil
}

// add makes n demand what other demands too.
func (n *node) add(other *node) {
	n.alternatives = append(n.alternatives, other.alternatives...)
	n.names = append(n.names, other.names...)
	n.parts = append(n.parts, other.parts...)
	n.loose = n.loose || other.loose
	n.never = n.never || other.never
	for _, key := range slices.Sorted(maps.Keys(other.keywords)) {
		old, both := n.keywords[key]
		if !both {
			n.keywords[key] = other.keywords[key]
			n.loose = n.loose || key == "pattern" || key == "minLength" || key == "maxLength"
			continue
		}
		n.join(key, old, other.keywords[key])
	}
}

// join makes one keyword demand what a and b demand. Where that cannot be written down, drawing goes by a.
func (n *node) join(key string, a, b any) {
	switch {
	case reflect.DeepEqual(a, b):
	case key == "type":
		common := commonTypes(types(a), types(b))
		n.keywords[key], n.never = common, n.never || len(common) == 0
	case key == "enum":
		common := common(list(a), list(b))
		n.keywords[key], n.never = common, n.never || len(common) == 0
	case slices.Contains([]string{"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}, key):
		n.keywords[key] = larger(a, b)
	case slices.Contains([]string{"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}, key):
		n.keywords[key] = smaller(a, b)
	case key == "required":
		n.keywords[key] = append(slices.Clone(list(a)), list(b)...)
	case key == "properties":
		n.keywords[key] = joinProperties(a, b)
	case key == "additionalProperties" && b == false:
		n.keywords[key], n.loose = b, true
	default:
		n.loose = true
	}
}

func joinProperties(a, b any) map[string]any {
	result := maps.Clone(a.(map[string]any))
	for name, schema := range b.(map[string]any) {
		if old, ok := result[name]; ok {
			schema = map[string]any{"allOf": []any{old, schema}}
		}
		result[name] = schema
	}
	return result
}

// choices returns the nodes that remain when one of each list of alternatives has been chosen.
func (s *Schema) choices(n *node) ([]*node, error) {
	if len(n.alternatives) == 0 {
		return []*node{n}, nil
	}
	var result []*node
	for _, alternative := range n.alternatives[0] {
		other, err := s.node(alternative)
		if err != nil {
			return nil, err
		}
		choice := &node{
			keywords: maps.Clone(n.keywords), alternatives: slices.Clone(n.alternatives[1:]), names: slices.Clone(n.names),
			parts: slices.Clone(n.parts), loose: n.loose,
		}
		choice.add(other)
		if choice.never {
			continue
		}
		more, err := s.choices(choice)
		if err != nil {
			return nil, err
		}
		result = append(result, more...)
	}
	return result, nil
}

// types returns the names in a `type` keyword.
func types(keyword any) []any {
	if name, ok := keyword.(string); ok {
		return []any{name}
	}
	return list(keyword)
}

// commonTypes is common, but knows that an integer is a number.
func commonTypes(a, b []any) []any {
	result := common(a, b)
	for _, pair := range [][2][]any{{a, b}, {b, a}} {
		if slices.Contains(pair[0], any("integer")) && slices.Contains(pair[1], any("number")) && !slices.Contains(result, any("integer")) {
			result = append(result, "integer")
		}
	}
	return result
}

func common(a, b []any) []any {
	var result []any
	for _, value := range a {
		if slices.ContainsFunc(b, func(other any) bool { return reflect.DeepEqual(value, other) }) {
			result = append(result, value)
		}
	}
	return result
}

func list(value any) []any {
	values, _ := value.([]any)
	return values
}

func larger(a, b any) any {
	if number(a).Cmp(number(b)) >= 0 {
		return a
	}
	return b
}

func smaller(a, b any) any {
	if number(a).Cmp(number(b)) <= 0 {
		return a
	}
	return b
}

// number returns a JSON number exactly; nil for what is none.
func number(value any) *big.Rat {
	text, ok := value.(json.Number)
	if !ok {
		return nil
	}
	result, ok := new(big.Rat).SetString(string(text))
	if !ok {
		return nil
	}
	return result
}
