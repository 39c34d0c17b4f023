package local

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/detection-api/detection-api/tests/cluster/addons"
	"github.com/detection-api/detection-api/tests/cluster/local/address"
	"github.com/detection-api/detection-api/tests/cluster/local/cgroup"
	"github.com/detection-api/detection-api/tests/cluster/local/controlplane"
	"github.com/detection-api/detection-api/tests/cluster/local/link"
	"github.com/detection-api/detection-api/tests/cluster/local/lock"
	"github.com/detection-api/detection-api/tests/cluster/local/node"
	"github.com/detection-api/detection-api/tests/cluster/local/parts"
	"github.com/detection-api/detection-api/tests/cluster/local/pki"
	"github.com/detection-api/detection-api/tests/cluster/local/state"
)

// cleanupTime bounds the removal of what a failed start left.
const cleanupTime = time.Minute

// Start brings up a cluster; what exists under its name is removed first. When it fails nothing is left, except the logs
// in a directory that the error names.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	if err := Check(); err != nil {
		return nil, err
	}
	if opts.Workers < 1 || opts.Workers > address.MaxNodes {
		return nil, fmt.Errorf("%d nodes: want 1 to %d", opts.Workers, address.MaxNodes)
	}
	set, err := ensureParts(ctx, opts)
	if err != nil {
		return nil, err
	}
	directory, err := state.At(clustersDir(opts.CacheDir), opts.Name)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(clustersDir(opts.CacheDir), 0o700); err != nil {
		return nil, err
	}
	held, err := lock.Take(ctx, directory.Lock(), func() { opts.Progress("waiting for another run that starts or removes " + opts.Name) })
	if err != nil {
		return nil, err
	}
	defer held.Release()
	if err := remove(ctx, directory); err != nil {
		return nil, fmt.Errorf("remove what an earlier run left: %w", err)
	}
	c := &Cluster{
		directory: directory, progress: opts.Progress,
		record: state.Cluster{Name: opts.Name, Workers: opts.Workers, Parts: set.Directory},
	}
	if err := c.bringUp(ctx); err != nil {
		return nil, errors.Join(err, c.giveUp())
	}
	return c, nil
}

func ensureParts(ctx context.Context, opts Options) (parts.Set, error) {
	source, err := parts.DefaultSource()
	if err != nil {
		return parts.Set{}, err
	}
	builder := parts.Builder{Source: source, Cache: filepath.Join(opts.CacheDir, "parts"), Progress: opts.Progress}
	return builder.Ensure(ctx)
}

// giveUp keeps the logs of a failed start and removes the rest. It runs also when the start's context has ended.
func (c *Cluster) giveUp() error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTime)
	defer cancel()
	kept, err := os.MkdirTemp("", "cluster-"+c.record.Name+"-logs-")
	if err != nil {
		return errors.Join(err, remove(ctx, c.directory))
	}
	return errors.Join(
		fmt.Errorf("the logs of the failed start are in %s", kept),
		c.Export(ctx, kept), remove(ctx, c.directory), os.Remove(c.directory.Lock()))
}

// bringUp starts the control plane and the nodes together, loads images while they come up, and waits for the nodes.
func (c *Cluster) bringUp(ctx context.Context) error {
	for _, directory := range []string{c.directory.Path("log"), c.directory.Path("machines")} {
		if err := os.MkdirAll(directory, 0o700); err != nil {
			return err
		}
	}
	if err := c.connect(ctx); err != nil {
		return err
	}
	now := time.Now()
	authority, err := pki.NewAuthority("cluster-"+c.record.Name, now)
	if err != nil {
		return err
	}
	if err := c.writeKubeconfig(authority, now); err != nil {
		return err
	}
	if err := c.startControlPlane(authority, now); err != nil {
		return err
	}
	err = c.eachNode(func(i int) error { return c.prepareNode(i, authority, now) })
	if err != nil {
		return err
	}
	c.progress("starting the control plane and the nodes")
	loaded := make(chan error, 1)
	go func() { loaded <- c.eachNode(func(i int) error { return c.bootAndLoad(ctx, i) }) }()
	err = c.awaitAPI(ctx)
	if err == nil {
		c.progress("the API server answers")
		err = c.applyAddons(ctx, authority, now)
	}
	if err := errors.Join(err, <-loaded); err != nil {
		return err
	}
	c.progress("the nodes have their images")
	return c.awaitReady(ctx)
}

