package lane2

import (
	"testing"

	"github.com/stretchr/testify/require"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/detection-api/detection-api/tests/controlplane"
)

// load is the CPU use at which the autoscaler is content with what it has: 70 % of the 250m that a pod requests.
const load = "175m"

// scaledTo brings a slot to so many pods as its autoscaler does: by the scale subresource, with the load that needs them.
func (r *release) scaledTo(t *testing.T, slot string, pods int32) {
	t.Helper()
	deployments := r.kube.AppsV1().Deployments(r.namespace)
	scale := &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Name: "detection-api-" + slot, Namespace: r.namespace},
		Spec:       autoscalingv1.ScaleSpec{Replicas: pods},
	}
	_, err := deployments.UpdateScale(t.Context(), scale.Name, scale, metav1.UpdateOptions{FieldManager: "kube-controller-manager"})
	require.NoError(t, err)
	r.awaitReady(t, slot, pods)
}

// TestPromotion deploys to the idle slot, promotes, and takes it back, while autoscalers hold both slots at seven pods.
func TestPromotion(t *testing.T) {
	withEachHelm(t, func(t *testing.T, r *release) {
		require.NoError(t, r.SetUsage(t.Context(), controlplane.Usage{Namespace: r.namespace, Container: "detection-api", CPU: load}))
		r.install(t)
		r.awaitReady(t, "blue", 3)
		r.scaledTo(t, "blue", 7)

		r.mustUpgrade(t, "--set", "slots.green.image.tag=1.2.3")
		r.awaitReady(t, "green", 3)
		r.awaitReady(t, "blue", 7)
		require.Equal(t, "blue", r.activeSlot(t), "deploying moves no traffic")

		err := r.upgrade(t, "--set", "activeSlot=green")
		require.ErrorContains(t, err, "promotion of slot green refused: Deployment detection-api-green has 3 of 3 pods ready, slot blue runs 7")
		require.Equal(t, "blue", r.activeSlot(t))

		r.mustUpgrade(t, "--set", "slots.green.replicas=7")
		r.awaitReady(t, "green", 7)

		before := r.snapshot(t, r.namespace)
		r.mustUpgrade(t, "--set", "activeSlot=green")
		require.Equal(t, "green", r.activeSlot(t))
		promoted := r.snapshot(t, r.namespace)
		require.Equal(t, []string{"Service/detection-api-service"}, before.differences(promoted), "a promotion changes one object")

		require.NoError(t, r.rollback(t))
		require.Equal(t, "blue", r.activeSlot(t))
		back := r.snapshot(t, r.namespace)
		require.Equal(t, []string{"Service/detection-api-service"}, promoted.differences(back), "taking it back changes one object")
		for _, slot := range []string{"blue", "green"} {
			require.Equal(t, int32(7), *r.deployment(t, slot).Spec.Replicas, "the autoscaler's count of slot %s", slot)
		}
	})
}

// TestColdSlot sends the idle slot to sleep and wakes it.
func TestColdSlot(t *testing.T) {
	withEachHelm(t, func(t *testing.T, r *release) {
		r.install(t)
		r.awaitReady(t, "green", 3)

		cold := []string{"--set", "slots.green.replicas=0"}
		if err := r.upgrade(t, cold...); r.binary == "helm4" {
			// Helm 4 respects that the autoscaler owns the count; the chart says so before anything happens.
			require.ErrorContains(t, err, "the autoscaler of slot green owns that field")
			_, err := r.kubectl(t, r.namespace, "scale", "deployment/detection-api-green", "--replicas=0")
			require.NoError(t, err)
			r.mustUpgrade(t, cold...)
		} else {
			require.NoError(t, err)
		}
		r.awaitReady(t, "green", 0)
		r.awaitReady(t, "blue", 3)
		_, err := r.kube.AutoscalingV2().HorizontalPodAutoscalers(r.namespace).Get(t.Context(), "detection-api-hpa-green", metav1.GetOptions{})
		require.Error(t, err, "a cold slot has no autoscaler")
		err = r.upgrade(t, "--set", "activeSlot=green")
		require.Error(t, err, "no traffic moves to a cold slot")

		r.wake(t)
		r.awaitReady(t, "green", 3)
		r.awaitReady(t, "blue", 3)
	})
}

// wake raises the cold slot, by the command that the chart asks for where it asks for one.
func (r *release) wake(t *testing.T) {
	t.Helper()
	err := r.upgrade(t, "--set", "slots.green.replicas=3")
	if err == nil {
		return
	}
	require.ErrorContains(t, err, "no autoscaler wakes it from there. Run first: kubectl")
	_, err = r.kubectl(t, r.namespace, "scale", "deployment/detection-api-green", "--replicas=1")
	require.NoError(t, err)
	r.mustUpgrade(t, "--set", "slots.green.replicas=3")
}

// TestPromotionByHand follows the last resort of docs/runbooks/rollback.md, and Helm's way back to its own.
func TestPromotionByHand(t *testing.T) {
	withEachHelm(t, func(t *testing.T, r *release) {
		r.install(t)
		r.awaitReady(t, "green", 3)
		_, err := r.kubectl(t, r.namespace, "patch", "service", "detection-api-service", "-p", `{"spec":{"selector":{"slot":"green"}}}`)
		require.NoError(t, err)
		r.mustUpgrade(t, "--set", "activeSlot=green")
		require.Equal(t, "green", r.activeSlot(t), "the values say what was done")

		back := []string{"--set", "activeSlot=blue"}
		if r.binary == "helm4" {
			require.ErrorContains(t, r.upgrade(t, back...), `conflict with "kubectl-patch"`)
			back = append(back, "--force-conflicts")
		}
		r.mustUpgrade(t, back...)
		require.Equal(t, "blue", r.activeSlot(t))
	})
}
