package lane2

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// everything turns on what values-platform.yaml leaves off.
const everything = `
secrets:
  jwt: {sealed: {secret_key: AgBy3i4OJSWK}}
  store: {sealed: {token: AgBy3i4OJSWK}}
  tak: {sealed: {endpoint: AgBy3i4OJSWK, username: AgBy3i4OJSWK, password: AgBy3i4OJSWK}}
  registry: {sealed: {.dockerconfigjson: AgBy3i4OJSWK}}
rbac:
  operations: {subjects: [{kind: Group, name: operations}]}
  readOnly: {subjects: [{kind: User, name: reader}]}
  prometheus: {clusterWide: true}
  auditViewer: {subjects: [{kind: Group, name: auditors}]}
monitoring:
  logs: {promtail: {enabled: true}}
kyverno:
  enabled: true
  publicKey: |
    -----BEGIN PUBLIC KEY-----
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8nXRh950IZbRj8Ra/N9sbqOPZrfM
    5/KAQN0/KjHcorm/J5yctVd7iEcnessRQjU917hmKO6JWVGHpDguIyakZA==
    -----END PUBLIC KEY-----
extraObjects:
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: extra}, data: {key: value}}
commonLabels: {team: detection}
commonAnnotations: {example.net/owner: detection}
podLabels: {team: detection}
api:
  extraEnv: [{name: EXTRA, value: "1"}]
  extraVolumes: [{name: extra, emptyDir: {}}]
  extraVolumeMounts: [{name: extra, mountPath: /extra}]
  priorityClassName: system-cluster-critical
  nodeSelector: {kubernetes.io/os: linux}
  tolerations: [{key: dedicated, operator: Exists}]
`

// valuesCase is a way to use the chart.
type valuesCase struct {
	name  string
	flags []string
}

func valuesCases(t *testing.T, l *lane) []valuesCase {
	t.Helper()
	prod, platform := []string{"--values", l.chart("values-prod.yaml")}, l.chart("values-platform.yaml")
	all := append(slices.Clone(prod), "--values", platform, "--values", valuesFile(t, everything))
	return []valuesCase{
		{"defaults", nil},
		{"development", []string{"--values", l.chart("values-dev.yaml")}},
		{"production", prod},
		{"platform", append(slices.Clone(prod), "--values", platform)},
		{"everything", all},
		{"image policy of the cluster", append(slices.Clone(all), "--set", "kyverno.kind=ImageValidatingPolicy")},
		{"legacy image policy", append(slices.Clone(all), "--set", "kyverno.kind=ClusterPolicy")},
		{"node port, autoscaling off, green cold", append(slices.Clone(prod), "--set", "service.type=NodePort,autoscaling.enabled=false,slots.green.replicas=0")},
	}
}

// TestApply applies what every values file renders to an API server that knows the kinds of all operators, and refuses
// any field that their definitions do not have.
func TestApply(t *testing.T) {
	l := start(t)
	t.Parallel()
	for _, name := range []string{"argocd", "monitoring"} {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		_, err := l.kube.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{})
		require.True(t, err == nil || apierrors.IsAlreadyExists(err), err)
	}
	for _, values := range valuesCases(t, l) {
		t.Run(values.name, func(t *testing.T) {
			namespace := l.newNamespace(t)
			objects := l.render(t, namespace, values.flags...)
			a := l.newApplier(t, namespace)
			for _, object := range objects {
				name := object.GetKind() + " " + object.GetName()
				require.NoError(t, a.apply(t, object, metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}}), name)
				require.True(t, a.refusesMisspelling(t, object), "%s: a misspelt field is refused", name)
				require.NoError(t, a.apply(t, object, metav1.PatchOptions{}), name)
			}
			t.Cleanup(func() { l.removeClusterScoped(t, a, objects) })
			t.Run("pods are restricted", func(t *testing.T) { l.testPodSecurity(t, namespace, objects) })
		})
	}
}

// refusesMisspelling is the control of each object: with one more field it must not be admitted.
func (a *applier) refusesMisspelling(t *testing.T, object *unstructured.Unstructured) bool {
	t.Helper()
	misspelt := object.DeepCopy()
	if _, ok := misspelt.Object["spec"]; ok {
		require.NoError(t, unstructured.SetNestedField(misspelt.Object, "x", "spec", "misspelt"))
	} else {
		misspelt.Object["misspelt"] = "x"
	}
	return a.apply(t, misspelt, metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}}) != nil
}

// removeClusterScoped deletes what the end of the namespace leaves.
func (l *lane) removeClusterScoped(t *testing.T, a *applier, objects []*unstructured.Unstructured) {
	t.Helper()
	kinds := []string{"ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy", "ClusterRole", "ClusterRoleBinding", "ImageValidatingPolicy", "ClusterPolicy"}
	for _, object := range ofKind(objects, kinds...) {
		gvk := object.GroupVersionKind()
		mapping, err := a.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
		require.NoError(t, err)
		require.NoError(t, l.dynamic.Resource(mapping.Resource).Delete(context.Background(), object.GetName(), metav1.DeleteOptions{}))
	}
}
