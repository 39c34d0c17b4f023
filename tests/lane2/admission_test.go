package lane2

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// TestAdmissionPolicy has the API server guard the promotion, whoever asks for it.
func TestAdmissionPolicy(t *testing.T) {
	withEachHelm(t, func(t *testing.T, r *release) {
		r.install(t, "--set", "promotion.admissionPolicy.enabled=true")
		r.awaitReady(t, "green", 3)
		t.Cleanup(func() { r.removePolicies(t) })
		r.awaitAnswer(t, "green", "") // a safe promotion by kubectl
		r.mustUpgrade(t, "--set", "activeSlot=green")
		require.Equal(t, "green", r.activeSlot(t), "a safe promotion by Helm")

		// Blue gets pods that never get ready: the three old ones still answer, but they are not what would be promoted.
		_, err := r.helm(t, "upgrade", releaseName, r.chart(), "--reset-then-reuse-values", "--set", "slots.blue.image.tag=unpullable")
		require.NoError(t, err)
		r.awaitDenied(t, "blue", "slot blue")
		require.ErrorContains(t, r.upgrade(t, "--set", "activeSlot=blue"), "promotion of slot blue refused", "the chart says it first")
		_, err = r.helm(t, "rollback", releaseName, "1") // blue was active in it, and Helm applies Services before Deployments
		require.ErrorContains(t, err, "slot blue")
		require.Equal(t, "green", r.activeSlot(t))
		_, err = r.kubectl(t, r.namespace, "annotate", "service", "detection-api-service", "example.net/note=unrelated")
		require.NoError(t, err, "another change of the Service passes")
		require.NoError(t, r.pointTo(t, "green", metav1.PatchOptions{}), "so does one that moves nothing")
		_, err = r.kubectl(t, r.namespace, "annotate", "service", "detection-api-store", "example.net/note=other")
		require.NoError(t, err, "and every other Service")
	})
}

// pointTo moves traffic as anybody with the right to patch the Service could.
func (r *release) pointTo(t *testing.T, slot string, options metav1.PatchOptions) error {
	t.Helper()
	patch := fmt.Sprintf(`{"spec":{"selector":{"slot":%q}}}`, slot)
	_, err := r.kube.CoreV1().Services(r.namespace).Patch(t.Context(), "detection-api-service", types.StrategicMergePatchType, []byte(patch), options)
	return err
}

