package render

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/auth/rbac/validation"

	"github.com/detection-api/detection-api/tests/chart"
)

// allRoles renders every Role and ClusterRole of the chart.
var allRoles = map[string]any{"rbac.auditViewer.enabled": true, "rbac.prometheus.clusterWide": true}

// roleRules returns the rules of all Roles and ClusterRoles by name.
func roleRules(o chart.Objects) map[string][]rbacv1.PolicyRule {
	rules := map[string][]rbacv1.PolicyRule{}
	for _, role := range chart.All[*rbacv1.Role](o) {
		rules[role.Name] = role.Rules
	}
	for _, role := range chart.All[*rbacv1.ClusterRole](o) {
		rules[role.Name] = role.Rules
	}
	return rules
}

// right parses "verb group/resource" or "verb group/resource:name"; the group "core" is the one without a name.
func right(t *testing.T, text string) rbacv1.PolicyRule {
	t.Helper()
	verb, object, found := strings.Cut(text, " ")
	require.True(t, found, text)
	object, name, named := strings.Cut(object, ":")
	group, resource, found := strings.Cut(object, "/")
	require.True(t, found, text)
	rule := rbacv1.PolicyRule{Verbs: []string{verb}, APIGroups: []string{strings.Replace(group, "core", "", 1)}, Resources: []string{resource}}
	if named {
		rule.ResourceNames = []string{name}
	}
	return rule
}

// Who can do what, and what each must not be able to do.
func TestRoles(t *testing.T) {
	rules := roleRules(rendered(t, chart.Options{Set: allRoles}))
	rules["detection-api-prometheus"] = roleRules(rendered(t, chart.Options{}))["detection-api-prometheus"]
	for _, c := range []struct {
		role        string
		can, cannot []string
	}{
		{
			"detection-api-app",
			[]string{"get core/secrets:jwt-signing-key", "get core/secrets:store-credentials", "get core/secrets:tak-server-credentials", "get core/persistentvolumeclaims:detection-data-pvc", "get core/configmaps", "list core/pods"},
			[]string{"list core/secrets", "get core/secrets:registry-credentials", "list core/configmaps", "update core/configmaps", "get core/pods/log", "create core/pods/exec"},
		},
		{
			"detection-api-deployer",
			[]string{"patch apps/deployments", "patch core/services", "create core/secrets", "update core/secrets", "list core/secrets", "get core/namespaces:detection-system", "get core/pods/log", "watch apps/replicasets"},
			[]string{"get core/namespaces:default", "patch core/namespaces:detection-system", "patch core/secrets", "create core/pods/exec", "create core/pods/portforward", "create core/serviceaccounts/token", "get rbac.authorization.k8s.io/roles", "create rbac.authorization.k8s.io/rolebindings", "patch policies.kyverno.io/namespacedimagevalidatingpolicies", "deletecollection core/pods", "create core/pods/ephemeralcontainers"},
		},
		{
			"detection-api-operations",
			[]string{"patch apps/deployments", "patch apps/statefulsets", "delete core/pods", "create core/pods/exec", "get core/pods/exec", "create core/pods/portforward", "get core/pods/log", "list core/events", "get core/services", "list metrics.k8s.io/pods"},
			[]string{"get core/secrets", "create core/pods", "create apps/deployments", "delete apps/deployments", "patch core/services", "patch core/configmaps", "create core/pods/ephemeralcontainers", "patch autoscaling/horizontalpodautoscalers", "deletecollection core/pods"},
		},
		{
			"detection-api-readonly",
			[]string{"get core/pods/log", "list core/configmaps", "watch apps/deployments", "list batch/cronjobs", "get networking.k8s.io/networkpolicies", "list rbac.authorization.k8s.io/roles", "list events.k8s.io/events", "get policy/poddisruptionbudgets"},
			[]string{"get core/secrets", "list core/secrets", "create core/pods/exec", "create core/pods/portforward", "patch apps/deployments", "delete core/pods"},
		},
		{
			"detection-api-prometheus",
			[]string{"list core/pods", "watch core/services", "list core/endpoints", "watch discovery.k8s.io/endpointslices"},
			[]string{"get core/secrets", "get core/configmaps", "list core/nodes", "delete core/pods"},
		},
		{
			"detection-system-prometheus",
			[]string{"list core/pods", "list core/nodes", "get core/nodes/metrics"},
			[]string{"get core/secrets", "get core/nodes/proxy", "delete core/pods"},
		},
		{
			"detection-system-audit-viewer",
			[]string{"list core/events", "list rbac.authorization.k8s.io/clusterrolebindings", "get admissionregistration.k8s.io/validatingadmissionpolicies", "list core/namespaces"},
			[]string{"get core/secrets", "get core/configmaps", "create rbac.authorization.k8s.io/roles", "get core/pods/log", "list core/pods"},
		},
	} {
		require.Contains(t, rules, c.role)
		for _, text := range c.can {
			allowed, _ := validation.Covers(rules[c.role], []rbacv1.PolicyRule{right(t, text)})
			require.True(t, allowed, "%s can %s", c.role, text)
		}
		for _, text := range c.cannot {
			allowed, _ := validation.Covers(rules[c.role], []rbacv1.PolicyRule{right(t, text)})
			require.False(t, allowed, "%s cannot %s", c.role, text)
		}
	}
}

