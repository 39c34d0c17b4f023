package render

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"
	"k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/audit/policy"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	sigsyaml "sigs.k8s.io/yaml"
)

// clusterFile is the path of a file for the administrator of the cluster.
func clusterFile(name string) string { return filepath.Join(chartDir, "cluster", name) }

// What is recorded, by the API server's own evaluator. A Secret's content never is, whoever asks and however.
func TestAuditPolicy(t *testing.T) {
	loaded, err := policy.LoadPolicyFromFile(clusterFile("audit-policy.yaml"))
	require.NoError(t, err)
	evaluator := policy.NewPolicyRuleEvaluator(loaded)
	level := func(verb, namespace, group, resource, subresource string) audit.Level {
		return evaluator.EvaluatePolicyRule(&authorizer.AttributesRecord{
			User: &user.DefaultInfo{Name: "somebody"}, Verb: verb, Namespace: namespace, APIGroup: group,
			Resource: resource, Subresource: subresource, ResourceRequest: true,
		}).Level
	}
	for _, namespace := range []string{namespace, "kube-system", ""} {
		for _, verb := range []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"} {
			require.Equal(t, audit.LevelMetadata, level(verb, namespace, "", "secrets", ""), verb)
		}
	}
	const rbac = "rbac.authorization.k8s.io"
	for _, c := range []struct {
		verb, namespace, group, resource, subresource string
		want                                          audit.Level
	}{
		{"create", "kube-system", "", "serviceaccounts", "token", audit.LevelMetadata},
		{"patch", namespace, "bitnami.com", "sealedsecrets", "", audit.LevelMetadata},
		{"create", "kube-system", rbac, "rolebindings", "", audit.LevelRequestResponse},
		{"delete", "", rbac, "clusterroles", "", audit.LevelRequestResponse},
		{"get", "", rbac, "clusterroles", "", audit.LevelNone},
		{"get", namespace, "", "pods", "exec", audit.LevelMetadata},
		{"create", namespace, "", "pods", "portforward", audit.LevelMetadata},
		{"patch", namespace, "apps", "deployments", "", audit.LevelRequest},
		{"update", namespace, "apps", "deployments", "scale", audit.LevelRequest},
		{"update", namespace, "apps", "deployments", "status", audit.LevelNone},
		{"get", namespace, "apps", "deployments", "", audit.LevelNone},
		{"patch", namespace, "", "services", "", audit.LevelRequest},
		{"delete", namespace, "", "pods", "", audit.LevelMetadata},
		{"create", namespace, "", "pods", "eviction", audit.LevelMetadata},
		{"patch", "default", "apps", "deployments", "", audit.LevelNone},
		{"delete", "", "admissionregistration.k8s.io", "validatingadmissionpolicies", "", audit.LevelRequest},
		{"patch", namespace, "policies.kyverno.io", "namespacedimagevalidatingpolicies", "", audit.LevelRequest},
	} {
		require.Equal(t, c.want, level(c.verb, c.namespace, c.group, c.resource, c.subresource), "%+v", c)
	}
}

// The template holds no key; the script fills in a new one of the right length, for its maker's eyes, and keeps an old one.
func TestEncryptionConfiguration(t *testing.T) {
	secret := func(path string) string {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var configuration apiserverv1.EncryptionConfiguration
		require.NoError(t, sigsyaml.UnmarshalStrict(text, &configuration))
		require.Equal(t, []string{"secrets"}, configuration.Resources[0].Resources)
		return configuration.Resources[0].Providers[0].Secretbox.Keys[0].Secret
	}
	require.Equal(t, "KEY", secret(clusterFile("encryption-configuration.yaml")))
	keys := map[string]bool{}
	for _, name := range []string{"a.yaml", "b.yaml"} {
		made := filepath.Join(t.TempDir(), name)
		output, err := exec.CommandContext(t.Context(), "sh", clusterFile("make-encryption-configuration"), made).CombinedOutput()
		require.NoError(t, err, string(output))
		key, err := base64.StdEncoding.DecodeString(secret(made))
		require.NoError(t, err)
		require.Len(t, key, 32)
		keys[string(key)] = true
		info, err := os.Stat(made)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
		output, err = exec.CommandContext(t.Context(), "sh", clusterFile("make-encryption-configuration"), made).CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(output), "may hold the only key")
	}
	require.Len(t, keys, 2, "each run makes another key")
}
