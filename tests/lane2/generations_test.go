package lane2

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestConfigurationGenerations changes the configuration more often than generations are kept.
func TestConfigurationGenerations(t *testing.T) {
	const generations = 3
	withEachHelm(t, func(t *testing.T, r *release) {
		// One pod of each slot shows it as well as three.
		r.install(t, "--set", fmt.Sprintf("configMaps.generations=%d,autoscaling.enabled=false,slots.blue.replicas=1,slots.green.replicas=1", generations))
		var newest string
		for change := range generations + 2 {
			r.mustUpgrade(t, "--set", fmt.Sprintf("config.cotStale=%dm", 10+change))
			names := r.configMaps(t, "blue-")
			require.LessOrEqual(t, len(names), generations)
			newest = r.deployment(t, "blue").Spec.Template.Spec.Containers[0].EnvFrom[0].ConfigMapRef.Name
			require.Contains(t, names, newest)
		}
		for _, slot := range []string{"blue-", "green-"} {
			require.Len(t, r.configMaps(t, slot), generations)
		}
		r.requireConfigured(t)

		require.NoError(t, r.rollback(t))
		before := r.deployment(t, "blue").Spec.Template.Spec.Containers[0].EnvFrom[0].ConfigMapRef.Name
		require.NotEqual(t, newest, before)
		r.requireConfigured(t)
	})
}

// requireConfigured holds that the configuration of every pod is there, so that it could restart.
func (r *release) requireConfigured(t *testing.T) {
	t.Helper()
	pods, err := r.kube.CoreV1().Pods(r.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app=detection-api"})
	require.NoError(t, err)
	names := r.configMaps(t, "")
	require.NotEmpty(t, pods.Items)
	for _, pod := range pods.Items {
		name := pod.Spec.Containers[0].EnvFrom[0].ConfigMapRef.Name
		require.True(t, slices.Contains(names, name), "%s names %s, which is not there", pod.Name, name)
	}
}
