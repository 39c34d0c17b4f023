package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/detection-api/detection-api/tests/cluster/local/cgroup"
	"github.com/detection-api/detection-api/tests/cluster/local/controlplane"
	"github.com/detection-api/detection-api/tests/cluster/local/link"
	"github.com/detection-api/detection-api/tests/cluster/local/lock"
	"github.com/detection-api/detection-api/tests/cluster/local/machine"
	"github.com/detection-api/detection-api/tests/cluster/local/node"
	"github.com/detection-api/detection-api/tests/cluster/local/parts"
	"github.com/detection-api/detection-api/tests/cluster/local/state"
)

// Cluster is a running local cluster.
type Cluster struct {
	directory state.Directory
	record    state.Cluster
	progress  func(string)
}

// clustersDir holds the state directories of a cache.
func clustersDir(cacheDir string) string { return filepath.Join(cacheDir, "clusters") }

// Names lists the clusters of a cache, also broken ones.
func Names(cacheDir string) ([]string, error) {
	directories, err := state.List(clustersDir(cacheDir))
	if err != nil {
		return nil, fmt.Errorf("list clusters: %w", err)
	}
	var names []string
	for _, directory := range directories {
		names = append(names, directory.Name())
	}
	return names, nil
}

// Open attaches to a cluster that was started before. It does not look whether the cluster works: see Healthy.
func Open(_ context.Context, opts Options) (*Cluster, error) {
	directory, err := state.At(clustersDir(opts.CacheDir), opts.Name)
	if err != nil {
		return nil, err
	}
	record, err := directory.Load()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no local cluster named %s: %w", opts.Name, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	return &Cluster{directory: directory, record: record, progress: opts.Progress}, nil
}

// Remove removes whatever exists of a cluster, running or broken. Nothing to remove is no error.
func Remove(ctx context.Context, opts Options) error {
	directory, err := state.At(clustersDir(opts.CacheDir), opts.Name)
	if err != nil {
		return err
	}
	if _, err := os.Stat(directory.Path()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := Check(); err != nil {
		return err
	}
	held, err := lock.Take(ctx, directory.Lock(), func() { opts.Progress("waiting for another run that starts or removes " + opts.Name) })
	if err != nil {
		return err
	}
	defer held.Release()
	defer os.Remove(directory.Lock())
	return remove(ctx, directory)
}

// remove ends the machines first: with them go their processes, mounts, interfaces and firewall rules. What is left is the
// bridge, the control groups and the directory, which goes last because all else is found from it.
func remove(ctx context.Context, directory state.Directory) error {
	record, err := directory.Load()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	machines, err := machine.List(directory.Path("machines"), parts.Set{Directory: record.Parts}.Program("nodeinit"))
	if err != nil {
		return err
	}
	for _, m := range machines {
		if err := m.Kill(ctx); err != nil {
			return err
		}
	}
	// The kernel takes cables down too, but some time after the machines are gone.
	for i := 1; i <= record.Workers; i++ {
		if err := link.Remove(directory.Cable(i)); err != nil {
			return err
		}
	}
	if err := link.Remove(directory.Bridge()); err != nil {
		return err
	}
	host, err := cgroup.Open(cgroup.Root)
	if err != nil {
		return err
	}
	if err := host.Remove(ctx, directory.Cgroup()); err != nil {
		return err
	}
	return os.RemoveAll(directory.Path())
}

// Stop removes the cluster.
func (c *Cluster) Stop(ctx context.Context) error {
	return Remove(ctx, Options{
		Name: c.directory.Name(), CacheDir: filepath.Dir(filepath.Dir(c.directory.Path())), Progress: c.progress,
	})
}

// Kubeconfig is the path of the administrator's kubeconfig.
func (c *Cluster) Kubeconfig() string { return c.directory.Kubeconfig() }

// NodePortHost is the address of the first node; every node serves every node port.
func (c *Cluster) NodePortHost() string { return c.record.Plan.Node(1).String() }

// HostAddress is this machine's address on the cluster's bridge.
func (c *Cluster) HostAddress() string { return c.record.Plan.Host().String() }

// ProbeImage is the image of the data-plane check; every node has it.
func (c *Cluster) ProbeImage() string { return parts.Ref("probe") }

func (c *Cluster) programs() parts.Set { return parts.Set{Directory: c.record.Parts} }

// LoadImage imports the archive on every running node at once.
func (c *Cluster) LoadImage(ctx context.Context, tarPath string) error {
	return c.eachNode(func(i int) error {
		id, ok := c.nodeMachine(i).Running()
		if !ok {
			return fmt.Errorf("%s is stopped", state.NodeName(i))
		}
		return c.importImage(ctx, id.PID, tarPath)
	})
}

func (c *Cluster) importImage(ctx context.Context, pid int, tarPath string) error {
	return c.containerd(ctx, pid, "images", "import", "--local", "--no-unpack=false", tarPath)
}

// containerd runs ctr against a node's containerd, in the namespace that the kubelet uses.
func (c *Cluster) containerd(ctx context.Context, pid int, arguments ...string) error {
	arguments = append([]string{"--address", node.Socket(pid), "--namespace", "k8s.io"}, arguments...)
	output, err := exec.CommandContext(ctx, c.programs().Program("ctr"), arguments...).CombinedOutput()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(output)), "\n")
		return fmt.Errorf("ctr %s: %w: %s", arguments[4], err, lines[len(lines)-1])
	}
	return nil
}

// eachNode runs f for every node number, all at once.
func (c *Cluster) eachNode(f func(i int) error) error {
	failures := make([]error, c.record.Workers)
	var running sync.WaitGroup
	for i := range c.record.Workers {
		running.Go(func() {
			if err := f(i + 1); err != nil {
				failures[i] = fmt.Errorf("%s: %w", state.NodeName(i+1), err)
			}
		})
	}
	running.Wait()
	return errors.Join(failures...)
}

func (c *Cluster) machine(name string) machine.Machine {
	return machine.Machine{
		Name: name, Init: c.programs().Program("nodeinit"),
		Directory: c.directory.Path("machines"), Log: c.directory.Path("log", name+".log"),
	}
}

func (c *Cluster) nodeMachine(i int) machine.Machine { return c.machine(state.NodeName(i)) }

func (c *Cluster) controlPlane() machine.Machine { return c.machine(controlplane.Name) }

// restConfig is the administrator's, without the client's own limit on its rate.
func (c *Cluster) restConfig() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	return config, nil
}

func (c *Cluster) client() (*kubernetes.Clientset, error) {
	config, err := c.restConfig()
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}
