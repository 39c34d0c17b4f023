package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"math"

	"gopkg.in/yaml.v3"
)

//go:embed definitions.yaml
var definitionsYAML []byte

// schemaJSON returns the JSON Schema (draft 7, which every Helm 3 and 4 reads) of the values of a chart.
func schemaJSON(chart string, root *value) ([]byte, error) {
	var definitions map[string]any
	if err := yaml.Unmarshal(definitionsYAML, &definitions); err != nil {
		return nil, fmt.Errorf("definitions: %w", err)
	}
	schema, err := root.schema()
	if err != nil {
		return nil, err
	}
	properties := schema["properties"].(map[string]any)
	if err := resolveLike(schema, properties); err != nil {
		return nil, err
	}
	// Helm adds `global` to the values of a subchart.
	properties["global"] = map[string]any{"type": "object"}
	schema["$schema"] = "http://json-schema.org/draft-07/schema#"
	schema["title"] = "Values of the chart " + chart
	schema["definitions"] = definitions
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err = encoder.Encode(schema)
	return out.Bytes(), err
}

// schema returns the JSON Schema of v.
func (v *value) schema() (map[string]any, error) {
	schema := map[string]any{}
	if v.description != "" {
		schema["description"] = v.description
	}
	if !v.leaf() {
		return schema, v.describeChildren(schema)
	}
	if _, ok := v.hint["$ref"]; ok {
		// Draft 7 ignores what stands beside a $ref.
		schema["allOf"] = []any{v.hint}
		return schema, nil
	}
	kind, ok := map[string]string{"!!str": "string", "!!int": "integer", "!!float": "number", "!!bool": "boolean", "!!seq": "array", "!!map": "object"}[v.node.Tag]
	if !ok {
		return nil, fmt.Errorf("%s: the tag %s has no type in JSON Schema", v.path, v.node.Tag)
	}
	schema["type"] = kind
	if kind == "integer" {
		// Most whole numbers end up in a field of Kubernetes, and those are of 32 bits. A larger one needs a hint.
		schema["maximum"] = math.MaxInt32
	}
	maps.Copy(schema, v.hint)
	if kind == "array" && schema["items"] == nil || kind == "object" && schema["like"] == nil {
		return nil, fmt.Errorf("%s: a list needs a @schema hint with items, an empty mapping one with $ref or like", v.path)
	}
	return schema, nil
}

func (v *value) describeChildren(schema map[string]any) error {
	properties, required := map[string]any{}, []string{}
	for _, child := range v.children {
		property, err := child.schema()
		if err != nil {
			return err
		}
		properties[child.key] = property
		required = append(required, child.key)
	}
	schema["type"] = "object"
	schema["additionalProperties"] = false
	schema["properties"] = properties
	schema["required"] = required
	return nil
}

// resolveLike replaces every hint `like: NAME` below schema by the schema of the top-level property NAME.
func resolveLike(schema, top map[string]any) error {
	properties, ok := schema["properties"].(map[string]any)
	if !ok {
		return nil
	}
	for key, property := range properties {
		child := property.(map[string]any)
		name, ok := child["like"].(string)
		if !ok {
			if err := resolveLike(child, top); err != nil {
				return err
			}
			continue
		}
		model, ok := top[name].(map[string]any)
		if !ok {
			return fmt.Errorf("like: there is no value %s", name)
		}
		copied := maps.Clone(model)
		delete(copied, "required")
		copied["description"] = child["description"]
		properties[key] = copied
	}
	return nil
}
