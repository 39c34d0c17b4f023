package existing

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

func node(kind corev1.NodeAddressType, address string) corev1.Node {
	return corev1.Node{Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: kind, Address: address}}}}
}

func TestNodeHost(t *testing.T) {
	internal, external := node(corev1.NodeInternalIP, "10.0.0.1"), node(corev1.NodeExternalIP, "198.51.100.7")
	tests := []struct {
		name  string
		nodes []corev1.Node
		want  string
	}{
		{"external goes first", []corev1.Node{internal, external}, "198.51.100.7"},
		{"internal", []corev1.Node{node(corev1.NodeHostName, "n1"), internal}, "10.0.0.1"},
		{"no address", nil, "api.example.org"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.want, nodeHost(test.nodes, "https://api.example.org:6443"))
		})
	}
}

func TestOpenNeedsKubeconfig(t *testing.T) {
	t.Setenv("KUBECONFIG", "")
	_, err := Open(t.Context())
	require.EqualError(t, err, "the provider existing needs the variable KUBECONFIG")
	t.Setenv("KUBECONFIG", "/a:/b")
	_, err = Open(t.Context())
	require.EqualError(t, err, "KUBECONFIG names 2 files: name one")
}
