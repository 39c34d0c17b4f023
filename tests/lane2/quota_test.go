package lane2

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// TestQuotaHoldsTheWorstCase makes the pods of the worst case, all at once: both slots at their largest with every pod
// being replaced and the surge of a rollout, the store, each Job, the pod of `helm test`.
func TestQuotaHoldsTheWorstCase(t *testing.T) {
	l := start(t)
	t.Parallel()
	namespace := l.newNamespace(t)
	objects := l.render(t, namespace, "--values", l.chart("values-prod.yaml"))
	l.newApplier(t, namespace).applyAll(t, ofKind(objects, "ResourceQuota", "LimitRange", "ServiceAccount", "Service", "PersistentVolumeClaim"))
	worst := worstCase(t, ofKind(objects, "Deployment", "StatefulSet", "CronJob", "Job", "Pod"))
	for _, pod := range worst {
		_, err := l.kube.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{})
		require.NoError(t, err, pod.GenerateName)
	}
	quota := l.awaitUsed(t, namespace, len(worst))
	require.Len(t, quota.Status.Used, len(quota.Spec.Hard))
	for name, used := range quota.Status.Used {
		hard := quota.Spec.Hard[name]
		part := used.AsApproximateFloat64() / hard.AsApproximateFloat64()
		t.Logf("%s: %s of %s (%.0f %%)", name, used.String(), hard.String(), 100*part)
		require.LessOrEqual(t, part, 0.9, name)
		require.Positive(t, part, name)
	}

	t.Run("control: a smaller quota does not", func(t *testing.T) {
		patch := fmt.Sprintf(`{"spec":{"hard":{"pods":"%d"}}}`, len(worst))
		_, err := l.kube.CoreV1().ResourceQuotas(namespace).Patch(t.Context(), quota.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		require.NoError(t, err)
		await(t, "the refusal of one more pod", func(ctx context.Context) error {
			_, err = l.kube.CoreV1().Pods(namespace).Create(ctx, worst[0], metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			if err == nil {
				return errors.New("it is admitted")
			}
			return nil
		})
		require.ErrorContains(t, err, "exceeded quota")
	})
}

// awaitUsed waits until the quota has counted all pods at once; its controller and the admission both count.
func (l *lane) awaitUsed(t *testing.T, namespace string, pods int) *corev1.ResourceQuota {
	t.Helper()
	var quota *corev1.ResourceQuota
	await(t, "the quota to have counted", func(ctx context.Context) (err error) {
		quota, err = l.kube.CoreV1().ResourceQuotas(namespace).Get(ctx, "detection-api-quota", metav1.GetOptions{})
		if used := quota.Status.Used[corev1.ResourcePods]; err == nil && used.Value() != int64(pods) {
			err = fmt.Errorf("%s pods, not %d", used.String(), pods)
		}
		return err
	})
	return quota
}

// worstCase are the pods of each object as often as they can be there at once: a slot of ten is twenty pods, ten of
// them ending, and one of the surge.
func worstCase(t *testing.T, objects []*unstructured.Unstructured) []*corev1.Pod {
	t.Helper()
	const most, surge = 10, 1
	var pods []*corev1.Pod
	for _, object := range objects {
		count := 1
		if object.GetKind() == "Deployment" {
			require.True(t, strings.HasPrefix(object.GetName(), "detection-api-"))
			count = 2*most + surge
		}
		for range count {
			made := pod(t, object)
			delete(made.Labels, "app.kubernetes.io/instance") // so that nothing adopts it
			pods = append(pods, made)
		}
	}
	return pods
}
