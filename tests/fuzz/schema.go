package fuzz

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"
)

// resource is the name under which the schema is compiled; references inside it are made absolute, so that any part of the
// schema can be compiled by itself.
const resource = "file:///values.schema.json"

// Schema is a chart's values.schema.json (JSON Schema draft 7, as Helm reads it).
type Schema struct {
	root     map[string]any
	domains  map[string]*rapid.Generator[any]
	compiler *jsonschema.Compiler
	whole    *jsonschema.Schema
	// compiled holds the parts of the schema that drawn values are checked against, by their JSON.
	compiled map[string]*jsonschema.Schema
}

// ParseSchema reads a values.schema.json.
func ParseSchema(text []byte) (*Schema, error) {
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("parse schema: %w", err)
	}
	root, ok := parsed.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("parse schema: it is a %T, not an object", parsed)
	}
	absolute(root)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft7)
	if err := compiler.AddResource(resource, root); err != nil {
		return nil, fmt.Errorf("parse schema: %w", err)
	}
	whole, err := compiler.Compile(resource)
	if err != nil {
		return nil, fmt.Errorf("compile schema: %w", err)
	}
	return &Schema{
		root: root, compiler: compiler, whole: whole,
		domains: map[string]*rapid.Generator[any]{}, compiled: map[string]*jsonschema.Schema{},
	}, nil
}

// LoadSchema reads the values.schema.json of the chart in dir.
func LoadSchema(dir string) (*Schema, error) {
	text, err := os.ReadFile(filepath.Join(dir, "values.schema.json"))
	if err != nil {
		return nil, fmt.Errorf("load schema: %w", err)
	}
	return ParseSchema(text)
}

// Narrow makes the values at a place be drawn from a generator instead of from the schema, which cannot describe them
// closely enough: a volume, for instance, which the chart hands on to Kubernetes. The place is a definition
// ("#/definitions/volume") or the path of a value ("api.extraVolumes"). Drawn values must still satisfy the schema.
func (s *Schema) Narrow(place string, values *rapid.Generator[any]) {
	if strings.HasPrefix(place, "#/") {
		place = resource + place
	}
	s.domains[place] = values
}

// Validate returns an error if the whole document, defaults included, does not satisfy the schema.
func (s *Schema) Validate(document map[string]any) error {
	return s.whole.Validate(document)
}

// absolute rewrites every reference in part into one that holds outside the schema's own file too.
func absolute(part any) {
	switch part := part.(type) {
	case map[string]any:
		if ref, ok := part["$ref"].(string); ok && strings.HasPrefix(ref, "#") {
			part["$ref"] = resource + ref
		}
		for _, child := range part {
			absolute(child)
		}
	case []any:
		for _, child := range part {
			absolute(child)
		}
	}
}

// target returns the part of the schema that a reference names.
func (s *Schema) target(ref string) (any, error) {
	pointer, ok := strings.CutPrefix(ref, resource+"#")
	if !ok {
		return nil, fmt.Errorf("$ref %s: only references inside the schema are supported", ref)
	}
	var at any = s.root
	for _, step := range strings.Split(pointer, "/")[1:] {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		object, ok := at.(map[string]any)
		if !ok || object[step] == nil {
			return nil, fmt.Errorf("$ref %s: %s leads nowhere", ref, step)
		}
		at = object[step]
	}
	return at, nil
}

// valid reports whether value satisfies every part of n.
func (s *Schema) valid(n *node, value any) bool {
	part := map[string]any{"allOf": n.parts}
	text, err := json.Marshal(part)
	if err != nil {
		return false
	}
	compiled, ok := s.compiled[string(text)]
	if !ok {
		name := fmt.Sprintf("file:///part-%d.json", len(s.compiled))
		if err := s.compiler.AddResource(name, part); err != nil {
			panic(err)
		}
		compiled = s.compiler.MustCompile(name)
		s.compiled[string(text)] = compiled
	}
	return compiled.Validate(value) == nil
}
