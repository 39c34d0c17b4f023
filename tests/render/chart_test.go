// Package render checks the chart without a cluster: what it renders, what it refuses, and how its objects fit together.
package render

import (
	"encoding/json"
	"flag"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/detection-api/detection-api/tests/chart"
)

const (
	releaseName = "detection-api"
	namespace   = "detection-system"
)

// chartDir is the chart under test. Another one, such as a mutated copy, is named by the flag -chart.
var chartDir = "../../charts/detection-api"

func TestMain(m *testing.M) {
	flag.StringVar(&chartDir, "chart", chartDir, "directory of the chart under test")
	flag.Parse()
	os.Exit(gate(m.Run()))
}

// valuesFiles are the ways the chart is meant to be installed with Kubernetes' own objects only.
var valuesFiles = []string{"values.yaml", "values-dev.yaml", "values-prod.yaml"}

// platformFile adds the objects of operators. It is made to lie on top of the production values.
const platformFile = "values-platform.yaml"

// layers are the values files that one of the above is used with.
func layers(file string) []string {
	if file == platformFile {
		return []string{"values-prod.yaml", platformFile}
	}
	return []string{file}
}

// loadedChart loads the chart once for all tests.
var loadedChart = sync.OnceValues(loadProbedChart)

// options are those of a render with one values file and values as in `--set`. A value that starts with a bracket is JSON
// (`--set-json`), the only way to write an empty list.
func options(file string, set map[string]string) chart.Options {
	o := chart.Options{Release: releaseName, Namespace: namespace, ValuesFiles: layers(file), Set: map[string]any{}}
	for key, value := range set {
		if strings.HasPrefix(value, "[") {
			o.Set[key] = json.RawMessage(value)
		} else {
			o.SetArguments = append(o.SetArguments, key+"="+value)
		}
	}
	slices.Sort(o.SetArguments)
	return o
}

// render renders the chart with one values file and `--set` pairs as Helm 4 does; TestHelmCommands holds Helm 3 and the
// commands to the same result.
func render(t *testing.T, file string, set map[string]string) (*chart.Release, error) {
	t.Helper()
	loaded, err := loadedChart()
	require.NoError(t, err)
	return loaded.Render(chart.Helm4, options(file, set))
}

// objects is what a render gave, by kind and name.
type objects map[string]runtime.Object

// mustRender renders the chart and decodes every object into its type; unknown fields fail the test.
func mustRender(t *testing.T, file string, set map[string]string) objects {
	t.Helper()
	release, err := render(t, file, set)
	require.NoError(t, err)
	decoded, err := release.Objects()
	require.NoError(t, err)
	return objects(decoded)
}

// decode reads a stream of YAML documents strictly: unknown fields, duplicate keys and two objects of one name are errors.
func decode(text string) (objects, error) {
	decoded, err := chart.Decode(text, namespace)
	return objects(decoded), err
}

// all returns the objects of one type, in the order of their names.
func all[T runtime.Object](o objects) []T {
	return chart.All[T](chart.Objects(o))
}

// get returns one object by type and key such as "Deployment/detection-api-blue".
func get[T runtime.Object](t *testing.T, o objects, key string) T {
	t.Helper()
	object, err := chart.Get[T](chart.Objects(o), key)
	require.NoError(t, err)
	return object
}

// podTemplates returns the pod templates of all workloads, Jobs and test pods among them, by the name of their owner.
func (o objects) podTemplates() map[string]corev1.PodTemplateSpec {
	templates := map[string]corev1.PodTemplateSpec{}
	for key, template := range chart.Objects(o).PodTemplates() {
		templates[path.Base(key)] = template
	}
	return templates
}

// selectedPods returns the owners of the pods that a label selector matches.
func (o objects) selectedPods(t *testing.T, selector *metav1.LabelSelector) []string {
	t.Helper()
	matcher, err := metav1.LabelSelectorAsSelector(selector)
	require.NoError(t, err)
	var owners []string
	for owner, template := range o.podTemplates() {
		if matcher.Matches(labels.Set(template.Labels)) {
			owners = append(owners, owner)
		}
	}
	slices.Sort(owners)
	return owners
}
