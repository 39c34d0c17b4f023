package kind

import (
	"context"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/detection-api/detection-api/tests/cluster/addons"
	"github.com/detection-api/detection-api/tests/cluster/local/parts"
	"github.com/detection-api/detection-api/tests/cluster/local/pki"
)

// provisioner is the name of the volume provisioner that node images bring, and that their class "standard" uses.
const provisioner = "rancher.io/local-path"

// furnish adds what kind lacks and the local provider has: the class fast-ssd, the metrics API, and the image of the
// data-plane check.
func (c *Cluster) furnish(ctx context.Context, opts Options) error {
	source, err := parts.DefaultSource()
	if err != nil {
		return err
	}
	builder := parts.Builder{Source: source, Progress: opts.progress}
	archives, err := builder.BuildImages(ctx, filepath.Join(opts.Directory, "parts"), "probe", "metrics-server")
	if err != nil {
		return err
	}
	for _, archive := range archives {
		if err := c.LoadImage(ctx, archive); err != nil {
			return err
		}
	}
	client, err := clientcmd.BuildConfigFromFlags("", c.kubeconfig)
	if err != nil {
		return err
	}
	now := time.Now()
	authority, err := pki.NewAuthority("metrics", now)
	if err != nil {
		return err
	}
	// The kubelets of kind sign their own serving certificates, so metrics-server cannot check them.
	return addons.Apply(ctx, client, addons.Config{
		Authority: authority, InsecureKubelets: true, MetricsImage: parts.Ref("metrics-server"), Provisioner: provisioner,
	}, now, addons.FastSSD, addons.Metrics)
}

// ProbeImage is the image of the data-plane check; every node has it.
func (c *Cluster) ProbeImage() string { return parts.Ref("probe") }
