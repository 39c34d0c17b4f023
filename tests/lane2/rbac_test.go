package lane2

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// roleCase is what holders of a role can and cannot do. An entry is "verb resource[.group][/subresource][:name]", in the
// release's namespace unless " @namespace" or " @cluster" follows.
type roleCase struct {
	user        string // {namespace} stands for the release's
	groups      []string
	can, cannot []string
}

// nobodyMay is refused to all of them: it would be a way to more rights, or to what runs elsewhere.
func nobodyMay() []string {
	return []string{
		"escalate roles.rbac.authorization.k8s.io", "bind roles.rbac.authorization.k8s.io", "impersonate users @cluster",
		"impersonate serviceaccounts", "create roles.rbac.authorization.k8s.io", "patch rolebindings.rbac.authorization.k8s.io",
		"create clusterrolebindings.rbac.authorization.k8s.io @cluster", "create serviceaccounts/token",
		"get secrets @kube-system", "get pods @kube-system", "delete deployments.apps @default", "patch nodes @cluster",
		"get nodes/proxy @cluster", "patch namespaces @cluster", "delete validatingadmissionpolicies.admissionregistration.k8s.io @cluster",
		"create pods/ephemeralcontainers", "approve certificatesigningrequests.certificates.k8s.io @cluster", "update deployments.apps/status",
		"deletecollection pods", "create pods/eviction",
	}
}

func roleCases() map[string]roleCase {
	return map[string]roleCase{
		"app": {
			user: "system:serviceaccount:{namespace}:detection-api-sa",
			can: []string{
				"get secrets:jwt-signing-key", "get secrets:store-credentials", "get secrets:tak-server-credentials",
				"get persistentvolumeclaims:detection-data-pvc", "get pods", "list pods", "get configmaps",
			},
			cannot: []string{
				"list secrets", "get secrets:registry-credentials", "list configmaps", "patch secrets:jwt-signing-key",
				"delete pods", "create pods", "watch pods", "get services", "get deployments.apps", "create pods/exec", "patch services:detection-api-service",
			},
		},
		"deployer": {
			user: "system:serviceaccount:{namespace}:detection-api-deployer-sa",
			can: []string{
				"create deployments.apps", "patch deployments.apps", "delete deployments.apps", "patch statefulsets.apps", "patch services",
				"create configmaps", "delete configmaps", "create secrets", "delete secrets", "list secrets", "patch horizontalpodautoscalers.autoscaling",
				"patch networkpolicies.networking.k8s.io", "patch cronjobs.batch", "create jobs.batch", "patch poddisruptionbudgets.policy",
				"patch resourcequotas", "get pods/log", "list pods", "watch replicasets.apps", "patch serviceaccounts",
			},
			cannot: []string{
				"create pods/exec", "create pods/portforward", "create pods/attach", "patch replicasets.apps", "patch secrets", "patch namespaces",
				"get roles.rbac.authorization.k8s.io", "delete rolebindings.rbac.authorization.k8s.io", "create persistentvolumes @cluster",
				"create validatingadmissionpolicies.admissionregistration.k8s.io @cluster", "create namespacedimagevalidatingpolicies.policies.kyverno.io",
			},
		},
		"operations": {
			user: "olga", groups: []string{"operations"},
			can: []string{
				"get pods", "delete pods", "get pods/log", "create pods/exec", "get pods/exec", "create pods/portforward", "patch deployments.apps",
				"patch statefulsets.apps", "get events", "get configmaps", "get endpointslices.discovery.k8s.io", "list pods.metrics.k8s.io",
			},
			cannot: []string{
				"get secrets", "list secrets", "create pods", "delete deployments.apps", "patch services", "patch configmaps", "delete persistentvolumeclaims",
				"patch networkpolicies.networking.k8s.io", "patch horizontalpodautoscalers.autoscaling", "create pods/attach", "patch deployments.apps/scale",
			},
		},
		"readonly": {
			user: "reader",
			can: []string{
				"get pods", "list deployments.apps", "watch services", "get pods/log", "get configmaps", "list networkpolicies.networking.k8s.io",
				"get horizontalpodautoscalers.autoscaling", "list roles.rbac.authorization.k8s.io", "get events", "list resourcequotas",
			},
			cannot: []string{
				"get secrets", "list secrets", "watch secrets", "create pods/exec", "get pods/exec", "create pods/portforward", "get pods/portforward",
				"create pods/attach", "get pods/proxy", "get services/proxy", "delete pods", "create pods", "patch deployments.apps", "patch services",
				"patch configmaps", "update deployments.apps/scale", "list nodes @cluster", "list namespaces @cluster",
			},
		},
		"prometheus": {
			user: "system:serviceaccount:monitoring:rbac-test-sa",
			can:  []string{"list pods", "watch pods", "list services", "watch endpoints", "list endpointslices.discovery.k8s.io"},
			cannot: []string{
				"get secrets", "list configmaps", "get pods/log", "delete pods", "list deployments.apps", "list nodes @cluster", "get nodes/metrics @cluster",
				"create pods/portforward", "get services/proxy", "list pods @default",
			},
		},
		"audit viewer": {
			user: "anna", groups: []string{"auditors"},
			can: []string{
				"list events", "list events @kube-system", "list roles.rbac.authorization.k8s.io", "list clusterrolebindings.rbac.authorization.k8s.io @cluster",
				"get validatingadmissionpolicies.admissionregistration.k8s.io @cluster", "list namespaces @cluster", "list serviceaccounts @kube-system",
			},
			cannot: []string{
				"get secrets", "list secrets @cluster", "get pods", "list configmaps", "get pods/log", "patch clusterroles.rbac.authorization.k8s.io @cluster",
				"delete events", "list nodes @cluster", "create pods/exec", "patch namespaces @cluster",
			},
		},
		"nobody": {
			user:   "mallory",
			cannot: []string{"get pods", "list configmaps", "get secrets", "patch services:detection-api-service", "list events", "get services"},
		},
	}
}

