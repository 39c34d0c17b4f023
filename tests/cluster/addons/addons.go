// Package addons puts into a new cluster what users expect of any: a name service, node-local storage classes and a metrics
// API, and the rights of the cluster's own agents. What is missing depends on the provider.
package addons

import (
	"bytes"
	"context"
	"embed"
	"encoding/base64"
	"fmt"
	"text/template"
	"time"

	"k8s.io/client-go/rest"

	"github.com/detection-api/detection-api/tests/cluster/local/pki"
	"github.com/detection-api/detection-api/tests/cluster/manifest"
)

//go:embed *.yaml
var files embed.FS

// Names of the add-ons.
const (
	// Agents are the rights of the agents that run on the machine instead of in pods.
	Agents = "agents.yaml"
	// DNS is CoreDNS.
	DNS = "dns.yaml"
	// Storage are the classes standard and fast-ssd, FastSSD only the latter.
	Storage = "storage.yaml"
	FastSSD = "fast-ssd.yaml"
	// Metrics is metrics-server.
	Metrics = "metrics.yaml"
)

// Config is what the manifests are rendered from. Each add-on uses some of it.
type Config struct {
	// Authority issues the certificate of the metrics API, and has issued those of the kubelets.
	Authority *pki.Authority
	// InsecureKubelets says that the kubelets' certificates are not the Authority's and cannot be checked.
	InsecureKubelets bool
	// CoreDNSImage and MetricsImage are the names of images that are on every node.
	CoreDNSImage, MetricsImage string
	// DNSAddress is the cluster IP of the name service, HostAddress what host.cluster.internal stands for.
	DNSAddress, HostAddress string
	// DNSReplicas is the number of name servers.
	DNSReplicas int
	// Provisioner is the name of the volume provisioner, ProvisionerUser its user, PolicyUser that of the policy agents.
	Provisioner, ProvisionerUser, PolicyUser string
}

// Apply puts the named add-ons into the cluster, in their order. It does not wait for their pods.
func Apply(ctx context.Context, client *rest.Config, config Config, now time.Time, names ...string) error {
	for _, name := range names {
		rendered, err := config.render(name, now)
		if err != nil {
			return fmt.Errorf("render %s: %w", name, err)
		}
		if err := manifest.Apply(ctx, client, rendered); err != nil {
			return err
		}
	}
	return nil
}

func (c Config) render(name string, now time.Time) ([]byte, error) {
	parsed, err := template.New(name).Option("missingkey=error").ParseFS(files, name)
	if err != nil {
		return nil, err
	}
	values := map[string]any{"Config": c}
	if name == Metrics {
		serving, err := c.Authority.Issue(pki.Subject{Name: "metrics-server", DNSNames: []string{"metrics-server.kube-system.svc"}}, now)
		if err != nil {
			return nil, err
		}
		values["CA"] = base64.StdEncoding.EncodeToString(c.Authority.Pair.Certificate)
		values["Certificate"] = base64.StdEncoding.EncodeToString(serving.Certificate)
		values["Key"] = base64.StdEncoding.EncodeToString(serving.Key)
	}
	var rendered bytes.Buffer
	err = parsed.Execute(&rendered, values)
	return rendered.Bytes(), err
}
