// Package addons puts into a new local cluster what users expect of any: a name service, node-local storage classes and a
// metrics API, and the rights of the cluster's own agents.
package addons

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/base64"
	"fmt"
	"text/template"
	"time"

	"k8s.io/client-go/rest"

	"github.com/detection-api/detection-api/tests/cluster/local/address"
	"github.com/detection-api/detection-api/tests/cluster/local/pki"
	"github.com/detection-api/detection-api/tests/cluster/manifest"
)

//go:embed addons.yaml
var text string

// Config is what the manifests are rendered from.
type Config struct {
	// Plan holds the cluster's addresses.
	Plan address.Plan
	// Authority issues the certificate of the metrics API.
	Authority *pki.Authority
	// CoreDNSImage and MetricsImage are the names of images that are on every node.
	CoreDNSImage, MetricsImage string
	// Provisioner is the name of the volume provisioner, ProvisionerUser its user, PolicyUser that of the policy agents.
	Provisioner, ProvisionerUser, PolicyUser string
	// DNSReplicas is the number of name servers.
	DNSReplicas int
}

// Apply puts the add-ons into the cluster. It does not wait for their pods.
func Apply(ctx context.Context, client *rest.Config, config Config, now time.Time) error {
	rendered, err := config.render(now)
	if err != nil {
		return fmt.Errorf("render add-ons: %w", err)
	}
	return manifest.Apply(ctx, client, rendered)
}

func (c Config) render(now time.Time) ([]byte, error) {
	serving, err := c.Authority.Issue(pki.Subject{Name: "metrics-server", DNSNames: []string{"metrics-server.kube-system.svc"}}, now)
	if err != nil {
		return nil, err
	}
	parsed, err := template.New("addons.yaml").Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, err
	}
	var rendered bytes.Buffer
	err = parsed.Execute(&rendered, map[string]any{
		"Config": c, "DNSAddress": c.Plan.DNSService(), "HostAddress": c.Plan.Host(),
		"CA":          base64.StdEncoding.EncodeToString(c.Authority.Pair.Certificate),
		"Certificate": base64.StdEncoding.EncodeToString(serving.Certificate),
		"Key":         base64.StdEncoding.EncodeToString(serving.Key),
	})
	return rendered.Bytes(), err
}
