package chart

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"text/template"

	"helm.sh/helm/v3/pkg/strvals"
	"k8s.io/apimachinery/pkg/runtime"
	sigsyaml "sigs.k8s.io/yaml"
)

// DefaultKubeVersion is the Kubernetes version that a chart is rendered for when Options names none.
const DefaultKubeVersion = "1.37.2"

// Engine is the version of Helm that renders.
type Engine int

// The versions of Helm that render.
const (
	Helm3 Engine = 3
	Helm4 Engine = 4
)

// String names the engine as a sentence would.
func (e Engine) String() string { return fmt.Sprintf("Helm %d", int(e)) }

// Engines are all versions of Helm that render, the older one first.
func Engines() []Engine { return []Engine{Helm3, Helm4} }

// Options say how a chart is rendered. The zero value renders its defaults.
type Options struct {
	Release   string // name of the release; the chart's own name when empty
	Namespace string // "default" when empty
	Revision  int    // 1 when zero
	Upgrade   bool   // .Release.IsUpgrade instead of .Release.IsInstall

	KubeVersion string   // .Capabilities.KubeVersion; DefaultKubeVersion when empty
	APIVersions []string // API versions such as monitoring.coreos.com/v1/ServiceMonitor that the cluster has beside Kubernetes' own

	// ValuesFiles are laid over the defaults in their order. A relative path is one in the chart.
	ValuesFiles []string
	// Set are values by their dotted path, such as slots.blue.replicas or env[0].name; a nil takes a default away. They are
	// laid over ValuesFiles as `helm --set-json` does.
	Set map[string]any
	// SetArguments are laid over Set as `helm --set` does, so that Helm finds out each value's type.
	SetArguments []string

	// SkipSchema leaves out the validation against values.schema.json, a third of the time of a render.
	SkipSchema bool

	// Cluster are the objects that `lookup` finds. Without any it finds nothing, as in `helm template`.
	Cluster []runtime.Object
	// Funcs are added to the functions of the templates, or replace them. Only Helm 4 can do so.
	Funcs template.FuncMap
}

// withDefaults fills in what the caller left out.
func (o Options) withDefaults(c *Chart) Options {
	o.Release = cmp.Or(o.Release, c.Name())
	o.Namespace = cmp.Or(o.Namespace, "default")
	o.Revision = cmp.Or(o.Revision, 1)
	o.KubeVersion = cmp.Or(o.KubeVersion, DefaultKubeVersion)
	return o
}

// Values are the values that o lays over the chart's defaults, merged as Helm merges those of its flags.
func (c *Chart) Values(o Options) (map[string]any, error) {
	merged := map[string]any{}
	for _, file := range o.ValuesFiles {
		text, err := c.valuesFile(file)
		if err != nil {
			return nil, fmt.Errorf("read values: %w", err)
		}
		values, err := readValues(file, text)
		if err != nil {
			return nil, err
		}
		merged = overlay(merged, values)
	}
	for _, key := range slices.Sorted(maps.Keys(o.Set)) {
		text, err := json.Marshal(o.Set[key])
		if err != nil {
			return nil, fmt.Errorf("set %s: %w", key, err)
		}
		if err := strvals.ParseJSON(key+"="+string(text), merged); err != nil {
			return nil, fmt.Errorf("set %s: %w", key, err)
		}
	}
	for _, argument := range o.SetArguments {
		if err := strvals.ParseInto(argument, merged); err != nil {
			return nil, fmt.Errorf("set %s: %w", argument, err)
		}
	}
	return merged, nil
}

// valuesFile reads a file of the chart, which for an archive is not on disk, or any other one by its absolute path.
func (c *Chart) valuesFile(name string) ([]byte, error) {
	if filepath.IsAbs(name) {
		return os.ReadFile(name)
	}
	if text, ok := c.files[filepath.ToSlash(filepath.Clean(name))]; ok {
		return text, nil
	}
	text, err := os.ReadFile(filepath.Join(c.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is neither in the chart %s nor beside its files", name, c.Name())
	}
	return text, err
}

func readValues(name string, text []byte) (map[string]any, error) {
	values := map[string]any{}
	if err := sigsyaml.Unmarshal(text, &values); err != nil {
		return nil, fmt.Errorf("parse %s: %w", name, err)
	}
	return values, nil
}

// overlay lays over onto base: mappings are merged, anything else is replaced. It is what Helm does with several -f.
func overlay(base, over map[string]any) map[string]any {
	merged := maps.Clone(base)
	for key, value := range over {
		below, baseIsMap := merged[key].(map[string]any)
		above, overIsMap := value.(map[string]any)
		if baseIsMap && overIsMap {
			value = overlay(below, above)
		}
		merged[key] = value
	}
	return merged
}
