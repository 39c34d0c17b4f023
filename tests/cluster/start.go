package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/detection-api/detection-api/tests/cluster/dataplane"
	"github.com/detection-api/detection-api/tests/cluster/existing"
	"github.com/detection-api/detection-api/tests/cluster/kind"
	"github.com/detection-api/detection-api/tests/cluster/local"
)

// Start brings up a cluster and returns when its nodes are ready and its data plane is proven (see the package dataplane;
// an existing cluster's is not, because the check needs an image of its own). A cluster of the same name is removed
// first, unless it is healthy and opts.Reuse is set. When it fails nothing is left but logs, and the error says where.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	opts, err := opts.complete(ctx)
	if err != nil {
		return nil, err
	}
	progress := opts.progress()
	if opts.Reuse {
		if c, err := Open(ctx, opts); err == nil && c.healthy(ctx) == nil {
			progress("using the running cluster " + opts.Name)
			return c, nil
		}
	}
	c := &Cluster{name: opts.Name, provider: opts.Provider}
	if c.backend, err = start(ctx, opts, progress); err != nil {
		return nil, fmt.Errorf("start cluster %s (%s): %w", opts.Name, opts.Provider, err)
	}
	if err := c.check(ctx, progress); err != nil {
		return nil, errors.Join(err, c.giveUp())
	}
	progress(fmt.Sprintf("cluster %s is ready", opts.Name))
	return c, nil
}

// Open attaches to a cluster that an earlier process started under opts.Name.
func Open(ctx context.Context, opts Options) (*Cluster, error) {
	opts, err := opts.complete(ctx)
	if err != nil {
		return nil, err
	}
	c := &Cluster{name: opts.Name, provider: opts.Provider}
	switch opts.Provider {
	case Existing:
		c.backend, err = existing.Open(ctx)
	case Kind:
		c.backend, err = kind.Open(ctx, opts.kind())
	default:
		c.backend, err = local.Open(ctx, opts.local(opts.progress()))
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Remove removes a cluster, also one that was left half started. Nothing to remove is no error. If neither opts nor the
// variable CLUSTER names a provider, it removes the clusters of that name of all providers: what the machine would choose
// may have changed since the start, for instance because KUBECONFIG now names the very cluster.
func Remove(ctx context.Context, opts Options) error {
	if opts.Provider == "" && os.Getenv("CLUSTER") == "" {
		return removeAny(ctx, opts)
	}
	opts, err := opts.complete(ctx)
	if err != nil {
		return err
	}
	switch opts.Provider {
	case Existing:
		return nil
	case Kind:
		return kind.Remove(ctx, opts.kind())
	default:
		return local.Remove(ctx, opts.local(opts.progress()))
	}
}

func removeAny(ctx context.Context, opts Options) error {
	var failures []error
	for _, provider := range []string{Local, Kind} {
		opts.Provider = provider
		names, err := List(ctx, opts)
		if err != nil {
			continue // without Docker there is no cluster of kind
		}
		if slices.Contains(names, opts.name()) {
			failures = append(failures, Remove(ctx, opts))
		}
	}
	return errors.Join(failures...)
}

// List names the clusters of the chosen provider that were started by this harness.
func List(ctx context.Context, opts Options) ([]string, error) {
	opts, err := opts.complete(ctx)
	if err != nil {
		return nil, err
	}
	switch opts.Provider {
	case Existing:
		return nil, nil
	case Kind:
		return kind.Names()
	default:
		return local.Names(opts.CacheDir)
	}
}

func start(ctx context.Context, opts Options, progress func(string)) (backend, error) {
	switch opts.Provider {
	case Existing:
		return existing.Open(ctx)
	case Kind:
		return kind.Start(ctx, opts.kind())
	default:
		return local.Start(ctx, opts.local(progress))
	}
}

// check proves the data plane where the provider has an image to prove it with.
func (c *Cluster) check(ctx context.Context, progress func(string)) error {
	probed, ok := c.backend.(interface{ ProbeImage() string })
	if !ok || probed.ProbeImage() == "" {
		return nil
	}
	config, err := c.RESTConfig()
	if err != nil {
		return err
	}
	progress("checking the data plane")
	return dataplane.Check(ctx, config, probed.ProbeImage())
}

func (c *Cluster) healthy(ctx context.Context) error {
	if b, ok := c.backend.(interface{ Healthy(context.Context) error }); ok {
		return b.Healthy(ctx)
	}
	return nil
}

// giveUp keeps evidence of a cluster whose check failed, and removes it. It runs also when the start's context has ended.
func (c *Cluster) giveUp() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	kept, err := os.MkdirTemp("", "cluster-"+c.name+"-")
	if err != nil {
		return errors.Join(err, c.Stop(ctx))
	}
	return errors.Join(fmt.Errorf("logs and objects of the failed start are in %s", kept), c.Export(ctx, kept), c.Stop(ctx))
}

func (o Options) name() string {
	if o.Name == "" {
		return DefaultName
	}
	return o.Name
}

// complete fills in the defaults.
func (o Options) complete(ctx context.Context) (Options, error) {
	var err error
	if o.Provider, err = Choose(ctx, o.Provider); err != nil {
		return o, err
	}
	o.Name = o.name()
	if o.Workers == 0 {
		o.Workers = 3
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.CacheDir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return o, fmt.Errorf("find the cache directory: %w", err)
		}
		o.CacheDir = filepath.Join(base, "detection-api")
	}
	return o, nil
}

// progress writes whole lines with the time since now, also when called from several goroutines.
func (o Options) progress() func(string) {
	var mu sync.Mutex
	started := time.Now()
	return func(line string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(o.Log, "[%6.1f s] %s\n", time.Since(started).Seconds(), line)
	}
}

func (o Options) local(progress func(string)) local.Options {
	return local.Options{Name: o.Name, Workers: o.Workers, CacheDir: o.CacheDir, Progress: progress}
}

func (o Options) kind() kind.Options {
	return kind.Options{Name: o.Name, Workers: o.Workers, NodePorts: o.NodePorts, Directory: filepath.Join(o.CacheDir, "kind"), Log: o.Log}
}
