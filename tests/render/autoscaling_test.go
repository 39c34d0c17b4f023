package render

import (
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
)

// The autoscaler of the source design, for each slot; the container is measured, not the pod.
func TestHorizontalPodAutoscalers(t *testing.T) {
	rendered := mustRender(t, "values.yaml", nil)
	for _, slot := range []string{"blue", "green"} {
		hpa := get[*autoscalingv2.HorizontalPodAutoscaler](t, rendered, "HorizontalPodAutoscaler/detection-api-hpa-"+slot)
		require.Equal(t, autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "detection-api-" + slot}, hpa.Spec.ScaleTargetRef)
		require.Equal(t, new(int32(3)), hpa.Spec.MinReplicas)
		require.Equal(t, int32(10), hpa.Spec.MaxReplicas)
		targets := map[corev1.ResourceName]int32{}
		for _, metric := range hpa.Spec.Metrics {
			require.Equal(t, autoscalingv2.ContainerResourceMetricSourceType, metric.Type)
			require.Equal(t, "detection-api", metric.ContainerResource.Container)
			require.Equal(t, autoscalingv2.UtilizationMetricType, metric.ContainerResource.Target.Type)
			targets[metric.ContainerResource.Name] = *metric.ContainerResource.Target.AverageUtilization
		}
		require.Equal(t, map[corev1.ResourceName]int32{"cpu": 70, "memory": 75}, targets)
		down, up := hpa.Spec.Behavior.ScaleDown, hpa.Spec.Behavior.ScaleUp
		require.Equal(t, new(int32(300)), down.StabilizationWindowSeconds)
		require.Equal(t, []autoscalingv2.HPAScalingPolicy{{Type: autoscalingv2.PodsScalingPolicy, Value: 1, PeriodSeconds: 60}}, down.Policies)
		require.Equal(t, new(int32(30)), up.StabilizationWindowSeconds)
		require.Equal(t, []autoscalingv2.HPAScalingPolicy{{Type: autoscalingv2.PodsScalingPolicy, Value: 2, PeriodSeconds: 60}}, up.Policies)
	}
}

// A count is written by the chart or by an autoscaler, never by both; a cold slot has no autoscaler, which would keep it at 0.
func TestOneOwnerOfTheCount(t *testing.T) {
	for _, c := range []struct {
		name   string
		set    map[string]string
		fixed  *int32 // what the Deployment says of green; nil: nothing
		fewest *int32 // what the autoscaler of green says; nil: there is none
	}{
		{name: "scaled", fewest: new(int32(3))},
		{name: "floor of the slot", set: map[string]string{"slots.green.replicas": "7"}, fewest: new(int32(7))},
		{name: "floor of all", set: map[string]string{"autoscaling.minReplicas": "5"}, fewest: new(int32(5))},
		{name: "cold", set: map[string]string{"slots.green.replicas": "0"}, fixed: new(int32(0))},
		{name: "this slot is not scaled", set: map[string]string{"slots.green.autoscaling": "false", "slots.green.replicas": "4"}, fixed: new(int32(4))},
		{name: "none is scaled", set: map[string]string{"autoscaling.enabled": "false"}, fixed: new(int32(3))},
	} {
		t.Run(c.name, func(t *testing.T) {
			rendered := mustRender(t, "values.yaml", c.set)
			require.Equal(t, c.fixed, get[*appsv1.Deployment](t, rendered, "Deployment/detection-api-green").Spec.Replicas)
			hpa, ok := rendered["HorizontalPodAutoscaler/detection-api-hpa-green"].(*autoscalingv2.HorizontalPodAutoscaler)
			require.Equal(t, c.fewest != nil, ok)
			if ok {
				require.Equal(t, c.fewest, hpa.Spec.MinReplicas)
			}
		})
	}
}

// Who decides a slot's count changes only where no traffic is lost, and the refusal says what to do.
func TestReplicasGuard(t *testing.T) {
	live := func(replicas int, owners ...string) map[string]any {
		fields := []any{map[string]any{"manager": "helm", "fieldsV1": map[string]any{"f:spec": map[string]any{"f:replicas": map[string]any{}}}}}
		for _, owner := range owners {
			fields = append(fields, map[string]any{"manager": owner, "fieldsV1": map[string]any{"f:spec": map[string]any{"f:replicas": map[string]any{}}}})
		}
		fields = append(fields, map[string]any{"manager": "kubelet", "fieldsV1": map[string]any{"f:status": map[string]any{}}})
		return map[string]any{"metadata": map[string]any{"managedFields": fields}, "spec": map[string]any{"replicas": replicas}}
	}
	hpa := map[string]any{"metadata": map[string]any{"name": "detection-api-hpa-blue"}}
	none := map[string]any{}
	for _, c := range []struct {
		name       string
		active     bool
		helm4      bool
		autoscaled string
		replicas   int
		live, hpa  map[string]any
		want       []string // empty: admitted
	}{
		{"first install", false, true, "true", 3, none, none, nil},
		{"scaled before and after", true, true, "true", 3, live(7), hpa, nil},
		{"fixed before and after", true, true, "", 3, live(3), none, nil},
		{"active slot handed to the autoscaler", true, false, "true", 3, live(3), none, []string{"slots.blue.autoscaling is on", "fixed count (3)", "--set slots.blue.autoscaling=false"}},
		{"idle slot handed to the autoscaler", false, false, "true", 3, live(3), none, nil},
		{"active slot of one pod", true, false, "true", 1, live(1), none, nil},
		{"active slot taken back, smaller", true, false, "", 3, live(8), hpa, []string{"slots.blue.replicas is 3", "runs 8 pods", "--set slots.blue.replicas=8"}},
		{"active slot taken back, as large", true, false, "", 8, live(8), hpa, nil},
		{"idle slot goes cold, Helm 3", false, false, "", 0, live(3), hpa, nil},
		{"idle slot goes cold, Helm 4", false, true, "", 0, live(3), hpa, []string{"owns that field, which Helm 4 respects", "kubectl -n detection-system scale deployment/detection-api-blue --replicas=0"}},
		{"scaled down before, Helm 4", false, true, "", 0, live(0), hpa, nil},
		{"wakes, Helm 3", false, false, "true", 3, live(0, "kubectl"), none, nil},
		{"wakes, Helm 4", false, true, "true", 3, live(0), none, nil},
		{"wakes, scaled down by hand, Helm 4", false, true, "true", 3, live(0, "kubectl"), none, []string{"was scaled to 0 by kubectl", "scale deployment/detection-api-blue --replicas=1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := evaluate(t, "detection-api.replicasRefusal", map[string]any{
				"namespace": namespace, "slot": "blue", "active": c.active, "helm4": c.helm4, "autoscaled": c.autoscaled,
				"replicas": c.replicas, "live": c.live, "hpa": c.hpa,
			})
			if len(c.want) == 0 {
				require.Empty(t, got)
			}
			for _, part := range c.want {
				require.Contains(t, got, part)
			}
			require.NotContains(t, got, "\n")
		})
	}
}