// TestRBAC asks the API server what the holders of each role can and cannot do.
func TestRBAC(t *testing.T) {
	l := start(t)
	t.Parallel()
	namespace := l.newNamespace(t)
	objects := l.render(t, namespace, "--values", l.chart("values-prod.yaml"), "--set", "rbac.auditViewer.enabled=true",
		// Another test gives prometheus-sa the whole cluster.
		"--set", "rbac.prometheus.serviceAccount=rbac-test-sa", "--set-json",
		`rbac.operations.subjects=[{"kind":"Group","name":"operations"}]`, "--set-json", `rbac.readOnly.subjects=[{"kind":"User","name":"reader"}]`,
		"--set-json", `rbac.auditViewer.subjects=[{"kind":"Group","name":"auditors"}]`)
	a := l.newApplier(t, namespace)
	rights := ofKind(objects, "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
	a.applyAll(t, rights)
	t.Cleanup(func() { l.removeClusterScoped(t, a, rights) })
	l.awaitRights(t, namespace)
	for name, role := range roleCases() {
		t.Run(name, func(t *testing.T) {
			for _, request := range role.can {
				require.True(t, l.allowed(t, role, namespace, request), "can %s", request)
			}
			for _, request := range append(role.cannot, nobodyMay()...) {
				require.False(t, l.allowed(t, role, namespace, request), "cannot %s", request)
			}
		})
	}
	t.Run("control: the administrator can what nobody may", func(t *testing.T) {
		for _, request := range nobodyMay() {
			require.True(t, l.allowed(t, roleCase{user: "admin", groups: []string{"system:masters"}}, namespace, request), request)
		}
	})
}

// allowed asks by a SubjectAccessReview.
func (l *lane) allowed(t *testing.T, who roleCase, namespace, request string) bool {
	t.Helper()
	attributes := parseRequest(t, request, namespace)
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: strings.ReplaceAll(who.user, "{namespace}", namespace), Groups: append([]string{"system:authenticated"}, who.groups...),
		ResourceAttributes: attributes,
	}}
	if strings.HasPrefix(review.Spec.User, "system:serviceaccount:") {
		review.Spec.Groups = append(review.Spec.Groups, "system:serviceaccounts", "system:serviceaccounts:"+strings.Split(review.Spec.User, ":")[2])
	}
	review, err := l.kube.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), review, metav1.CreateOptions{})
	require.NoError(t, err)
	require.Empty(t, review.Status.EvaluationError)
	return review.Status.Allowed
}

func parseRequest(t *testing.T, request, namespace string) *authorizationv1.ResourceAttributes {
	t.Helper()
	request, place, elsewhere := strings.Cut(request, " @")
	switch {
	case elsewhere && place == "cluster":
		namespace = ""
	case elsewhere:
		namespace = place
	}
	var verb, resource string
	_, err := fmt.Sscan(request, &verb, &resource)
	require.NoError(t, err, request)
	resource, name, _ := strings.Cut(resource, ":")
	resource, subresource, _ := strings.Cut(resource, "/")
	resource, group, _ := strings.Cut(resource, ".")
	return &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: verb, Group: group, Resource: resource, Subresource: subresource, Name: name}
}
