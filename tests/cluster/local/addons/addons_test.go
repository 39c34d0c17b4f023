package addons

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/detection-api/detection-api/tests/cluster/local/address"
	"github.com/detection-api/detection-api/tests/cluster/local/pki"
)

func TestRender(t *testing.T) {
	authority, err := pki.NewAuthority("ca", time.Now())
	require.NoError(t, err)
	config := Config{
		Plan: address.Plan{Slot: 1}, Authority: authority, CoreDNSImage: "cluster.local/coredns:1",
		MetricsImage: "cluster.local/metrics-server:1", Provisioner: "p", ProvisionerUser: "pu", PolicyUser: "nu", DNSReplicas: 2,
	}
	rendered, err := config.render(time.Now())
	require.NoError(t, err)
	kinds := map[string]int{}
	for _, document := range strings.Split(string(rendered), "\n---\n") {
		var object struct {
			Kind     string
			Metadata struct{ Name string }
		}
		require.NoError(t, yaml.Unmarshal([]byte(document), &object), document)
		require.NotEmpty(t, object.Metadata.Name, document)
		kinds[object.Kind]++
	}
	require.Equal(t, 2, kinds["Deployment"])
	require.Equal(t, 2, kinds["StorageClass"])
	require.Equal(t, 1, kinds["APIService"])
	require.Contains(t, string(rendered), "clusterIP: 10.193.0.10")
	require.NotContains(t, string(rendered), "<no value>")
}
