// Package render checks the chart without a cluster: what it renders, what it refuses, and how its objects fit together.
package render

import (
	"bufio"
	"errors"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gruntwork-io/terratest/modules/helm"
	"github.com/gruntwork-io/terratest/modules/k8s"
	"github.com/gruntwork-io/terratest/modules/logger"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	sigsyaml "sigs.k8s.io/yaml"
)

const (
	chartDir    = "../../charts/detection-api"
	releaseName = "detection-api"
	namespace   = "detection-system"
)

// valuesFiles are the three ways the chart is meant to be installed.
var valuesFiles = []string{"values.yaml", "values-dev.yaml", "values-prod.yaml"}

// render renders the chart with one values file and `--set` pairs, by the helm command as a user would. A value that
// starts with a bracket is JSON (`--set-json`), the only way to write an empty list.
func render(t *testing.T, file string, set map[string]string) (string, error) {
	t.Helper()
	plain, asJSON := map[string]string{}, map[string]string{}
	for key, value := range set {
		if strings.HasPrefix(value, "[") {
			asJSON[key] = value
		} else {
			plain[key] = value
		}
	}
	options := &helm.Options{
		ValuesFiles:    []string{filepath.Join(chartDir, file)},
		SetValues:      plain,
		SetJSONValues:  asJSON,
		KubectlOptions: k8s.NewKubectlOptions("", "", namespace),
		Logger:         logger.Discard,
	}
	return helm.RenderTemplateContextE(t, t.Context(), options, chartDir, releaseName, nil, "--kube-version", "1.37.2")
}

// objects is what a render gave, by kind and name.
type objects map[string]runtime.Object

// mustRender renders the chart and decodes every object into its type; unknown fields fail the test.
func mustRender(t *testing.T, file string, set map[string]string) objects {
	t.Helper()
	text, err := render(t, file, set)
	require.NoError(t, err)
	decoded, err := decode(text)
	require.NoError(t, err)
	return decoded
}

// decode reads a stream of YAML documents strictly: unknown fields, duplicate keys and two objects of one name are errors.
func decode(text string) (objects, error) {
	decoded := objects{}
	reader := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return decoded, nil
		}
		if err != nil {
			return nil, err
		}
		var meta metav1.PartialObjectMetadata
		if err := sigsyaml.Unmarshal(document, &meta); err != nil {
			return nil, err
		}
		if meta.Kind == "" {
			continue
		}
		object, err := scheme.Scheme.New(meta.GroupVersionKind())
		if err != nil {
			return nil, err
		}
		if err := sigsyaml.UnmarshalStrict(document, object); err != nil {
			return nil, err
		}
		key := meta.Kind + "/" + meta.Name
		if _, taken := decoded[key]; taken {
			return nil, errors.New("two objects are " + key)
		}
		decoded[key] = object
	}
}

// all returns the objects of one type, in the order of their names.
func all[T runtime.Object](o objects) []T {
	var found []T
	for _, key := range slices.Sorted(maps.Keys(o)) {
		if object, ok := o[key].(T); ok {
			found = append(found, object)
		}
	}
	return found
}

// get returns one object by type and key such as "Deployment/detection-api-blue".
func get[T runtime.Object](t *testing.T, o objects, key string) T {
	t.Helper()
	object, ok := o[key].(T)
	require.True(t, ok, "%s is not rendered; there are %v", key, slices.Sorted(maps.Keys(o)))
	return object
}

// podTemplates returns the pod templates of all workloads by the name of their owner.
func (o objects) podTemplates() map[string]corev1.PodTemplateSpec {
	templates := map[string]corev1.PodTemplateSpec{}
	for _, d := range all[*appsv1.Deployment](o) {
		templates[d.Name] = d.Spec.Template
	}
	for _, s := range all[*appsv1.StatefulSet](o) {
		templates[s.Name] = s.Spec.Template
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
