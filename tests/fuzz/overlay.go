package fuzz

import (
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

const (
	// few is the most values that a document near the defaults changes.
	few = 4
	// nearPercent is how often a document changes a few values; else it changes any number.
	nearPercent = 80
)

// place is a value that the schema names: a leaf, or a mapping whose keys it does not name.
type place struct {
	path []string
	part any
}

func (p place) String() string { return strings.Join(p.path, ".") }

// places returns every value of the schema, in order.
func (s *Schema) places() ([]place, error) {
	return s.placesBelow(s.root, nil)
}

func (s *Schema) placesBelow(part any, path []string) ([]place, error) {
	n, err := s.node(part)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(path, "."), err)
	}
	properties, _ := n.keywords["properties"].(map[string]any)
	if len(properties) == 0 || len(path) > depthLimit || s.narrowed(n, path) {
		return []place{{path: path, part: part}}, nil
	}
	var result []place
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		below, err := s.placesBelow(properties[key], append(slices.Clone(path), key))
		if err != nil {
			return nil, err
		}
		result = append(result, below...)
	}
	return result, nil
}

// narrowed reports whether values at path are drawn from a generator of their own.
func (s *Schema) narrowed(n *node, path []string) bool {
	_, found := s.domains[strings.Join(path, ".")]
	return found || slices.ContainsFunc(n.names, func(name string) bool { return s.domains[name] != nil })
}

// Overlays returns a generator of documents that satisfy the schema once they are laid over defaults: near them (a few
// values changed, often of the same group, switches more often than not turned), or, less often, anywhere.
func (s *Schema) Overlays(defaults map[string]any) (*rapid.Generator[map[string]any], error) {
	places, err := s.places()
	if err != nil {
		return nil, fmt.Errorf("overlays: %w", err)
	}
	draw := func(t *rapid.T) map[string]any {
		overlay := map[string]any{}
		chosen := choose(t, places)
		for i, place := range places {
			if !chosen[i] {
				continue
			}
			set(overlay, place.path, s.drawPlace(t, place, defaults))
		}
		return overlay
	}
	fits := func(overlay map[string]any) bool { return s.Validate(over(defaults, overlay)) == nil }
	return rapid.Custom(draw).Filter(fits), nil
}

// choose draws which places change.
func choose(t *rapid.T, places []place) map[int]bool {
	chosen := map[int]bool{}
	if uniform(t, 100) >= nearPercent {
		for i := range places {
			chosen[i] = rapid.Bool().Draw(t, places[i].String())
		}
		return chosen
	}
	first := uniform(t, len(places))
	chosen[first] = true
	var group []int
	for i, place := range places {
		if place.path[0] == places[first].path[0] {
			group = append(group, i)
		}
	}
	for range rapid.IntRange(0, few-1).Draw(t, "more") {
		if rapid.Bool().Draw(t, "same group") {
			chosen[group[uniform(t, len(group))]] = true
		} else {
			chosen[uniform(t, len(places))] = true
		}
	}
	return chosen
}

// uniform draws an index below n, each as often as the others. Rapid's own ranges prefer small numbers, so that the first
// values of a schema would be tried again and again and the last ones hardly ever.
func uniform(t *rapid.T, n int) int {
	index := 0
	for range bits.Len(uint(n)) + 3 {
		index *= 2
		if rapid.Bool().Draw(t, "bit") {
			index++
		}
	}
	return index % n
}

// drawPlace draws a value of a place. A switch is turned three times out of four.
func (s *Schema) drawPlace(t *rapid.T, place place, defaults map[string]any) any {
	values := s.value(place.part, 0)
	if domain, ok := s.domains[place.String()]; ok {
		values = domain
	}
	value := values.Draw(t, place.String())
	if on, ok := value.(bool); ok && on && rapid.Bool().Draw(t, "turn") {
		if old, ok := get(defaults, place.path).(bool); ok {
			return !old
		}
	}
	return value
}

func set(values map[string]any, path []string, value any) {
	for _, key := range path[:len(path)-1] {
		child, ok := values[key].(map[string]any)
		if !ok {
			child = map[string]any{}
			values[key] = child
		}
		values = child
	}
	values[path[len(path)-1]] = value
}

func get(values map[string]any, path []string) any {
	var at any = values
	for _, key := range path {
		mapping, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = mapping[key]
	}
	return at
}

// over returns overlay laid over defaults, as Helm does it: mappings are merged, everything else is replaced.
func over(defaults, overlay map[string]any) map[string]any {
	result := maps.Clone(defaults)
	if result == nil {
		result = map[string]any{}
	}
	for key, value := range overlay {
		below, ok := value.(map[string]any)
		old, both := result[key].(map[string]any)
		if ok && both {
			value = over(old, below)
		}
		result[key] = value
	}
	return result
}
