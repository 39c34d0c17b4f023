package lane2

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
)

// render returns what the chart renders, its tests too.
func (l *lane) render(t *testing.T, namespace string, flags ...string) []*unstructured.Unstructured {
	t.Helper()
	args := []string{"template", releaseName, l.chart(), "--namespace", namespace, "--kube-version", "v1.37.2"}
	cmd := exec.CommandContext(t.Context(), l.tool("helm"), append(args, flags...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	require.NoError(t, err, "%s", &stderr)
	var objects []*unstructured.Unstructured
	for decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(output), 4096); ; {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		require.NoError(t, err)
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

// valuesFile writes values into a file.
func valuesFile(t *testing.T, values string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "values.yaml")
	require.NoError(t, os.WriteFile(path, []byte(values), 0o600))
	return path
}

// applier applies objects of any kind by server-side apply. A field that the API server does not know is an error.
type applier struct {
	client    dynamic.Interface
	mapper    meta.RESTMapper
	namespace string
}

func (l *lane) newApplier(t *testing.T, namespace string) *applier {
	t.Helper()
	return &applier{client: l.dynamic, mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(l.kube.Discovery())), namespace: namespace}
}

func (a *applier) apply(t *testing.T, object *unstructured.Unstructured, options metav1.PatchOptions) error {
	t.Helper()
	gvk := object.GroupVersionKind()
	mapping, err := a.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return err
	}
	var resource dynamic.ResourceInterface = a.client.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		namespace := object.GetNamespace()
		if namespace == "" {
			namespace = a.namespace
		}
		resource = a.client.Resource(mapping.Resource).Namespace(namespace)
	}
	text, err := object.MarshalJSON()
	if err != nil {
		return err
	}
	force := true
	options.FieldManager, options.Force, options.FieldValidation = "lane2", &force, metav1.FieldValidationStrict
	_, err = resource.Patch(t.Context(), object.GetName(), types.ApplyPatchType, text, options)
	return err
}

// applyAll applies for real.
func (a *applier) applyAll(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	for _, object := range objects {
		require.NoError(t, a.apply(t, object, metav1.PatchOptions{}), "%s %s", object.GetKind(), object.GetName())
	}
}

// ofKind are the objects of some kinds.
func ofKind(objects []*unstructured.Unstructured, kinds ...string) []*unstructured.Unstructured {
	var found []*unstructured.Unstructured
	for _, object := range objects {
		for _, kind := range kinds {
			if object.GetKind() == kind {
				found = append(found, object)
			}
		}
	}
	return found
}

// pod makes the pod that an object starts, or returns nil if it starts none.
func pod(t *testing.T, object *unstructured.Unstructured) *corev1.Pod {
	t.Helper()
	path := map[string][]string{
		"Pod": {}, "Deployment": {"spec", "template"}, "StatefulSet": {"spec", "template"}, "Job": {"spec", "template"},
		"CronJob": {"spec", "jobTemplate", "spec", "template"},
	}[object.GetKind()]
	if path == nil {
		return nil
	}
	template, found, err := unstructured.NestedMap(object.Object, path...)
	require.NoError(t, err)
	require.True(t, found)
	made := &corev1.Pod{}
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(template, made))
	made.TypeMeta = metav1.TypeMeta{}
	made.ObjectMeta = metav1.ObjectMeta{GenerateName: object.GetName() + "-", Labels: made.Labels, Annotations: made.Annotations}
	return made
}

// podsOf are the pods that the objects start, one of each.
func podsOf(t *testing.T, objects []*unstructured.Unstructured) []*corev1.Pod {
	t.Helper()
	var pods []*corev1.Pod
	for _, object := range objects {
		if made := pod(t, object); made != nil {
			pods = append(pods, made)
		}
	}
	return pods
}
