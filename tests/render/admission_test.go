package render

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
)

// One policy for each slot, bound to that slot's Deployment; its names say the namespace, because they are cluster-scoped.
func TestAdmissionPolicies(t *testing.T) {
	require.Empty(t, all[*admissionv1.ValidatingAdmissionPolicy](mustRender(t, "values.yaml", nil)))
	rendered := mustRender(t, "values.yaml", map[string]string{"promotion.admissionPolicy.enabled": "true", "slots.green.replicas": "6"})
	for slot, least := range map[string]string{"blue": ">= 3", "green": ">= 6"} {
		name := "detection-system-detection-api-promote-" + slot
		policy := get[*admissionv1.ValidatingAdmissionPolicy](t, rendered, "ValidatingAdmissionPolicy/"+name)
		require.Equal(t, &admissionv1.ParamKind{APIVersion: "apps/v1", Kind: "Deployment"}, policy.Spec.ParamKind)
		require.Equal(t, admissionv1.Fail, *policy.Spec.FailurePolicy)
		require.Equal(t, []admissionv1.OperationType{admissionv1.Update}, policy.Spec.MatchConstraints.ResourceRules[0].Operations)
		require.Contains(t, policy.Spec.MatchConditions[0].Expression, "== '"+slot+"'")
		require.Contains(t, policy.Spec.Validations[len(policy.Spec.Validations)-1].Expression, least)
		binding := get[*admissionv1.ValidatingAdmissionPolicyBinding](t, rendered, "ValidatingAdmissionPolicyBinding/"+name)
		require.Equal(t, name, binding.Spec.PolicyName)
		require.Equal(t, "detection-api-"+slot, binding.Spec.ParamRef.Name)
		require.Equal(t, namespace, binding.Spec.ParamRef.Namespace)
		require.Equal(t, admissionv1.DenyAction, *binding.Spec.ParamRef.ParameterNotFoundAction)
		require.Equal(t, []admissionv1.ValidationAction{admissionv1.Deny}, binding.Spec.ValidationActions)
	}
}

// The break-glass marks the Service for the one revision that it names, which is what the policies let through.
func TestForcedPromotionIsMarked(t *testing.T) {
	const active, mark = "Service/detection-api-service", "detection-api/promotion-forced"
	forced := get[*corev1.Service](t, mustRender(t, "values.yaml", map[string]string{"promotion.forceRevision": "1"}), active)
	require.Equal(t, "1", forced.Annotations[mark], "a first render is revision 1")
	later := get[*corev1.Service](t, mustRender(t, "values.yaml", map[string]string{"promotion.forceRevision": "2"}), active)
	require.NotContains(t, later.Annotations, mark)
	require.Equal(t, "1", later.Annotations["argocd.argoproj.io/sync-wave"], "Argo CD moves traffic after the Deployments are healthy")
	policy := get[*admissionv1.ValidatingAdmissionPolicy](t, mustRender(t, "values.yaml", map[string]string{"promotion.admissionPolicy.enabled": "true"}),
		"ValidatingAdmissionPolicy/detection-system-detection-api-promote-blue")
	require.True(t, strings.Contains(policy.Spec.MatchConditions[1].Expression, mark))
}