// connect chooses addresses and makes the bridge. One cluster at a time does so: an address range is visibly taken only
// when its bridge exists.
func (c *Cluster) connect(ctx context.Context) error {
	held, err := lock.Take(ctx, filepath.Join(filepath.Dir(c.directory.Path()), ".addresses.lock"), func() {})
	if err != nil {
		return err
	}
	defer held.Release()
	inUse, err := link.InUse()
	if err != nil {
		return err
	}
	if c.record.Plan, err = address.Choose(inUse); err != nil {
		return err
	}
	if err := c.directory.Save(c.record); err != nil {
		return err
	}
	plan, bridge := c.record.Plan, c.directory.Bridge()
	if err := link.AddBridge(bridge, netip.PrefixFrom(plan.Host(), plan.NodeNetwork().Bits())); err != nil {
		return err
	}
	for i := 1; i <= c.record.Workers; i++ {
		if err := link.AddRoute(bridge, plan.NodePods(i), plan.Node(i)); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) writeKubeconfig(authority *pki.Authority, now time.Time) error {
	admin, err := authority.Issue(pki.Subject{Name: "admin", Groups: []string{"system:masters"}}, now)
	if err != nil {
		return err
	}
	return pki.WriteKubeconfig(c.Kubeconfig(), "local-"+c.record.Name, c.record.Plan.APIServer(), authority.Pair.Certificate, admin)
}

func (c *Cluster) startControlPlane(authority *pki.Authority, now time.Time) error {
	host, inside := node.Volumes(c.directory.Path("nodes", "${NODE}"))
	config := controlplane.Config{
		Plan: c.record.Plan, Programs: c.programs(), Directory: c.directory.Path("control-plane"),
		Logs: c.directory.Path("log"), Authority: authority, Volumes: host, NodeVolumes: inside,
	}
	if err := config.Prepare(now); err != nil {
		return fmt.Errorf("prepare the control plane: %w", err)
	}
	_, err := c.controlPlane().Start(config.Machine())
	return err
}

func (c *Cluster) nodeConfig(i int) node.Config {
	return node.Config{
		Number: i, Count: c.record.Workers, Plan: c.record.Plan, Programs: c.programs(),
		Directory: c.directory.Path("nodes", state.NodeName(i)), Logs: c.directory.Path("log"),
		Cgroup: filepath.Join(c.directory.Cgroup(), state.NodeName(i)),
	}
}

func (c *Cluster) prepareNode(i int, authority *pki.Authority, now time.Time) error {
	config := c.nodeConfig(i)
	config.Authority = authority
	return config.Prepare(now)
}

// boot starts a prepared node and plugs it in. It returns the node's first process.
func (c *Cluster) boot(i int) (int, error) {
	host, err := cgroup.Open(cgroup.Root)
	if err != nil {
		return 0, err
	}
	config := c.nodeConfig(i)
	// The node's own programs get a group beside those of the pods: with version 2 only leaves may have processes.
	if config.CgroupFiles, err = host.Make(filepath.Join(config.Cgroup, "system")); err != nil {
		return 0, err
	}
	id, err := c.nodeMachine(i).Start(config.Machine())
	if err != nil {
		return 0, err
	}
	return id.PID, link.Plug(c.directory.Bridge(), c.directory.Cable(i), id.PID)
}

func (c *Cluster) bootAndLoad(ctx context.Context, i int) error {
	pid, err := c.boot(i)
	if err != nil {
		return err
	}
	if err := c.awaitContainerd(ctx, pid); err != nil {
		return err
	}
	for _, archive := range c.programs().Images() {
		if err := c.importImage(ctx, pid, archive); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) applyAddons(ctx context.Context, authority *pki.Authority, now time.Time) error {
	client, err := c.restConfig()
	if err != nil {
		return err
	}
	plan := c.record.Plan
	return addons.Apply(ctx, client, addons.Config{
		Authority: authority, CoreDNSImage: parts.Ref("coredns"), MetricsImage: parts.Ref("metrics-server"),
		DNSAddress: plan.DNSService().String(), HostAddress: plan.Host().String(), DNSReplicas: min(2, c.record.Workers),
		Provisioner: controlplane.Provisioner, ProvisionerUser: controlplane.ProvisionerUser, PolicyUser: node.PolicyUser,
	}, now, addons.Agents, addons.Storage, addons.FastSSD, addons.DNS, addons.Metrics)
}
