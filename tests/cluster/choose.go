package cluster

import (
	"context"
	"fmt"
	"os"

	"github.com/detection-api/detection-api/tests/cluster/kind"
)

// Names of the providers.
const (
	Existing = "existing"
	Kind     = "kind"
	Local    = "local"
)

// machine is what the choice of a provider depends on.
type machine struct {
	getenv func(string) string
	// kindWorks tells whether Docker answers and has, or can get, a node image.
	kindWorks func(context.Context) bool
}

// Choose names the provider to use: the one asked for (wanted, or else the variable CLUSTER), or without any the existing
// cluster if KUBECONFIG is set, kind if Docker answers and a node image is there or can be had, else local.
func Choose(ctx context.Context, wanted string) (string, error) {
	return machine{getenv: os.Getenv, kindWorks: kind.Works}.choose(ctx, wanted)
}

func (m machine) choose(ctx context.Context, wanted string) (string, error) {
	source := "the option Provider"
	if wanted == "" {
		wanted, source = m.getenv("CLUSTER"), "the variable CLUSTER"
	}
	switch wanted {
	case Existing, Kind, Local:
		return wanted, nil
	case "":
	default:
		return "", fmt.Errorf("%s is %q: want existing, kind or local", source, wanted)
	}
	if m.getenv("KUBECONFIG") != "" {
		return Existing, nil
	}
	if m.kindWorks(ctx) {
		return Kind, nil
	}
	return Local, nil
}
