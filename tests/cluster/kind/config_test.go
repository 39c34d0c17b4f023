package kind

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/yaml"
)

// TestConfig reads the configuration with kind's own types, strictly: a misspelt key fails.
func TestConfig(t *testing.T) {
	var got v1alpha4.Cluster
	require.NoError(t, yaml.UnmarshalStrict(config(Options{Workers: 4, NodePorts: []int32{30080, 30089}}), &got))
	require.Len(t, got.Nodes, 5)
	require.Equal(t, v1alpha4.ControlPlaneRole, got.Nodes[0].Role)
	for i, port := range []int32{30080, 30089} {
		mapping := got.Nodes[0].ExtraPortMappings[i]
		require.Equal(t, v1alpha4.PortMapping{ContainerPort: port, HostPort: port, ListenAddress: "127.0.0.1", Protocol: "TCP"}, mapping)
	}
	for i, zone := range []string{"a", "b", "c", "a"} {
		require.Equal(t, v1alpha4.WorkerRole, got.Nodes[i+1].Role)
		require.Equal(t, "zone-"+zone, got.Nodes[i+1].Labels["topology.kubernetes.io/zone"], fmt.Sprint(i))
	}
}

func TestConfigWithoutNodePorts(t *testing.T) {
	var got v1alpha4.Cluster
	require.NoError(t, yaml.UnmarshalStrict(config(Options{Workers: 1}), &got))
	require.Empty(t, got.Nodes[0].ExtraPortMappings)
}

func TestNodeImage(t *testing.T) {
	require.Contains(t, NodeImage(), "kindest/node:")
	t.Setenv(ImageVariable, "my/node:1")
	require.Equal(t, "my/node:1", NodeImage())
}
