package lane2

import (
	"flag"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"pgregory.net/rapid"

	"github.com/detection-api/detection-api/tests/chart"
	"github.com/detection-api/detection-api/tests/fuzz"
)

// fuzzCases is the number of documents that TestFuzzAdmission tries.
var fuzzCases = flag.Int("fuzz.cases", 40, "number of values documents that TestFuzzAdmission draws")

// TestFuzzAdmission draws values that the schema admits. The API server takes every object that the chart renders from them:
// server-side apply, dry run, strict, in a namespace that enforces the restricted Pod Security Standard, with the kinds of
// all operators.
func TestFuzzAdmission(t *testing.T) {
	l := start(t)
	t.Parallel()
	namespace := l.newNamespace(t)
	loaded, err := chart.Load(l.chart())
	require.NoError(t, err)
	// Argo CD's objects go here too: dry run needs a namespace that is there.
	options := chart.Options{Release: releaseName, Namespace: namespace, Set: map[string]any{"argocd.namespace": namespace}}
	fuzzed, err := fuzz.New(loaded, options)
	require.NoError(t, err)
	for place, values := range admissible(namespace) {
		fuzzed.Narrow(place, values)
	}
	applier := l.newApplier(t, namespace)
	fuzzed.Run(t, fuzz.Options{Cases: *fuzzCases, Seed: 1}, func(objects chart.Objects) error {
		// Pods of no controller are admitted only when their ServiceAccount is there.
		for _, account := range chart.All[*corev1.ServiceAccount](objects) {
			if err := applier.applyTyped(t, account, metav1.PatchOptions{}); err != nil {
				return fmt.Errorf("ServiceAccount %s is not admitted: %w", account.Name, err)
			}
		}
		for key, object := range objects {
			if err := applier.applyTyped(t, object, metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}}); err != nil {
				return fmt.Errorf("%s is not admitted: %w", key, err)
			}
		}
		return nil
	})
}

func (a *applier) applyTyped(t *testing.T, object runtime.Object, options metav1.PatchOptions) error {
	t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return err
	}
	delete(content, "status")
	return a.apply(t, &unstructured.Unstructured{Object: content}, options)
}

// admissible draws what the schema leaves to the API server as that takes it. Objects stay in the namespace, because no
// other one is sure to be there.
func admissible(namespace string) map[string]*rapid.Generator[any] {
	none, here := rapid.Just[any]([]any{}), rapid.SampledFrom([]any{"", namespace})
	result := map[string]*rapid.Generator[any]{
		"api.extraVolumeMounts": none, "store.extraVolumeMounts": none,
		"monitoring.grafana.namespace": here, "monitoring.logs.namespace": here,
		"namespace.create": rapid.Just[any](false),
	}
	for _, labels := range []string{"commonLabels", "podLabels", "api.podLabels", "store.podLabels", "api.nodeSelector", "store.nodeSelector", "backup.nodeSelector"} {
		result[labels] = fuzz.Labels()
	}
	for definition, values := range map[string]*rapid.Generator[any]{
		"affinity": fuzz.Affinities(), "cidr": fuzz.CIDRs(), "envVar": fuzz.EnvVars(), "labelSelector": fuzz.LabelSelectors(),
		"networkPolicyPeer": fuzz.NetworkPolicyPeers(), "object": fuzz.Objects(), "schedule": fuzz.Schedules(), "stringMap": fuzz.Annotations(), "toleration": fuzz.Tolerations(),
		"volume": fuzz.Volumes(),
	} {
		result["#/definitions/"+definition] = values
	}
	return result
}
