// Package kind runs a cluster whose nodes are Docker containers, with the library of sigs.k8s.io/kind: one control plane
// and worker nodes in three zones. It needs Docker and a node image, which Docker pulls where a registry answers.
package kind

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/kind/pkg/apis/config/defaults"
	kind "sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/cluster/nodeutils"
)

const (
	// ImageVariable names the variable that replaces kind's own choice of a node image.
	ImageVariable = "KIND_NODE_IMAGE"
	// readyTime bounds the wait for the nodes.
	readyTime = 5 * time.Minute
	// namePrefix keeps this harness's clusters apart from others on the same Docker.
	namePrefix = "chart-"
)

// Options says which cluster to start.
type Options struct {
	// Name tells clusters apart.
	Name string
	// Workers is the number of worker nodes.
	Workers int
	// NodePorts are published on 127.0.0.1 under their own numbers.
	NodePorts []int32
	// Directory holds the kubeconfigs.
	Directory string
	// Log receives progress.
	Log io.Writer
}

func (o Options) progress(line string) { fmt.Fprintln(o.Log, line) }

// Cluster is a running kind cluster.
type Cluster struct {
	name       string
	kubeconfig string
	provider   *kind.Provider
}

// NodeImage is the node image that will be used.
func NodeImage() string {
	if image := os.Getenv(ImageVariable); image != "" {
		return image
	}
	return defaults.Image
}

// Works tells whether Docker answers and the node image is there, or can be pulled; it pulls it.
func Works(ctx context.Context) bool {
	if !dockerAnswers(ctx) {
		return false
	}
	return exec.CommandContext(ctx, "docker", "image", "inspect", NodeImage()).Run() == nil ||
		exec.CommandContext(ctx, "docker", "pull", "--quiet", NodeImage()).Run() == nil
}

func dockerAnswers(ctx context.Context) bool {
	return exec.CommandContext(ctx, "docker", "version", "--format", "{{.Server.Version}}").Run() == nil
}

// Start creates the cluster; one of the same name is deleted first. The library cannot be interrupted, so ctx is looked
// at between its steps only.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	if !dockerAnswers(ctx) {
		return nil, errors.New("the provider kind needs Docker, which does not answer")
	}
	if err := Remove(ctx, opts); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(opts.Directory, 0o700); err != nil {
		return nil, err
	}
	c := open(opts)
	opts.progress("creating kind cluster " + c.name + " with " + NodeImage())
	err := c.provider.Create(c.name, kind.CreateWithRawConfig(config(opts)), kind.CreateWithNodeImage(NodeImage()),
		kind.CreateWithKubeconfigPath(c.kubeconfig), kind.CreateWithWaitForReady(readyTime),
		kind.CreateWithDisplayUsage(false), kind.CreateWithDisplaySalutation(false))
	if err != nil {
		return nil, err
	}
	if err := c.furnish(ctx, opts); err != nil {
		return nil, errors.Join(err, c.Stop(context.WithoutCancel(ctx)))
	}
	return c, ctx.Err()
}

func open(opts Options) *Cluster {
	return &Cluster{
		name: namePrefix + opts.Name, kubeconfig: filepath.Join(opts.Directory, opts.Name+".kubeconfig"),
		provider: kind.NewProvider(kind.ProviderWithDocker()),
	}
}

// Open attaches to a cluster that was created before.
func Open(_ context.Context, opts Options) (*Cluster, error) {
	names, err := Names()
	if err != nil {
		return nil, err
	}
	if !slices.Contains(names, opts.Name) {
		return nil, fmt.Errorf("there is no kind cluster named %s", opts.Name)
	}
	c := open(opts)
	return c, c.provider.ExportKubeConfig(c.name, c.kubeconfig, false)
}

// Names lists the clusters that this harness created.
func Names() ([]string, error) {
	all, err := kind.NewProvider(kind.ProviderWithDocker()).List()
	if err != nil {
		return nil, fmt.Errorf("list kind clusters: %w", err)
	}
	var names []string
	for _, name := range all {
		if own, ok := strings.CutPrefix(name, namePrefix); ok {
			names = append(names, own)
		}
	}
	return names, nil
}

// Remove deletes the cluster if there is one.
func Remove(_ context.Context, opts Options) error {
	c := open(opts)
	if err := c.provider.Delete(c.name, c.kubeconfig); err != nil {
		return fmt.Errorf("delete kind cluster: %w", err)
	}
	if err := os.Remove(c.kubeconfig); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

// Kubeconfig is the path of the administrator's kubeconfig.
func (c *Cluster) Kubeconfig() string { return c.kubeconfig }

// NodePortHost is the loopback address on which Docker publishes the node ports that the options named.
func (c *Cluster) NodePortHost() string { return "127.0.0.1" }

// HostAddress is the gateway of the Docker network that kind's nodes are in, which is this machine on Linux.
func (c *Cluster) HostAddress() string {
	output, err := exec.Command("docker", "network", "inspect", "kind", "--format",
		`{{range .IPAM.Config}}{{println .Gateway}}{{end}}`).Output()
	if err != nil {
		return ""
	}
	for gateway := range strings.FieldsSeq(string(output)) {
		if strings.Contains(gateway, ".") { // the first IPv4 one
			return gateway
		}
	}
	return ""
}

// LoadImage imports the archive on every node, as "kind load image-archive" does.
func (c *Cluster) LoadImage(ctx context.Context, tarPath string) error {
	nodes, err := c.provider.ListInternalNodes(c.name)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		archive, err := os.Open(tarPath)
		if err != nil {
			return err
		}
		err = nodeutils.LoadImageArchive(node, archive)
		archive.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", node, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// Healthy tells whether the API server answers and every node is ready.
func (c *Cluster) Healthy(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, node := range nodes.Items {
		ready := slices.ContainsFunc(node.Status.Conditions, func(condition corev1.NodeCondition) bool {
			return condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue
		})
		if !ready {
			return fmt.Errorf("%s is not ready", node.Name)
		}
	}
	return nil
}

func (c *Cluster) client() (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.kubeconfig)
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// Export is "kind export logs".
func (c *Cluster) Export(_ context.Context, dir string) error {
	return c.provider.CollectLogs(c.name, dir)
}

// Stop deletes the cluster.
func (c *Cluster) Stop(context.Context) error {
	if err := c.provider.Delete(c.name, c.kubeconfig); err != nil {
		return err
	}
	if err := os.Remove(c.kubeconfig); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}
