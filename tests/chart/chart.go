package chart

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	chart3 "helm.sh/helm/v3/pkg/chart"
	loader3 "helm.sh/helm/v3/pkg/chart/loader"
	chart4 "helm.sh/helm/v4/pkg/chart/v2"
)

// Chart is a chart in memory. It may be rendered by several goroutines at once.
type Chart struct {
	dir    string // where relative values files are looked for
	files  map[string][]byte
	parsed *parsed
}

// parsed is a chart without dependencies as either SDK holds it. Helm changes a chart with dependencies while it processes
// them, so that one is parsed for each render.
type parsed struct {
	helm3 *chart3.Chart
	helm4 *chart4.Chart
}

// Load reads a chart from a directory, honouring .helmignore, or from an archive (.tgz).
func Load(name string) (*Chart, error) {
	loaded, err := loader3.Load(name)
	if err != nil {
		return nil, fmt.Errorf("load chart %s: %w", name, err)
	}
	dir, err := filepath.Abs(name)
	if err != nil {
		return nil, fmt.Errorf("load chart %s: %w", name, err)
	}
	c := &Chart{dir: dir, files: map[string][]byte{}}
	for _, file := range loaded.Raw {
		c.files[file.Name] = file.Data
	}
	return c.parse()
}

// parse checks that both SDKs can read the chart.
func (c *Chart) parse() (*Chart, error) {
	helm3, err := parse3(c.files)
	if err != nil {
		return nil, fmt.Errorf("parse chart with Helm 3: %w", err)
	}
	helm4, err := parse4(c.files)
	if err != nil {
		return nil, fmt.Errorf("parse chart with Helm 4: %w", err)
	}
	c.parsed = &parsed{helm3: helm3, helm4: helm4}
	return c, nil
}

func (c *Chart) hasDependencies() bool {
	return len(c.parsed.helm3.Metadata.Dependencies) > 0 || len(c.parsed.helm3.Dependencies()) > 0
}

// Dir is the directory or archive that the chart was loaded from.
func (c *Chart) Dir() string { return c.dir }

// Name is the chart's name.
func (c *Chart) Name() string { return c.parsed.helm3.Name() }

// Version is the chart's version.
func (c *Chart) Version() string { return c.parsed.helm3.Metadata.Version }

// AppVersion is the version of what the chart installs.
func (c *Chart) AppVersion() string { return c.parsed.helm3.AppVersion() }

// Schema is the chart's values.schema.json; nil when it has none.
func (c *Chart) Schema() []byte { return slices.Clone(c.files["values.schema.json"]) }

// Defaults are the values of the chart's values.yaml. The caller may change them.
func (c *Chart) Defaults() (map[string]any, error) {
	return readValues("values.yaml", c.files["values.yaml"])
}

// Files are the files of the chart by path, such as values.yaml or templates/service.yaml.
func (c *Chart) Files() map[string][]byte { return maps.Clone(c.files) }

// Templates are the files below templates/ by path, partials and NOTES.txt among them; those of subcharts are left out.
func (c *Chart) Templates() map[string][]byte {
	found := map[string][]byte{}
	for name, data := range c.files {
		if strings.HasPrefix(name, "templates/") {
			found[name] = data
		}
	}
	return found
}

// WithTemplates returns a copy of the chart in which files have other contents, by path as in Templates. A path that the
// chart lacks is added, one with a nil content is taken away. The copy shares everything else with the chart.
func (c *Chart) WithTemplates(replaced map[string][]byte) *Chart {
	copied := &Chart{dir: c.dir, files: maps.Clone(c.files)}
	for name, data := range replaced {
		copied.files[path.Clean(name)] = data
		if data == nil {
			delete(copied.files, path.Clean(name))
		}
	}
	copied.parsed = &parsed{helm3: withTemplates3(c.parsed.helm3, copied.Templates()), helm4: withTemplates4(c.parsed.helm4, copied.Templates())}
	return copied
}