// dangerous returns why a rule is too much for anybody, or nothing.
func dangerous(rule rbacv1.PolicyRule) string {
	reads := []string{"get", "list", "watch"}
	for _, verb := range rule.Verbs {
		switch {
		case slices.Contains([]string{"escalate", "bind", "impersonate", "deletecollection"}, verb):
			return "the verb " + verb
		case slices.Contains(rule.APIGroups, rbacv1.GroupName) && !slices.Contains(reads, verb):
			return "writes RBAC objects"
		case slices.Contains(rule.Resources, "serviceaccounts/token"):
			return "makes tokens"
		}
	}
	for _, part := range slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs, rule.NonResourceURLs) {
		if strings.Contains(part, "*") {
			return "a wildcard"
		}
	}
	return ""
}

// No role has a wildcard, and none can give itself or anybody else more than it has.
func TestRolesCannotWiden(t *testing.T) {
	for _, file := range append(slices.Clone(valuesFiles), platformFile) {
		rules := roleRules(rendered(t, chart.Options{ValuesFiles: layers(file), Set: allRoles}))
		require.Len(t, rules, 6, file)
		for name, list := range rules {
			for _, rule := range list {
				require.Empty(t, dangerous(rule), "%s: %s: %v", file, name, rule)
			}
		}
	}
	for _, bad := range []rbacv1.PolicyRule{
		{Verbs: []string{"*"}, APIGroups: []string{""}, Resources: []string{"pods"}},
		{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"*"}},
		{Verbs: []string{"create"}, APIGroups: []string{rbacv1.GroupName}, Resources: []string{"roles"}},
		{Verbs: []string{"bind"}, APIGroups: []string{rbacv1.GroupName}, Resources: []string{"roles"}},
		{Verbs: []string{"create"}, APIGroups: []string{""}, Resources: []string{"serviceaccounts/token"}},
	} {
		require.NotEmpty(t, dangerous(bad), "positive control: %v", bad)
	}
}

