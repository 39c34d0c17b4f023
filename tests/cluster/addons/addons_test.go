package addons

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/detection-api/detection-api/tests/cluster/local/pki"
)

func TestRender(t *testing.T) {
	authority, err := pki.NewAuthority("ca", time.Now())
	require.NoError(t, err)
	config := Config{
		Authority: authority, CoreDNSImage: "cluster.local/coredns:1", MetricsImage: "cluster.local/metrics-server:1",
		DNSAddress: "10.193.0.10", HostAddress: "10.89.1.1", Provisioner: "p", ProvisionerUser: "pu", PolicyUser: "nu", DNSReplicas: 2,
	}
	tests := []struct {
		name     string
		kind     string
		count    int
		contains string
	}{
		{Agents, "ClusterRole", 2, "name: \"nu\""},
		{Storage, "StorageClass", 1, "is-default-class"},
		{FastSSD, "StorageClass", 1, "provisioner: \"p\""},
		{DNS, "Deployment", 1, "clusterIP: 10.193.0.10"},
		{Metrics, "APIService", 1, "--kubelet-certificate-authority=/certificates/ca.crt"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rendered, err := config.render(test.name, time.Now())
			require.NoError(t, err)
			require.NotContains(t, string(rendered), "<no value>")
			require.Contains(t, string(rendered), test.contains)
			require.Equal(t, test.count, kinds(t, string(rendered))[test.kind])
		})
	}
}

func TestInsecureKubelets(t *testing.T) {
	authority, err := pki.NewAuthority("ca", time.Now())
	require.NoError(t, err)
	rendered, err := Config{Authority: authority, InsecureKubelets: true}.render(Metrics, time.Now())
	require.NoError(t, err)
	require.Contains(t, string(rendered), "        - --kubelet-insecure-tls\n        - --kubelet-preferred")
	require.NotContains(t, string(rendered), "certificate-authority")
	kinds(t, string(rendered))
}

// kinds counts the objects of a rendered text by kind.
func kinds(t *testing.T, text string) map[string]int {
	t.Helper()
	found := map[string]int{}
	for document := range strings.SplitSeq(text, "\n---\n") {
		var object struct {
			Kind     string
			Metadata struct{ Name string }
		}
		require.NoError(t, yaml.Unmarshal([]byte(document), &object), document)
		require.NotEmpty(t, object.Metadata.Name, document)
		found[object.Kind]++
	}
	return found
}
