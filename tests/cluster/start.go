package cluster

import "context"

// Start brings up a cluster and returns when its nodes are ready and its data plane is proven. A cluster of the same
// name that is broken, or that opts.Reuse does not want, is removed first.
func Start(ctx context.Context, opts Options) (*Cluster, error) { panic("not yet") }

// Open attaches to a cluster that an earlier process started under opts.Name.
func Open(ctx context.Context, opts Options) (*Cluster, error) { panic("not yet") }

// Export writes evidence for a failed test into dir: logs of every container (also of those before a restart), events,
// object dumps, and the logs of the cluster's own components where the provider has them.
func (c *Cluster) Export(ctx context.Context, dir string) error { panic("not yet") }
