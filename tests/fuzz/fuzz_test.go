package fuzz

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/detection-api/detection-api/tests/chart"
)

func parse(t *testing.T, text string) *Schema {
	t.Helper()
	s, err := ParseSchema([]byte(text))
	require.NoError(t, err)
	return s
}

// Whatever a schema demands, the drawn values satisfy it.
func TestDrawnValuesSatisfyTheSchema(t *testing.T) {
	for name, text := range map[string]string{
		"types":         `{"type": ["string", "number", "boolean", "null", "integer", "array", "object"]}`,
		"untyped":       `{}`,
		"enum":          `{"enum": ["a", 1, null, true, {"b": 2}]}`,
		"const":         `{"const": 7}`,
		"integer":       `{"type": "integer", "minimum": -3, "exclusiveMaximum": 4}`,
		"number":        `{"type": "number", "exclusiveMinimum": 0, "maximum": 0.5}`,
		"multiple":      `{"type": "integer", "minimum": 0, "maximum": 10, "multipleOf": 2}`,
		"pattern":       `{"type": "string", "pattern": "^[0-9]+(ms|s)$"}`,
		"long pattern":  `{"type": "string", "pattern": "^[a-z]+$", "maxLength": 4}`,
		"length":        `{"type": "string", "minLength": 3, "maxLength": 5}`,
		"two patterns":  `{"allOf": [{"type": "string", "pattern": "^a*b?$"}, {"pattern": "b"}]}`,
		"common type":   `{"allOf": [{"type": ["integer", "string"]}, {"type": "number", "minimum": 3}]}`,
		"one of":        `{"oneOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]{1,3}%$"}]}`,
		"overlapping":   `{"type": "integer", "oneOf": [{"minimum": 0, "maximum": 10}, {"minimum": 5, "maximum": 15}]}`,
		"any of":        `{"type": "integer", "anyOf": [{"const": 0}, {"minimum": 30000, "maximum": 32767}]}`,
		"not":           `{"type": "boolean", "not": {"const": true}}`,
		"list":          `{"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 4}`,
		"distinct":      `{"type": "array", "items": {"type": "boolean"}, "uniqueItems": true}`,
		"mapping":       `{"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1}`,
		"named keys":    `{"type": "object", "additionalProperties": {"type": "integer"}, "propertyNames": {"pattern": "^[A-Z]{2}$"}}`,
		"required":      `{"type": "object", "properties": {"a": {"type": "integer"}, "b": true}, "required": ["a", "c"]}`,
		"closed":        `{"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": false}`,
		"merged":        `{"allOf": [{"properties": {"a": {"minimum": 3}}, "required": ["a"]}, {"properties": {"a": {"type": "integer", "maximum": 4}}}]}`,
		"reference":     `{"definitions": {"a/b": {"type": "integer"}}, "$ref": "#/definitions/a~1b"}`,
		"itself":        `{"type": "object", "properties": {"next": {"$ref": "#"}}, "additionalProperties": false}`,
		"impossible or": `{"type": "string", "anyOf": [{"type": "integer"}, {"minLength": 2}, false]}`,
	} {
		t.Run(name, func(t *testing.T) {
			s := parse(t, text)
			rapid.Check(t, func(t *rapid.T) {
				value := s.value(s.root, 0).Draw(t, "value")
				require.NoError(t, s.whole.Validate(value))
			})
		})
	}
}

// Positive control of the test above: the check it makes tells right from wrong.
func TestValidateRefuses(t *testing.T) {
	s := parse(t, `{"properties": {"a": {"type": "integer"}}}`)
	require.NoError(t, s.Validate(map[string]any{"a": 1.0}))
	require.Error(t, s.Validate(map[string]any{"a": "1"}))
}

func TestSchemasThatCannotBeDrawn(t *testing.T) {
	for _, text := range []string{"[]", "{", `{"$ref": "#/definitions/none"}`, `{"type": 3}`} {
		_, err := ParseSchema([]byte(text))
		require.Error(t, err, text)
	}
}

