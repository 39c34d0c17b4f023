package stack

import (
	"bytes"
	"context"
	_ "embed" // the TAK server's manifest
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/detection-api/detection-api/tests/artifacts"
)

//go:embed takserver.yaml
var takManifest []byte

// LoadImages builds the service's image under each of the versions, and the TAK test server's, and puts them on the nodes.
// An existing cluster gets its images from a registry: there, nothing is done.
func (s *Stack) LoadImages(ctx context.Context, versions ...string) error {
	if s.Cluster.Provider() == "existing" {
		fmt.Fprintln(s.Log, "images: an existing cluster pulls them itself; registry.internal/detection-api and registry.internal/takserver must be there")
		return nil
	}
	for _, version := range versions {
		err := s.step("image detection-api:"+version, func() error {
			image, err := s.Repository.ServiceImage(ctx, version)
			if err != nil {
				return err
			}
			return s.Cluster.LoadImage(ctx, image.Path)
		})
		if err != nil {
			return err
		}
	}
	return s.step("image takserver", func() error {
		image, err := s.Repository.TestImage(ctx, "takserver")
		if err != nil {
			return err
		}
		return s.Cluster.LoadImage(ctx, image.Path)
	})
}

// InstallTAK deploys the TAK test server and waits until it answers.
func (s *Stack) InstallTAK(ctx context.Context) error {
	return s.step("TAK test server", func() error {
		if err := s.Apply(ctx, takManifest); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeoutCause(ctx, 2*time.Minute, errors.New("the TAK test server did not answer in 2 minutes"))
		defer cancel()
		return waitFor(ctx, 500*time.Millisecond, func(ctx context.Context) error {
			_, err := s.TAK.Events(ctx)
			return err
		})
	})
}

// Apply applies manifests with kubectl, server-side.
func (s *Stack) Apply(ctx context.Context, manifests []byte) error {
	_, err := s.run(ctx, manifests, "kubectl", "apply", "--server-side", "-f", "-")
	return err
}

// InstallChart makes the namespace and installs or upgrades the release with values-dev.yaml and the given settings
// (as for helm --set).
func (s *Stack) InstallChart(ctx context.Context, version string, settings ...string) error {
	if err := s.EnsureNamespace(ctx); err != nil {
		return err
	}
	chart := s.Repository.Path("charts", "detection-api")
	args := []string{
		"upgrade", "--install", Release, chart, "--namespace", Namespace, "-f", filepath.Join(chart, "values-dev.yaml"),
		"--set", "image.tag=" + version, "--set", fmt.Sprintf("service.nodePort=%d", APINodePort),
		"--set", "secrets.development.takEndpoint=" + TAKEndpoint, "--wait", "--timeout", "5m",
	}
	for _, setting := range settings {
		args = append(args, "--set", setting)
	}
	return s.step("chart detection-api", func() error {
		_, err := s.run(ctx, nil, "helm", args...)
		return err
	})
}

// EnsureNamespace makes the release's namespace, with the labels that the chart gives it.
func (s *Stack) EnsureNamespace(ctx context.Context) error {
	_, err := s.Kube.CoreV1().Namespaces().Get(ctx, Namespace, metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		return err
	}
	manifest, err := s.run(ctx, nil, "helm", "template", Release, s.Repository.Path("charts", "detection-api"),
		"--namespace", Namespace, "--set", "namespace.create=true", "--show-only", "templates/namespace.yaml")
	if err != nil {
		return err
	}
	return s.Apply(ctx, manifest)
}

// Token mints a bearer token with the key that the release uses.
func (s *Stack) Token(ctx context.Context, lifetime time.Duration) (string, error) {
	secret, err := s.Kube.CoreV1().Secrets(Namespace).Get(ctx, "jwt-signing-key", metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("read the signing key: %w", err)
	}
	service, err := s.Repository.Service(ctx, artifacts.DevVersion)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, service, "token", "--subject", "make-up", "--lifetime", lifetime.String())
	cmd.Env = []string{"JWT_SECRET_KEY=" + string(secret.Data["secret_key"])}
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("mint a token: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Environment is what command line tools need to work on this cluster.
func (s *Stack) Environment() []string {
	return append(os.Environ(), "KUBECONFIG="+s.Cluster.Kubeconfig(), "PATH="+s.Repository.Build("bin")+":"+os.Getenv("PATH"))
}

// run runs a tool from build/bin or the path. Its complaint becomes the error.
func (s *Stack) run(ctx context.Context, input []byte, tool string, args ...string) ([]byte, error) {
	path := s.Repository.Build("bin", tool)
	if _, err := os.Stat(path); err != nil {
		path = tool
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env, cmd.Stdin = s.Environment(), bytes.NewReader(input)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", tool, args[0], err, strings.TrimSpace(complaint.String()))
	}
	return out.Bytes(), nil
}

// Uninstall removes the release, its namespace and the TAK test server from a cluster that goes on.
func (s *Stack) Uninstall(ctx context.Context) error {
	if _, err := s.run(ctx, nil, "helm", "uninstall", Release, "--namespace", Namespace, "--ignore-not-found", "--wait"); err != nil {
		return err
	}
	_, err := s.run(ctx, nil, "kubectl", "delete", "namespace", Namespace, "tak", "--ignore-not-found", "--wait=true")
	return err
}
