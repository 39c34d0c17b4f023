package openapi

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
)

//go:embed page.html
var pageText string

// document is what the page shows of the description.
type document struct {
	Info struct{ Title, Version, Summary, Description string }
	Tags []struct{ Name, Description string }
	// Paths has, for each path, its operations by method.
	Paths      map[string]map[string]*operation
	Components struct {
		Parameters map[string]parameter
		Responses  map[string]response
		Schemas    map[string]*schema
	}
}

type operation struct {
	Method, Path string `json:"-"`
	Summary      string
	Description  string
	Tags         []string
	Security     []map[string][]string
	Parameters   []parameter
	RequestBody  response
	Responses    map[string]response
}

type parameter struct {
	Ref         string `json:"$ref"`
	Name, In    string
	Description string
	Schema      *schema
}

type response struct {
	Ref         string `json:"$ref"`
	Description string
	Content     map[string]struct{ Schema *schema }
}

type schema struct {
	Ref         string `json:"$ref"`
	Type        any
	Format      string
	Enum        []any
	Const       any
	Description string
	Minimum     *float64
	Maximum     *float64
	Default     any
	Required    []string
	Properties  map[string]*schema
	Items       *schema
}

// Page returns the description for people: one page of HTML that needs no script and nothing from elsewhere.
func Page() ([]byte, error) {
	var d document
	if err := json.Unmarshal(description, &d); err != nil {
		return nil, fmt.Errorf("read openapi.json: %w", err)
	}
	page, err := template.New("page").Funcs(template.FuncMap{
		"operations": d.operations, "role": role, "name": name, "type": typeOf,
		"parameter": d.parameter, "response": d.response,
	}).Parse(pageText)
	if err != nil {
		return nil, fmt.Errorf("read the template of the page: %w", err)
	}
	var text bytes.Buffer
	if err := page.Execute(&text, d); err != nil {
		return nil, fmt.Errorf("write the page: %w", err)
	}
	return text.Bytes(), nil
}

// operations returns those of a tag, by path and method.
func (d document) operations(tag string) []*operation {
	var found []*operation
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(d.Paths[path])) {
			if o := d.Paths[path][method]; slices.Contains(o.Tags, tag) {
				o.Method, o.Path = strings.ToUpper(method), path
				found = append(found, o)
			}
		}
	}
	return found
}

func (d document) parameter(p parameter) parameter {
	if p.Ref != "" {
		return d.Components.Parameters[name(p.Ref)]
	}
	return p
}

func (d document) response(r response) response {
	if r.Ref != "" {
		return d.Components.Responses[name(r.Ref)]
	}
	return r
}

// name is the last part of a reference.
func name(ref string) string { return ref[strings.LastIndex(ref, "/")+1:] }

// role is the one that an operation needs, "" for none.
func role(o *operation) string {
	for _, way := range o.Security {
		for _, roles := range way {
			return strings.Join(roles, " ")
		}
	}
	return ""
}

// typeOf describes a schema in few words, with a link to a named one. Whatever the description says is escaped.
func typeOf(s *schema) template.HTML {
	switch {
	case s == nil:
		return "any"
	case s.Ref != "":
		n := template.HTMLEscapeString(name(s.Ref))
		return template.HTML(`<a href="#schema-` + n + `">` + n + `</a>`)
	case s.Items != nil:
		return "array of " + typeOf(s.Items)
	case s.Const != nil:
		return template.HTML(template.HTMLEscapeString(fmt.Sprint(s.Const)))
	}
	words := []string{plainType(s.Type)}
	if s.Format != "" {
		words = append(words, s.Format)
	}
	if s.Minimum != nil {
		words = append(words, fmt.Sprint("from ", *s.Minimum))
	}
	if s.Maximum != nil {
		words = append(words, fmt.Sprint("to ", *s.Maximum))
	}
	if s.Default != nil {
		words = append(words, fmt.Sprint("default ", s.Default))
	}
	if len(s.Enum) > 0 {
		words = append(words, "one of "+strings.Trim(fmt.Sprint(s.Enum), "[]"))
	}
	return template.HTML(template.HTMLEscapeString(strings.Join(words, ", ")))
}

func plainType(t any) string {
	switch t := t.(type) {
	case string:
		return t
	case []any:
		return strings.Trim(strings.ReplaceAll(fmt.Sprint(t), " ", " or "), "[]")
	}
	return "any"
}
