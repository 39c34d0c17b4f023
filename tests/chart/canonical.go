package chart

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	sigsyaml "sigs.k8s.io/yaml"
)

// Canonical returns the objects as YAML in which nothing depends on how templates are written: objects in the order of
// their group, kind, namespace and name, keys sorted, quantities normalised (1000m is 1), no comments, no empty status.
func (o Objects) Canonical() (string, error) {
	var contents []unstructured.Unstructured
	for _, key := range o.Keys() {
		content, err := plain(o[key])
		if err != nil {
			return "", fmt.Errorf("canonical form of %s: %w", key, err)
		}
		contents = append(contents, unstructured.Unstructured{Object: content})
	}
	slices.SortFunc(contents, func(a, b unstructured.Unstructured) int {
		return cmp.Or(
			cmp.Compare(a.GroupVersionKind().Group, b.GroupVersionKind().Group), cmp.Compare(a.GetKind(), b.GetKind()),
			cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()),
		)
	})
	var text bytes.Buffer
	for _, content := range contents {
		document, err := sigsyaml.Marshal(content.Object)
		if err != nil {
			return "", fmt.Errorf("canonical form: %w", err)
		}
		text.WriteString("---\n")
		text.Write(document)
	}
	return text.String(), nil
}

// plain is the object as JSON would have it, without what Go's types add when they are encoded.
func plain(object runtime.Object) (map[string]any, error) {
	text, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	var content map[string]any
	if err := json.Unmarshal(text, &content); err != nil {
		return nil, err
	}
	if status, ok := content["status"]; ok && empty(status) {
		delete(content, "status")
	}
	return withoutNulls(content).(map[string]any), nil
}

// empty says that nothing is in value: null, or mappings of nothing, as in a status that Go has encoded.
func empty(value any) bool {
	fields, ok := value.(map[string]any)
	if !ok {
		return value == nil
	}
	for _, field := range fields {
		if !empty(field) {
			return false
		}
	}
	return true
}

// withoutNulls drops keys without a value, such as creationTimestamp.
func withoutNulls(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key, child := range value {
			if child == nil {
				delete(value, key)
			} else {
				value[key] = withoutNulls(child)
			}
		}
	case []any:
		for i, child := range value {
			value[i] = withoutNulls(child)
		}
	}
	return value
}

// Changed returns the keys of the objects that two releases do not have in common: added, removed, or different.
func Changed(before, after Objects) ([]string, error) {
	keys := maps.Clone(before)
	maps.Copy(keys, after)
	var different []string
	for _, key := range keys.Keys() {
		a, hadIt := before[key]
		b, hasIt := after[key]
		if hadIt != hasIt {
			different = append(different, key)
			continue
		}
		same, err := equal(a, b)
		if err != nil {
			return nil, fmt.Errorf("compare %s: %w", key, err)
		}
		if !same {
			different = append(different, key)
		}
	}
	return different, nil
}

func equal(a, b runtime.Object) (bool, error) {
	var texts [2][]byte
	for i, object := range []runtime.Object{a, b} {
		content, err := plain(object)
		if err != nil {
			return false, err
		}
		if texts[i], err = json.Marshal(content); err != nil {
			return false, err
		}
	}
	return bytes.Equal(texts[0], texts[1]), nil
}
