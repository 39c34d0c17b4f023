// Package artifacts builds what a cluster run needs from this repository: the service's binary, container images, and the
// command line tools. Go's build cache makes a second call quick.
package artifacts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Repository is a checkout of this project.
type Repository struct {
	Root string // absolute
}

// Find returns the repository that dir lies in: the nearest folder upwards with charts/detection-api.
func Find(dir string) (Repository, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return Repository{}, fmt.Errorf("find the repository: %w", err)
	}
	for ; ; root = filepath.Dir(root) {
		if _, err := os.Stat(filepath.Join(root, "charts", "detection-api", "Chart.yaml")); err == nil {
			return Repository{Root: root}, nil
		}
		if root == filepath.Dir(root) {
			return Repository{}, errors.New("find the repository: no folder above " + dir + " has charts/detection-api; run this inside a checkout")
		}
	}
}

// Path joins the elements below the repository's root.
func (r Repository) Path(elements ...string) string {
	return filepath.Join(append([]string{r.Root}, elements...)...)
}

// Build is the folder for what is built; it may be deleted at any time.
func (r Repository) Build(elements ...string) string {
	return r.Path(append([]string{"build"}, elements...)...)
}

// Tools builds helm (version 3), helm4 and kubectl at the versions of the tests module into build/bin.
func (r Repository) Tools(ctx context.Context) error {
	noCgo := []string{"CGO_ENABLED=0"}
	return errors.Join(
		r.goBuild(ctx, "tests", r.Build("bin", "helm"), "helm.sh/helm/v3/cmd/helm", noCgo, "-ldflags="+helmSettings),
		r.goBuild(ctx, "tests", r.Build("bin", "helm4"), "helm.sh/helm/v4/cmd/helm", noCgo, "-ldflags="+helm4Settings),
		r.goBuild(ctx, "tests", r.Build("bin", "kubectl"), "./cmd/kubectl", noCgo, "-ldflags=-s -w"),
		r.goBuild(ctx, "tests/linters", r.Build("bin", "kube-score"), "github.com/zegl/kube-score/cmd/kube-score", noCgo, "-ldflags=-s -w"),
	)
}

// helmSettings are the versions that Helm's own build sets. Without them `helm template` assumes Kubernetes 1.20, which
// the chart refuses.
const helmSettings = "-s -w -X helm.sh/helm/v3/internal/version.version=v3.22.0" +
	" -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=37" +
	" -X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor=37"

// helm4Settings are those of Helm 4, which finds the version of Kubernetes by itself.
const helm4Settings = "-s -w -X helm.sh/helm/v4/internal/version.version=v4.3.1"

// Service builds the service as a static binary. The version is what `detection-api version` prints.
func (r Repository) Service(ctx context.Context, version string) (string, error) {
	path := r.Build("bin", "detection-api-"+version)
	flags := []string{
		"-trimpath", "-buildvcs=false", "-tags=netgo,osusergo,sqlite_omit_load_extension",
		"-ldflags=-s -w -buildid= -linkmode=external -extldflags=-static -X main.version=" + version,
	}
	return path, r.goBuild(ctx, "app", path, "./cmd/detection-api", []string{"CGO_ENABLED=1"}, flags...)
}

// TestProgram builds one of the commands of the tests module as a static binary.
func (r Repository) TestProgram(ctx context.Context, name string) (string, error) {
	path := r.Build("bin", name)
	return path, r.goBuild(ctx, "tests", path, "./cmd/"+name, []string{"CGO_ENABLED=0"}, "-ldflags=-s -w")
}

// ArgoSync builds the command argosync, a module of its own that asks for a newer Go than the others: the go command gets
// it the way it gets modules.
func (r Repository) ArgoSync(ctx context.Context) (string, error) {
	path := r.Build("bin", "argosync")
	return path, r.goBuild(ctx, "tests/argosync", path, ".", []string{"CGO_ENABLED=0", "GOTOOLCHAIN=go1.27.0"}, "-ldflags=-s -w")
}

func (r Repository) goBuild(ctx context.Context, module, output, pkg string, env []string, flags ...string) error {
	args := append([]string{"build"}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, "-o", output, pkg)...)
	cmd.Dir = r.Path(module)
	cmd.Env = append(append(os.Environ(), "GOWORK=off"), env...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, strings.TrimSpace(string(text)))
	}
	return nil
}