// A release without RBAC objects is one that the deployer can make: for each object that it renders, he has each verb that
// Helm uses. What an administrator makes is not among them.
func TestDeployerCanDeploy(t *testing.T) {
	t.Parallel()
	own := map[string]any{"monitoring.grafana.namespace": "", "monitoring.logs.namespace": "", "promotion.admissionPolicy.enabled": false, "argocd.enabled": false}
	sealed := map[string]any{"secrets.jwt.sealed": map[string]any{"secret_key": "AgB"}}
	for name, o := range map[string]chart.Options{
		"defaults":    {},
		"production":  {ValuesFiles: []string{"values-prod.yaml"}, Set: sealed},
		"development": {ValuesFiles: []string{"values-dev.yaml"}},
		"platform":    {ValuesFiles: layers(platformFile), Set: own},
	} {
		t.Run(name, func(t *testing.T) {
			rules := roleRules(rendered(t, o))["detection-api-deployer"]
			require.NotEmpty(t, rules)
			o.SetArguments = []string{"rbac.create=false"}
			for key, object := range rendered(t, o) {
				require.NotContains(t, []string{"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}, strings.Split(key, "/")[0])
				plural, _ := meta.UnsafeGuessKindToResource(object.GetObjectKind().GroupVersionKind())
				needs := rbacv1.PolicyRule{APIGroups: []string{plural.Group}, Resources: []string{plural.Resource}, Verbs: []string{"get", "list", "watch", "create", "patch", "delete"}}
				covered, missing := validation.Covers(rules, []rbacv1.PolicyRule{needs})
				require.True(t, covered, "%s: %v", key, missing)
			}
		})
	}
}

// lookupCall finds the kind and the name that a template looks up; an empty name is a list.
var lookupCall = regexp.MustCompile(`lookup "([^"]+)" "([^"]+)" (\S+) (""\)|[^)]*)`)

// The templates ask the cluster only what the deployer may ask.
func TestDeployerCanLookUp(t *testing.T) {
	rules := roleRules(rendered(t, chart.Options{}))["detection-api-deployer"]
	calls := 0
	for name, text := range loadChart(t).Templates() {
		for _, call := range lookupCall.FindAllStringSubmatch(string(text), -1) {
			version, kind, inNamespace := call[1], call[2], call[3]
			if kind == "Namespace" {
				require.Equal(t, `""`, inNamespace, name)
				continue // Its own by name, which TestRoles holds.
			}
			group := ""
			if before, _, grouped := strings.Cut(version, "/"); grouped {
				group = before
			}
			verb := "get"
			if strings.HasPrefix(call[4], `""`) {
				verb = "list"
			}
			plural, _ := meta.UnsafeGuessKindToResource(metav1.SchemeGroupVersion.WithKind(kind))
			covered, missing := validation.Covers(rules, []rbacv1.PolicyRule{{Verbs: []string{verb}, APIGroups: []string{group}, Resources: []string{plural.Resource}}})
			require.True(t, covered, "%s: %v", name, missing)
			calls++
		}
	}
	require.Greater(t, calls, 5)
}

// Every binding names a role that exists and the subjects that the values give; without any there is no binding.
func TestRoleBindings(t *testing.T) {
	subjects := []any{
		map[string]any{"kind": "User", "name": "oidc:alice"},
		map[string]any{"kind": "Group", "name": "oidc:sre"},
		map[string]any{"kind": "ServiceAccount", "name": "bot"},
		map[string]any{"kind": "ServiceAccount", "name": "bot", "namespace": "ci"},
	}
	want := []rbacv1.Subject{
		{Kind: "User", Name: "oidc:alice", APIGroup: rbacv1.GroupName},
		{Kind: "Group", Name: "oidc:sre", APIGroup: rbacv1.GroupName},
		{Kind: "ServiceAccount", Name: "bot", Namespace: namespace},
		{Kind: "ServiceAccount", Name: "bot", Namespace: "ci"},
	}
	without := rendered(t, chart.Options{Set: allRoles})
	for key, name := range map[string]string{
		"operations": "RoleBinding/detection-api-operations", "readOnly": "RoleBinding/detection-api-readonly",
		"auditViewer": "ClusterRoleBinding/detection-system-audit-viewer", "deployer": "RoleBinding/detection-api-deployer",
	} {
		if key != "deployer" {
			require.NotContains(t, without, name)
		}
		o := rendered(t, chart.Options{Set: map[string]any{"rbac." + key + ".subjects": subjects, "rbac.auditViewer.enabled": true}})
		reference, found := binding(t, o, name)
		require.Contains(t, o, reference.Kind+"/"+reference.Name)
		if key == "deployer" {
			require.Equal(t, rbacv1.Subject{Kind: "ServiceAccount", Name: "detection-api-deployer-sa", Namespace: namespace}, found[0])
			found = found[1:]
		}
		require.Equal(t, want, found, key)
	}
	reference, found := binding(t, without, "ClusterRoleBinding/detection-system-prometheus")
	require.Equal(t, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "detection-system-prometheus"}, reference)
	require.Equal(t, []rbacv1.Subject{{Kind: "ServiceAccount", Name: "prometheus-sa", Namespace: "monitoring"}}, found)
}

// binding returns what a RoleBinding or a ClusterRoleBinding binds.
func binding(t *testing.T, o chart.Objects, key string) (rbacv1.RoleRef, []rbacv1.Subject) {
	t.Helper()
	if strings.HasPrefix(key, "ClusterRoleBinding/") {
		found, err := chart.Get[*rbacv1.ClusterRoleBinding](o, key)
		require.NoError(t, err)
		return found.RoleRef, found.Subjects
	}
	found, err := chart.Get[*rbacv1.RoleBinding](o, key)
	require.NoError(t, err)
	return found.RoleRef, found.Subjects
}

// Each value takes away its own objects and no other.
func TestRBACSwitches(t *testing.T) {
	t.Parallel()
	all := rbacObjects(rendered(t, chart.Options{Set: allRoles}))
	for value, gone := range map[string][]string{
		"rbac.create":              all,
		"rbac.app":                 {"Role/detection-api-app", "RoleBinding/detection-api-app"},
		"rbac.deployer.enabled":    {"Role/detection-api-deployer", "RoleBinding/detection-api-deployer", "ServiceAccount/detection-api-deployer-sa"},
		"rbac.operations.enabled":  {"Role/detection-api-operations"},
		"rbac.readOnly.enabled":    {"Role/detection-api-readonly"},
		"rbac.prometheus.enabled":  {"ClusterRole/detection-system-prometheus", "ClusterRoleBinding/detection-system-prometheus"},
		"rbac.auditViewer.enabled": {"ClusterRole/detection-system-audit-viewer"},
	} {
		left := rbacObjects(rendered(t, chart.Options{Set: allRoles, SetArguments: []string{value + "=false"}}))
		require.ElementsMatch(t, gone, slices.DeleteFunc(slices.Clone(all), func(key string) bool { return slices.Contains(left, key) }), value)
	}
	namespaced := rendered(t, chart.Options{})
	require.Contains(t, namespaced, "RoleBinding/detection-api-prometheus")
	require.Empty(t, chart.All[*rbacv1.ClusterRole](namespaced), "the defaults need no right beyond the namespace")
	account, err := chart.Get[*corev1.ServiceAccount](namespaced, "ServiceAccount/detection-api-deployer-sa")
	require.NoError(t, err)
	require.Equal(t, new(false), account.AutomountServiceAccountToken)
}

// rbacObjects returns the keys of the RBAC objects and of the account that only they use.
func rbacObjects(o chart.Objects) []string {
	return slices.DeleteFunc(o.Keys(), func(key string) bool {
		return !strings.Contains(strings.Split(key, "/")[0], "Role") && key != "ServiceAccount/detection-api-deployer-sa"
	})
}