// small is the schema of a small chart; its defaults satisfy it.
const small = `{
	"type": "object", "additionalProperties": false, "required": ["replicas", "image", "env"],
	"properties": {
		"replicas": {"type": "integer", "minimum": 1, "maximum": 100},
		"image": {"type": "object", "additionalProperties": false, "properties": {"tag": {"type": "string"}, "pull": {"type": "boolean"}}},
		"env": {"type": "array", "items": {"$ref": "#/definitions/env"}},
		"labels": {"type": "object", "additionalProperties": {"type": "string"}},
		"volume": {"type": "object", "properties": {"name": {"type": "string"}}}
	},
	"definitions": {"env": {
		"type": "object", "additionalProperties": false, "required": ["name"],
		"properties": {"name": {"type": "string", "minLength": 1}, "value": {"type": "string"}}
	}}
}`

func defaults() map[string]any {
	return map[string]any{"replicas": 2.0, "image": map[string]any{"tag": "1", "pull": false}, "env": []any{}}
}

// Most documents change few values, and every value is changed at some time.
func TestOverlaysStayNearTheDefaults(t *testing.T) {
	s := parse(t, small)
	overlays, err := s.Overlays(defaults())
	require.NoError(t, err)
	near, changed := 0, map[string]int{}
	for seed := range 300 {
		overlay := overlays.Example(seed)
		if len(overlay) <= few {
			near++
		}
		for key := range overlay {
			changed[key]++
		}
	}
	require.Greater(t, near, 150)
	for _, key := range []string{"replicas", "image", "env", "labels", "volume"} {
		require.Greater(t, changed[key], 30, "how often %s changes: %v", key, changed)
	}
}

// Values that a schema cannot describe are drawn from a generator of their own.
func TestNarrow(t *testing.T) {
	s := parse(t, small)
	s.Narrow("#/definitions/env", rapid.Just[any](map[string]any{"name": "ONLY"}))
	s.Narrow("labels", rapid.Just[any](map[string]any{"only": "this"}))
	overlays, err := s.Overlays(defaults())
	require.NoError(t, err)
	rapid.Check(t, func(t *rapid.T) {
		overlay := overlays.Draw(t, "overlay")
		for _, entry := range list(overlay["env"]) {
			require.Equal(t, map[string]any{"name": "ONLY"}, entry)
		}
		if labels, ok := overlay["labels"]; ok {
			require.Equal(t, map[string]any{"only": "this"}, labels)
		}
	})
}

// recorder is a test that may fail without failing this one.
type recorder struct {
	testing.TB
	failed bool
	log    strings.Builder
}

func (r *recorder) Helper()                      {}
func (r *recorder) Failed() bool                 { return r.failed }
func (r *recorder) Log(args ...any)              { fmt.Fprintln(&r.log, args...) }
func (r *recorder) Logf(form string, a ...any)   { fmt.Fprintf(&r.log, form+"\n", a...) }
func (r *recorder) Fail()                        { r.failed = true }
func (r *recorder) FailNow()                     { r.failed = true; runtime.Goexit() }
func (r *recorder) Error(args ...any)            { r.Log(args...); r.Fail() }
func (r *recorder) Errorf(f string, a ...any)    { r.Logf(f, a...); r.Fail() }
func (r *recorder) Fatal(args ...any)            { r.Log(args...); r.FailNow() }
func (r *recorder) Fatalf(form string, a ...any) { r.Logf(form, a...); r.FailNow() }

// try runs a property as a test of its own.
func try(t *testing.T, s *Schema, kept string, property Property) *recorder {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		Run(r, s, defaults(), Options{Cases: 200, Kept: kept}, property)
	}()
	<-done
	return r
}

// A failing document is shrunk to what matters, kept, and tried first until it holds.
func TestFailingDocumentIsShrunkAndKept(t *testing.T) {
	s, kept := parse(t, small), filepath.Join(t.TempDir(), "kept")
	atMost := func(most float64) Property {
		return func(values map[string]any) error {
			if replicas, ok := values["replicas"].(float64); ok && replicas > most {
				return errors.New("too many replicas")
			}
			return nil
		}
	}
	first := try(t, s, kept, atMost(4))
	require.True(t, first.failed)
	files, err := filepath.Glob(filepath.Join(kept, "*.yaml"))
	require.NoError(t, err)
	require.Len(t, files, 1, first.log.String())
	text, err := os.ReadFile(files[0])
	require.NoError(t, err)
	require.Equal(t, "# too many replicas\nreplicas: 5\n", string(text), "the smallest failing document")

	again := try(t, s, kept, atMost(4))
	require.True(t, again.failed)
	require.Contains(t, again.log.String(), "fails again: too many replicas")
	require.NotContains(t, again.log.String(), "[rapid]", "nothing new is drawn before the kept document holds")

	mended := try(t, s, kept, atMost(100))
	require.False(t, mended.failed, mended.log.String())
}