// awaitDenied waits until the policy is in force: the API server takes notice of a new one, and of what it looks at, a
// little later.
func (r *release) awaitDenied(t *testing.T, slot, message string) {
	t.Helper()
	var denied error
	await(t, "the refusal to move to slot "+slot, func(context.Context) error {
		denied = r.pointTo(t, slot, metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
		if denied == nil {
			return errors.New("it is admitted")
		}
		return nil
	})
	require.ErrorContains(t, denied, message)
	require.ErrorContains(t, denied, "detection-api-promote-"+slot)
}

func (r *release) removePolicies(t *testing.T) {
	t.Helper()
	for _, slot := range []string{"blue", "green"} {
		name := r.namespace + "-detection-api-promote-" + slot
		policies := r.kube.AdmissionregistrationV1()
		require.NoError(t, policies.ValidatingAdmissionPolicyBindings().Delete(context.Background(), name, metav1.DeleteOptions{}))
		require.NoError(t, policies.ValidatingAdmissionPolicies().Delete(context.Background(), name, metav1.DeleteOptions{}))
	}
}

// TestAdmissionPolicyReadsTheStatus goes through what a Deployment can say of itself. It needs a control plane whose
// Deployments nobody looks after, else their status could not be made up.
func TestAdmissionPolicyReadsTheStatus(t *testing.T) {
	l := guarded(t)
	t.Parallel()
	namespace := l.newNamespace(t)
	objects := l.render(t, namespace, "--values", l.chart("values-prod.yaml"), "--set", "promotion.admissionPolicy.enabled=true")
	kinds := []string{"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "Deployment", "Service"}
	l.newApplier(t, namespace).applyAll(t, ofKind(objects, kinds...))
	r := &release{lane: l, namespace: namespace}
	r.awaitDenied(t, "green", "slot green")

	tests := []struct {
		name   string
		behind int64 // generations that the controller has not seen
		status appsv1.DeploymentStatus
		denied string // empty: admitted
	}{
		{"ready", 0, appsv1.DeploymentStatus{Replicas: 3, UpdatedReplicas: 3, ReadyReplicas: 3}, ""},
		{"never seen", 0, appsv1.DeploymentStatus{}, "still rolling out"},
		{"changed since", 1, appsv1.DeploymentStatus{Replicas: 3, UpdatedReplicas: 3, ReadyReplicas: 3}, "has not seen yet"},
		{"one pod not ready", 0, appsv1.DeploymentStatus{Replicas: 3, UpdatedReplicas: 3, ReadyReplicas: 2}, "has 2 of 3 pods ready"},
		{"no pod ready", 0, appsv1.DeploymentStatus{Replicas: 3, UpdatedReplicas: 3}, "has 0 of 3 pods ready"},
		{"old pods answer", 0, appsv1.DeploymentStatus{Replicas: 4, UpdatedReplicas: 1, ReadyReplicas: 3}, "still rolling out"},
		{"an old pod is left", 0, appsv1.DeploymentStatus{Replicas: 4, UpdatedReplicas: 3, ReadyReplicas: 4}, "still rolling out"},
		{"ready again", 0, appsv1.DeploymentStatus{Replicas: 3, UpdatedReplicas: 3, ReadyReplicas: 3}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r.say(t, "green", 3, test.behind, test.status)
			r.awaitAnswer(t, "green", test.denied)
		})
	}
	t.Run("smaller than it must be", func(t *testing.T) {
		r.say(t, "green", 2, 0, appsv1.DeploymentStatus{Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2})
		r.awaitAnswer(t, "green", "has 2 of 2 pods ready, needed: at least 3")
	})
	t.Run("break-glass", func(t *testing.T) {
		require.NoError(t, r.force(t, "green", "7"), "the annotation comes with the change")
		require.NoError(t, r.pointTo(t, "nowhere", metav1.PatchOptions{}))
		require.Error(t, r.force(t, "green", "7"), "it does not stay in force")
	})
	t.Run("no Deployment", func(t *testing.T) {
		require.NoError(t, l.kube.AppsV1().Deployments(namespace).Delete(t.Context(), "detection-api-green", metav1.DeleteOptions{}))
		r.awaitAnswer(t, "green", "no params found for policy binding")
		// The API server looks for the Deployment before it asks what the change is, so nothing else changes either.
		_, err := l.kubectl(t, namespace, "annotate", "service", "detection-api-service", "example.net/note=unrelated")
		require.ErrorContains(t, err, "no params found for policy binding")
	})
}

// say makes up the status of a slot's Deployment.
func (r *release) say(t *testing.T, slot string, replicas int32, behind int64, status appsv1.DeploymentStatus) {
	t.Helper()
	deployments := r.kube.AppsV1().Deployments(r.namespace)
	d := r.deployment(t, slot)
	d.Spec.Replicas = &replicas
	d, err := deployments.Update(t.Context(), d, metav1.UpdateOptions{})
	require.NoError(t, err)
	d.Status = status
	d.Status.ObservedGeneration = d.Generation - behind
	_, err = deployments.UpdateStatus(t.Context(), d, metav1.UpdateOptions{})
	require.NoError(t, err)
}

// awaitAnswer waits until a promotion is answered as wanted: the policy sees a change a little later.
func (r *release) awaitAnswer(t *testing.T, slot, denied string) {
	t.Helper()
	await(t, "the answer to a promotion of "+slot, func(context.Context) error {
		err := r.pointTo(t, slot, metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
		switch {
		case denied == "":
			return err
		case err == nil:
			return errors.New("it is admitted")
		case !strings.Contains(err.Error(), denied):
			return fmt.Errorf("want %q: %w", denied, err)
		}
		return nil
	})
}

// force moves traffic with the annotation that the chart's promotion.forceRevision writes.
func (r *release) force(t *testing.T, slot, revision string) error {
	t.Helper()
	patch := fmt.Sprintf(`{"metadata":{"annotations":{"detection-api/promotion-forced":%q}},"spec":{"selector":{"slot":%q}}}`, revision, slot)
	_, err := r.kube.CoreV1().Services(r.namespace).Patch(t.Context(), "detection-api-service", types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{})
	return err
}
