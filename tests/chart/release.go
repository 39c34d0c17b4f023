package chart

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// Release is a rendered chart.
type Release struct {
	Namespace string
	Manifests []Document // in the order in which Helm installs them
	Hooks     []Hook     // in the order in which Helm runs them
	Notes     string     // what NOTES.txt says
}

// Document is one rendered object.
type Document struct {
	Template string // path in the chart, such as templates/service.yaml
	YAML     string
}

// Hook is an object that Helm applies at certain moments and does not keep as a part of the release.
type Hook struct {
	Document
	Events         []string // such as pre-install or test
	Weight         int
	DeletePolicies []string
}

// Render renders the chart as `helm template` of that version does, with its checks: kubeVersion, schema, YAML.
func (c *Chart) Render(engine Engine, o Options) (*Release, error) {
	o = o.withDefaults(c)
	values, err := c.Values(o)
	if err != nil {
		return nil, err
	}
	var release *Release
	switch engine {
	case Helm3:
		release, err = c.render3(o, values)
	case Helm4:
		release, err = c.render4(o, values)
	default:
		return nil, fmt.Errorf("render %s: no engine is %d; use Helm3 or Helm4", c.Name(), int(engine))
	}
	if err != nil {
		return nil, fmt.Errorf("render %s with %s: %w", c.Name(), engine, err)
	}
	return release, nil
}

// Documents are the manifests and after them the hooks.
func (r *Release) Documents() []Document {
	documents := append([]Document(nil), r.Manifests...)
	for _, hook := range r.Hooks {
		documents = append(documents, hook.Document)
	}
	return documents
}

// YAML is the release as one stream of documents, hooks included, as `helm template` prints it.
func (r *Release) YAML() string {
	var text strings.Builder
	for _, document := range r.Documents() {
		fmt.Fprintf(&text, "---\n# Source: %s\n%s\n", document.Template, document.YAML)
	}
	return text.String()
}

// errFuncs: the engine of Helm 3 takes no functions from outside.
var errFuncs = errors.New("Options.Funcs: only Helm 4 takes functions for its templates")

// source is the path in the chart of a template that Helm calls CHART/templates/NAME.
func source(helmName string) string {
	_, file, _ := strings.Cut(helmName, "/")
	return file
}

// splitNotes takes the rendered notes out of files and returns those of the chart itself.
func splitNotes(chartName string, files map[string]string) string {
	const notes = "NOTES.txt"
	own := files[path.Join(chartName, "templates", notes)]
	for name := range files {
		if strings.HasSuffix(name, notes) {
			delete(files, name)
		}
	}
	return own
}

// texts turns a slice of string kinds into strings.
func texts[T ~string](values []T) []string {
	var out []string
	for _, value := range values {
		out = append(out, string(value))
	}
	return out
}