func TestRefusal(t *testing.T) {
	s := parse(t, small)
	for _, good := range []string{
		"execution error at (c/templates/a.yaml:2:4): replicas is 0: must be 1",
		"render: execution error at (c/templates/a.yaml:2:4): set image.tag=1, please",
		"execution error at (a): labels.mine is used by a selector",
		"execution error at (a): image.*: empty",
	} {
		_, err := s.Refusal(errors.New(good))
		require.NoError(t, err)
	}
	for bad, want := range map[string]string{
		"template: c/templates/a.yaml:1:2: nil pointer evaluating interface {}.image.tag": "broke instead of refusing",
		"YAML parse error on c/templates/a.yaml: image.tag":                               "broke instead of refusing",
		"execution error at (a): image.tag is wrong\nand replicas":                        "several lines",
		"execution error at (a): the image is wrong":                                      "names no value",
		"execution error at (a): image.tga is wrong":                                      "names no value",
	} {
		_, err := s.Refusal(errors.New(bad))
		require.ErrorContains(t, err, want)
	}
	_, err := s.Refusal(nil)
	require.ErrorContains(t, err, "not refused")
}

// Every key is misspelt, in lists too; levels where that cannot be refused are named.
func TestMisspellings(t *testing.T) {
	s := parse(t, small)
	documents, open, err := s.Misspellings()
	require.NoError(t, err)
	require.Equal(t, []string{"volume"}, open)
	keys := map[string]int{}
	for _, document := range documents {
		keys[strings.TrimPrefix(document.Path+"."+document.Key, ".")]++
		require.ErrorContains(t, s.Validate(over(defaults(), document.Values)), "'"+document.Wrong+"'", document)
	}
	require.Equal(t, map[string]int{
		"replicas": 3, "image": 3, "env": 3, "labels": 3, "volume": 3, "image.tag": 3, "image.pull": 3, "env[].name": 3, "env[].value": 3,
	}, keys)
}

// Positive control: a schema that lets an unknown key through is found out.
func TestMisspellingsOfAnOpenSchema(t *testing.T) {
	s := parse(t, `{"type": "object", "properties": {"a": {"type": "object", "additionalProperties": false, "properties": {"b": true}}}}`)
	documents, open, err := s.Misspellings()
	require.NoError(t, err)
	require.Equal(t, []string{""}, open, "the root takes any key")
	require.NotEmpty(t, documents)
}

// broken is a small chart whose template does something wrong with its one value.
func broken(t *testing.T, template string) *Chart {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"Chart.yaml":         "{apiVersion: v2, name: broken, version: 1.0.0}",
		"values.yaml":        "name: a",
		"values.schema.json": `{"type": "object", "additionalProperties": false, "properties": {"name": {"type": "string"}}}`,
		"templates/a.yaml":   template,
	} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "templates"), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	loaded, err := chart.Load(dir)
	require.NoError(t, err)
	result, err := New(loaded, chart.Options{})
	require.NoError(t, err)
	return result
}

// Positive controls: an unquoted value, a crash and a refusal that names nothing are found; a good template is not blamed.
func TestBrokenChartsAreFound(t *testing.T) {
	const object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  a: "
	for template, want := range map[string]string{
		object + "{{ .Values.name }}\n":                                            "YAML parse error|cannot unmarshal|decode",
		object + "{{ index (dict \"a\" \"b\") .Values.name | required \"no\" }}\n": "names no value",
		"{{ if ne .Values.name \"a\" }}{{ .Values.none.deep }}{{ end }}":           "broke instead of refusing",
		object + "{{ .Values.name | quote }}\n":                                    "",
	} {
		c := broken(t, template)
		r := &recorder{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.Run(r, Options{Cases: 500, Kept: filepath.Join(t.TempDir(), "kept")})
		}()
		<-done
		require.Equal(t, want != "", r.failed, "%s\n%s", template, r.log.String())
		require.Regexp(t, want, r.log.String())
	}
}
