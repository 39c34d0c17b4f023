// Package existing uses a cluster that somebody else runs: the one the variable KUBECONFIG names.
package existing

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// Cluster is a cluster that this harness neither starts nor stops.
type Cluster struct {
	kubeconfig string
	nodeHost   string
}

// Open reads KUBECONFIG and asks the cluster for its nodes.
func Open(ctx context.Context) (*Cluster, error) {
	path := os.Getenv("KUBECONFIG")
	if path == "" {
		return nil, errors.New("the provider existing needs the variable KUBECONFIG")
	}
	if files := filepath.SplitList(path); len(files) > 1 {
		return nil, fmt.Errorf("KUBECONFIG names %d files: name one", len(files))
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, fmt.Errorf("read KUBECONFIG: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("the cluster of KUBECONFIG does not answer: %w", err)
	}
	return &Cluster{kubeconfig: path, nodeHost: nodeHost(nodes.Items, config.Host)}, nil
}

// nodeHost picks where node ports are likely to answer: a node's external address, else its internal one, else the host
// of the API server.
func nodeHost(nodes []corev1.Node, server string) string {
	for _, wanted := range []corev1.NodeAddressType{corev1.NodeExternalIP, corev1.NodeInternalIP} {
		for _, node := range nodes {
			for _, address := range node.Status.Addresses {
				if address.Type == wanted && net.ParseIP(address.Address) != nil {
					return address.Address
				}
			}
		}
	}
	if parsed, err := url.Parse(server); err == nil {
		return parsed.Hostname()
	}
	return ""
}

// Kubeconfig is what KUBECONFIG names.
func (c *Cluster) Kubeconfig() string { return c.kubeconfig }

// NodePortHost is a node's address, or the API server's host.
func (c *Cluster) NodePortHost() string { return c.nodeHost }

// HostAddress is empty: how pods reach this machine is not known.
func (c *Cluster) HostAddress() string { return "" }

// LoadImage is refused: an existing cluster pulls from its registry.
func (c *Cluster) LoadImage(context.Context, string) error {
	return errors.New("an existing cluster takes no image archives: push the image to a registry that it pulls from")
}

// Export writes nothing: the components' logs are out of reach.
func (c *Cluster) Export(context.Context, string) error { return nil }

// Stop leaves the cluster alone.
func (c *Cluster) Stop(context.Context) error { return nil }
