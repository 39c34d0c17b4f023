package fuzz

import (
	"maps"
	"math"
	"slices"
)

// reduceLimit is the most tries of reduce.
const reduceLimit = 200

// reduce makes a failing document smaller after rapid is done: rapid works on the bits that the document was drawn from, and
// cannot always see that a value does not matter or may be smaller. It returns the smallest document that still fails.
func reduce(values map[string]any, fails func(map[string]any) bool) map[string]any {
	tries := 0
	for smaller := true; smaller; {
		smaller = false
		for _, candidate := range reductions(values) {
			if tries++; tries > reduceLimit {
				return values
			}
			if fails(candidate) {
				values, smaller = candidate, true
				break
			}
		}
	}
	return values
}

// reductions returns documents that are one step smaller than values: a key left out, a number nearer to zero.
func reductions(values map[string]any) []map[string]any {
	var result []map[string]any
	for _, key := range slices.Sorted(maps.Keys(values)) {
		without := maps.Clone(values)
		delete(without, key)
		result = append(result, without)
		for _, smaller := range smallerValues(values[key]) {
			with := maps.Clone(values)
			with[key] = smaller
			result = append(result, with)
		}
	}
	return result
}

func smallerValues(value any) []any {
	var result []any
	switch value := value.(type) {
	case map[string]any:
		for _, smaller := range reductions(value) {
			result = append(result, smaller)
		}
	case []any:
		for i := range value {
			result = append(result, slices.Delete(slices.Clone(value), i, i+1))
		}
	case float64:
		for _, smaller := range []float64{0, math.Trunc(value / 2), value - 1} {
			if math.Abs(smaller) < math.Abs(value) {
				result = append(result, smaller)
			}
		}
	}
	return result
}
