package fuzz

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// Misspelling is a document with one misspelt key, which the chart must refuse by a message that names it.
type Misspelling struct {
	// Path leads to the mapping that holds the key; [] is an entry of a list.
	Path string
	// Key is the right key, Wrong the misspelt one.
	Key, Wrong string
	// Values is the document, laid over the defaults.
	Values map[string]any
}

// String names the misspelt key with its path.
func (m Misspelling) String() string {
	return strings.TrimPrefix(m.Path+"."+m.Wrong, ".")
}

// level is a mapping whose keys the schema names.
type level struct {
	path string
	node *node
	// wrap returns a document that holds a value in the level's place.
	wrap func(value any) map[string]any
	// listed says that the level lies in a list or a free mapping, where no default fills in what is required.
	listed bool
}

// Misspellings returns, for every key at every level of the schema, documents in which it is misspelt: a letter left out, a
// letter doubled, another case. Levels inside lists and free mappings are reached with drawn entries. The second result
// names the levels that take any key beside those they name: a misspelt key can never be refused there.
func (s *Schema) Misspellings() (documents []Misspelling, open []string, err error) {
	levels, err := s.levels(s.root, level{wrap: func(value any) map[string]any { return value.(map[string]any) }}, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("misspellings: %w", err)
	}
	for _, level := range levels {
		if level.node.keywords["additionalProperties"] != false {
			open = append(open, level.path)
			continue
		}
		properties := level.node.keywords["properties"].(map[string]any)
		for i, key := range slices.Sorted(maps.Keys(properties)) {
			for _, wrong := range misspell(key, properties) {
				mapping := s.filled(level, i)
				mapping[wrong] = s.value(properties[key], 0).Example(i)
				documents = append(documents, Misspelling{Path: level.path, Key: key, Wrong: wrong, Values: level.wrap(mapping)})
			}
		}
	}
	return documents, open, nil
}

// levels returns the levels at and below part.
func (s *Schema) levels(part any, at level, depth int) ([]level, error) {
	if depth > depthLimit {
		return nil, nil
	}
	n, err := s.node(part)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at.path, err)
	}
	choices, err := s.choices(n)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at.path, err)
	}
	var result []level
	for _, choice := range choices {
		below, err := s.levelsOf(choice, at, depth)
		if err != nil {
			return nil, err
		}
		result = append(result, below...)
	}
	return result, nil
}

func (s *Schema) levelsOf(n *node, at level, depth int) ([]level, error) {
	var result []level
	properties, _ := n.keywords["properties"].(map[string]any)
	if len(properties) > 0 {
		at.node = n
		result = append(result, at)
	}
	descend := func(part any, below level) error {
		more, err := s.levels(part, below, depth+1)
		result = append(result, more...)
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		if err := descend(properties[key], s.child(at, key)); err != nil {
			return nil, err
		}
	}
	if items, ok := n.keywords["items"].(map[string]any); ok {
		entry := level{path: at.path + "[]", listed: true, wrap: func(value any) map[string]any { return at.wrap([]any{value}) }}
		if err := descend(items, entry); err != nil {
			return nil, err
		}
	}
	if others, ok := n.keywords["additionalProperties"].(map[string]any); ok {
		entry := level{path: at.path + ".*", listed: true, wrap: func(value any) map[string]any {
			return at.wrap(map[string]any{"any": value})
		}}
		if err := descend(others, entry); err != nil {
			return nil, err
		}
	}
	return result, nil
}

// child is the level of a key of at.
func (s *Schema) child(at level, key string) level {
	return level{
		path: strings.TrimPrefix(at.path+"."+key, "."), listed: at.listed,
		wrap: func(value any) map[string]any {
			mapping := s.filled(at, 0)
			mapping[key] = value
			return at.wrap(mapping)
		},
	}
}

// filled returns what a mapping at a level needs besides: nothing where the chart's defaults fill it in.
func (s *Schema) filled(at level, seed int) map[string]any {
	if !at.listed {
		return map[string]any{}
	}
	return s.of(at.node, 0).Example(seed).(map[string]any)
}

// misspell returns wrong spellings of key that are none of the other keys.
func misspell(key string, others map[string]any) []string {
	letters := []rune(key)
	middle := len(letters) / 2
	omitted := string(slices.Delete(slices.Clone(letters), middle, middle+1))
	doubled := string(slices.Insert(slices.Clone(letters), middle, letters[middle]))
	other := slices.Clone(letters)
	if other[middle] = unicode.ToUpper(letters[middle]); other[middle] == letters[middle] {
		other[middle] = unicode.ToLower(letters[middle])
	}
	return slices.DeleteFunc([]string{omitted, doubled, string(other)}, func(wrong string) bool {
		_, right := others[wrong]
		return right || wrong == ""
	})
}
