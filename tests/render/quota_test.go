package render

import (
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// tally adds up what pods count for in a ResourceQuota.
type tally corev1.ResourceList

// add adds n pods of one template, all of whose containers run at the same time.
func (sum tally) add(n int, spec corev1.PodSpec) {
	plus := func(name corev1.ResourceName, amount resource.Quantity) {
		total := sum[name]
		for range n {
			total.Add(amount)
		}
		sum[name] = total
	}
	plus(corev1.ResourcePods, resource.MustParse("1"))
	for _, container := range spec.Containers {
		plus(corev1.ResourceRequestsCPU, container.Resources.Requests[corev1.ResourceCPU])
		plus(corev1.ResourceRequestsMemory, container.Resources.Requests[corev1.ResourceMemory])
		plus(corev1.ResourceLimitsCPU, container.Resources.Limits[corev1.ResourceCPU])
		plus(corev1.ResourceLimitsMemory, container.Resources.Limits[corev1.ResourceMemory])
	}
}

// worstCase adds up the rendered objects: each slot at its largest with all its pods replaced at once, one store, one pod of
// each Job and CronJob, and every bare pod.
func worstCase(t *testing.T, rendered objects) tally {
	sum := tally{}
	most := map[string]int{}
	for _, hpa := range all[*autoscalingv2.HorizontalPodAutoscaler](rendered) {
		most[hpa.Spec.ScaleTargetRef.Name] = int(hpa.Spec.MaxReplicas)
	}
	for _, d := range all[*appsv1.Deployment](rendered) {
		if d.Spec.Replicas != nil {
			most[d.Name] = int(*d.Spec.Replicas)
		}
		surge, err := intstr.GetScaledValueFromIntOrPercent(d.Spec.Strategy.RollingUpdate.MaxSurge, most[d.Name], true)
		require.NoError(t, err)
		if most[d.Name] > 0 {
			sum.add(2*most[d.Name]+surge, d.Spec.Template.Spec)
		}
	}
	for _, s := range all[*appsv1.StatefulSet](rendered) {
		sum.add(int(*s.Spec.Replicas), s.Spec.Template.Spec)
	}
	for _, c := range all[*batchv1.CronJob](rendered) {
		require.Equal(t, batchv1.ForbidConcurrent, c.Spec.ConcurrencyPolicy, "%s: two at once would count twice", c.Name)
		sum.add(1, c.Spec.JobTemplate.Spec.Template.Spec)
	}
	for _, j := range all[*batchv1.Job](rendered) {
		sum.add(1, j.Spec.Template.Spec)
	}
	for _, p := range all[*corev1.Pod](rendered) {
		sum.add(1, p.Spec)
	}
	return sum
}

// The quota holds the worst case of what is rendered with a tenth to spare, and is no larger than rounding up makes it.
func TestQuotaHoldsTheWorstCase(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]map[string]string{
		"defaults":         nil,
		"larger slots":     {"autoscaling.maxReplicas": "25"},
		"fixed counts":     {"autoscaling.enabled": "false", "slots.green.replicas": "7"},
		"cold slot":        {"slots.green.replicas": "0"},
		"surge in percent": {"api.strategy.maxSurge": "25%"},
		"no jobs":          {"backup.enabled": "false", "helmTest.enabled": "false"},
	} {
		for _, file := range valuesFiles {
			rendered := mustRender(t, file, set)
			hard := get[*corev1.ResourceQuota](t, rendered, "ResourceQuota/detection-api-quota").Spec.Hard
			for resourceName, worst := range worstCase(t, rendered) {
				allowed := hard[resourceName]
				needed, unit := worst.AsApproximateFloat64()/0.9, 1.0
				if resourceName == corev1.ResourceRequestsMemory || resourceName == corev1.ResourceLimitsMemory {
					unit = 1 << 30
				}
				require.GreaterOrEqual(t, allowed.AsApproximateFloat64(), needed, "%s, %s: %s", name, file, resourceName)
				require.Less(t, allowed.AsApproximateFloat64(), needed+unit, "%s, %s: %s is larger than needed", name, file, resourceName)
			}
			claims := hard[corev1.ResourcePersistentVolumeClaims]
			require.Less(t, len(all[*corev1.PersistentVolumeClaim](rendered)), int(claims.Value()))
			services := hard[corev1.ResourceServices]
			require.Less(t, len(all[*corev1.Service](rendered)), int(services.Value()))
		}
	}
}

// A container of ours fits into the LimitRange.
func TestLimitRange(t *testing.T) {
	for _, file := range valuesFiles {
		rendered := mustRender(t, file, nil)
		limits := get[*corev1.LimitRange](t, rendered, "LimitRange/detection-api-limits").Spec.Limits
		require.Len(t, limits, 1)
		require.Equal(t, corev1.LimitTypeContainer, limits[0].Type)
		require.Len(t, limits[0].Default, 2)
		require.Len(t, limits[0].DefaultRequest, 2)
		for owner, template := range rendered.podTemplates() {
			for resourceName, limit := range template.Spec.Containers[0].Resources.Limits {
				most := limits[0].Max[resourceName]
				require.LessOrEqual(t, limit.Cmp(most), 0, "%s: %s", owner, resourceName)
			}
		}
	}
}
