package lane2

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/detection-api/detection-api/tests/controlplane"
)

// TestAutoscaling loads the active slot: it grows from three pods and shrinks again, while the idle slot stays as it is.
// The rates at which a slot may change are raised, else the test would take ten minutes.
func TestAutoscaling(t *testing.T) {
	t.Parallel()
	r := start(t).newRelease(t, "helm")
	container := controlplane.Usage{Namespace: r.namespace, Container: "detection-api", CPU: load, Memory: "200Mi"}
	require.NoError(t, r.SetUsage(t.Context(), container))
	const behavior = "autoscaling.behavior."
	r.install(t, "--set", behavior+"scaleUp.stabilizationWindowSeconds=0,"+behavior+"scaleUp.periodSeconds=1,"+
		behavior+"scaleDown.stabilizationWindowSeconds=0,"+behavior+"scaleDown.periodSeconds=1,"+behavior+"scaleDown.pods=5")
	r.awaitReady(t, "blue", 3)

	active := container
	active.Labels = map[string]string{"slot": "blue"}
	active.CPU = "700m" // four times what the autoscaler is content with
	began := time.Now()
	require.NoError(t, r.SetUsage(t.Context(), active))
	r.awaitReady(t, "blue", 10)
	t.Logf("ten pods after %s", time.Since(began).Round(time.Second))
	require.Equal(t, int32(3), *r.deployment(t, "green").Spec.Replicas, "the idle slot has no load")
	hpa, err := r.kube.AutoscalingV2().HorizontalPodAutoscalers(r.namespace).Get(t.Context(), "detection-api-hpa-blue", metav1.GetOptions{})
	require.NoError(t, err)
	require.Len(t, hpa.Status.CurrentMetrics, 2, "CPU and memory of the container")

	active.CPU, active.Memory = "10m", "480Mi" // 94 % of 512Mi, where 75 % are wanted
	require.NoError(t, r.SetUsage(t.Context(), active))
	await(t, "the autoscaler to go by memory", func(ctx context.Context) error {
		hpa, err := r.kube.AutoscalingV2().HorizontalPodAutoscalers(r.namespace).Get(ctx, "detection-api-hpa-blue", metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, metric := range hpa.Status.CurrentMetrics {
			if c := metric.ContainerResource; c != nil && c.Name == "memory" && *c.Current.AverageUtilization > 90 {
				return nil
			}
		}
		return fmt.Errorf("it sees %v", hpa.Status.CurrentMetrics)
	})
	require.Equal(t, int32(10), *r.deployment(t, "blue").Spec.Replicas, "memory keeps the slot large")

	active.Memory = "50Mi"
	began = time.Now()
	require.NoError(t, r.SetUsage(t.Context(), active))
	r.awaitReady(t, "blue", 3)
	t.Logf("back to three pods after %s", time.Since(began).Round(time.Second))
}
