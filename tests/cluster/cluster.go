// Package cluster starts a Kubernetes cluster for a test run, or takes over one that exists, behind one interface.
//
// Three providers serve it: "existing" (whatever KUBECONFIG names), "kind" (nodes as Docker containers) and "local"
// (nodes as processes in namespaces of this machine: Linux and root, no Docker, no registry). A test written against
// [Cluster] runs on all of them; what a provider cannot do is reported by [Cluster.Faults].
package cluster

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// DefaultName is the name of a cluster whose options give none.
const DefaultName = "detection-api"

// Options says which cluster to start. The zero value is a cluster named [DefaultName] of the default provider.
type Options struct {
	// Name tells clusters on one machine apart: lower-case letters, digits and '-', at most 20 characters.
	Name string
	// Provider is "existing", "kind", "local", or empty: the variable CLUSTER decides, and without it the machine does
	// (see [Choose]).
	Provider string
	// Workers is the number of nodes that run pods, spread round-robin over zone-a, zone-b and zone-c. Zero means 3.
	Workers int
	// CacheDir holds built programs and the state of running clusters. Empty means detection-api under the user's
	// cache directory.
	CacheDir string
	// NodePorts are the Service node ports the caller will use. Only kind needs them beforehand; the others serve any.
	NodePorts []int32
	// Reuse takes over a healthy cluster of that name instead of replacing it.
	Reuse bool
	// Log receives progress, one line per event. Nil discards it.
	Log io.Writer
}

// Cluster is a running cluster. Its methods may be called from several goroutines.
type Cluster struct {
	name     string
	provider string
	backend  backend
}

// backend is what a provider implements.
type backend interface {
	// Kubeconfig is the path of the administrator's kubeconfig.
	Kubeconfig() string
	// NodePortHost is an address of this machine's view at which every node port answers.
	NodePortHost() string
	// HostAddress is the address under which pods reach this machine, or empty if there is none.
	HostAddress() string
	// LoadImage puts the images of an archive on every node.
	LoadImage(ctx context.Context, tarPath string) error
	// Export writes what only the provider can see (component logs) into dir.
	Export(ctx context.Context, dir string) error
	// Stop ends the cluster and removes all of it. A second call does nothing.
	Stop(ctx context.Context) error
}

// Faults injects faults into the machines of a cluster.
type Faults interface {
	// StopNode cuts the power of a node: its kubelet and every container die at once and the node leaves the network.
	StopNode(ctx context.Context, node string) error
	// StartNode boots a stopped node. Volumes are kept; containers start anew.
	StartNode(ctx context.Context, node string) error
	// Partition unplugs the network cable of a node; its containers go on running.
	Partition(ctx context.Context, node string) error
	// Heal plugs the cable in again.
	Heal(ctx context.Context, node string) error
	// KillContainer sends SIGKILL to the first process of a running container.
	KillContainer(ctx context.Context, namespace, pod, container string) error
}

// Name is the name the cluster was started under.
func (c *Cluster) Name() string { return c.name }

// Provider is "existing", "kind" or "local".
func (c *Cluster) Provider() string { return c.provider }

// Kubeconfig is the path of a kubeconfig with administrator rights.
func (c *Cluster) Kubeconfig() string { return c.backend.Kubeconfig() }

// NodePortAddress is host:port at which this machine reaches a Service of type NodePort.
func (c *Cluster) NodePortAddress(nodePort int32) string {
	return net.JoinHostPort(c.backend.NodePortHost(), strconv.Itoa(int(nodePort)))
}

// NodePortURL is [Cluster.NodePortAddress] as an http URL without a path.
func (c *Cluster) NodePortURL(nodePort int32) string {
	return "http://" + c.NodePortAddress(nodePort)
}

// HostAddress is the IP address under which pods reach servers that listen on this machine (on that address or on all).
// It is empty where the provider does not know one (existing).
func (c *Cluster) HostAddress() string { return c.backend.HostAddress() }

// LoadImage makes the images of a docker-archive or OCI tar available on every node, under the names in the archive.
// An existing cluster gets its images from its registry, so there it is an error.
func (c *Cluster) LoadImage(ctx context.Context, tarPath string) error {
	if err := c.backend.LoadImage(ctx, tarPath); err != nil {
		return fmt.Errorf("load image %s: %w", tarPath, err)
	}
	return nil
}

// Faults returns the machine faults this cluster's provider can inject; ok is false if it can inject none.
func (c *Cluster) Faults() (faults Faults, ok bool) {
	faults, ok = c.backend.(Faults)
	return faults, ok
}

// Stop ends the cluster and removes every trace of it from the machine. It may be called again, and after a failure.
// An existing cluster is left alone.
func (c *Cluster) Stop(ctx context.Context) error {
	if err := c.backend.Stop(ctx); err != nil {
		return fmt.Errorf("stop cluster %s: %w", c.name, err)
	}
	return nil
}

// RESTConfig is the client configuration of [Cluster.Kubeconfig], with room for the bursts of a test.
func (c *Cluster) RESTConfig() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	config.QPS, config.Burst = 100, 200
	return config, nil
}

// Client is a typed client of the cluster.
func (c *Cluster) Client() (kubernetes.Interface, error) {
	config, err := c.RESTConfig()
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}
