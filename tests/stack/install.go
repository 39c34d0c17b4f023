package stack

import (
	"bytes"
	"context"
	_ "embed" // the TAK server's manifest
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/detection-api/detection-api/tests/artifacts"
	"github.com/detection-api/detection-api/tests/cluster"
	"github.com/detection-api/detection-api/tests/condition"
)

//go:embed takserver.yaml
var takManifest []byte

//go:embed takserver-tls.yaml
var tlsTAKManifest []byte

// LoadImages builds the service's image, and the TAK test server's, and puts them on the nodes. It returns the tag of the
// service's. An existing cluster gets its images from a registry: there, nothing is done and the tag is DevVersion.
func (s *Stack) LoadImages(ctx context.Context, build func(context.Context) (artifacts.Image, error)) (tag string, err error) {
	if s.Cluster.Provider() == cluster.Existing {
		fmt.Fprintf(s.Log, "images: an existing cluster pulls them itself; %s/detection-api:%s and %[1]s/takserver:test must be there\n",
			artifacts.Registry, artifacts.DevVersion)
		return artifacts.DevVersion, nil
	}
	service, err := s.loadImage(ctx, "detection-api", build)
	if err != nil {
		return "", err
	}
	_, err = s.loadImage(ctx, "takserver", func(ctx context.Context) (artifacts.Image, error) {
		return s.Repository.TestImage(ctx, "takserver")
	})
	return service.Tag, err
}

func (s *Stack) loadImage(ctx context.Context, name string, build func(context.Context) (artifacts.Image, error)) (image artifacts.Image, err error) {
	err = s.step("image "+name, func() error {
		if image, err = build(ctx); err != nil {
			return err
		}
		return s.Cluster.LoadImage(ctx, image.Path)
	})
	return image, err
}

// InstallTAK deploys the TAK test server and waits until it answers.
func (s *Stack) InstallTAK(ctx context.Context) error {
	return s.step("TAK test server", func() error {
		if err := s.Apply(ctx, takManifest); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
		defer cancel()
		return condition.Await(ctx, "an answer of the TAK test server", 500*time.Millisecond, func(ctx context.Context) error {
			_, err := s.TAK.Events(ctx)
			return err
		})
	})
}

// InstallTLSTAK deploys the TAK test server with TLS as takserver-tls, whose certificates (tls.crt, tls.key and, as the authority
// of its clients, ca.crt) must be in the Secret of that name. It does not wait.
func (s *Stack) InstallTLSTAK(ctx context.Context) error { return s.Apply(ctx, tlsTAKManifest) }

// Apply applies manifests with kubectl, server-side.
func (s *Stack) Apply(ctx context.Context, manifests []byte) error {
	_, err := s.run(ctx, manifests, "kubectl", "apply", "--server-side", "-f", "-")
	return err
}

// InstallChart makes the namespace and installs or upgrades the release with values-dev.yaml. The active slot stays what
// it is.
func (s *Stack) InstallChart(ctx context.Context, tag string) error {
	if err := s.ensureNamespace(ctx); err != nil {
		return err
	}
	slot, err := s.activeSlot(ctx)
	if err != nil {
		return err
	}
	chart := s.Repository.Path("charts", "detection-api")
	return s.step("chart detection-api", func() error {
		_, err := s.run(ctx, nil, "helm", "upgrade", "--install", Release, chart, "--namespace", Namespace,
			"-f", filepath.Join(chart, "values-dev.yaml"),
			"--set", "activeSlot="+slot, "--set-string", "image.tag="+tag,
			"--set", fmt.Sprintf("service.nodePort=%d", APINodePort),
			"--set", "secrets.development.takEndpoint="+TAKEndpoint, "--wait", "--timeout", "5m")
		return err
	})
}

// activeSlot is the slot that receives traffic, the chart's default where nothing is installed.
func (s *Stack) activeSlot(ctx context.Context) (string, error) {
	service, err := s.Kube.CoreV1().Services(Namespace).Get(ctx, "detection-api-service", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "blue", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the active slot: %w", err)
	}
	return service.Spec.Selector["slot"], nil
}

// madeByUp is on the namespaces that this package made. It touches no others: on an existing cluster the release may be
// somebody's production.
const madeByUp = "detection-api/made-by-up"

// ensureNamespace makes the release's namespace, with the labels that the chart gives it.
func (s *Stack) ensureNamespace(ctx context.Context) error {
	switch exists, ours, err := s.namespace(ctx, Namespace); {
	case err != nil:
		return err
	case exists && !ours:
		return fmt.Errorf("namespace %s is there and was not made by make up: it may be in use; take another cluster, for instance CLUSTER=local or CLUSTER=kind", Namespace)
	case exists:
		return nil
	}
	manifest, err := s.run(ctx, nil, "helm", "template", Release, s.Repository.Path("charts", "detection-api"),
		"--namespace", Namespace, "--set", "namespace.create=true", "--show-only", "templates/namespace.yaml")
	if err != nil {
		return err
	}
	if err := s.Apply(ctx, manifest); err != nil {
		return err
	}
	_, err = s.run(ctx, nil, "kubectl", "label", "namespace", Namespace, madeByUp+"=true")
	return err
}

func (s *Stack) namespace(ctx context.Context, name string) (exists, ours bool, err error) {
	namespace, err := s.Kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, false, nil
	}
	if err != nil {
		return false, false, fmt.Errorf("look at namespace %s: %w", name, err)
	}
	return true, namespace.Labels[madeByUp] == "true", nil
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

// environment is what command line tools need to work on this cluster.
func (s *Stack) environment() []string {
	return append(os.Environ(), "KUBECONFIG="+s.Cluster.Kubeconfig(), "PATH="+s.Repository.Build("bin")+":"+os.Getenv("PATH"))
}

// run runs a tool from build/bin or the path. Its complaint becomes the error.
func (s *Stack) run(ctx context.Context, input []byte, tool string, args ...string) ([]byte, error) {
	path := s.Repository.Build("bin", tool)
	if _, err := os.Stat(path); err != nil {
		path = tool
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env, cmd.Stdin = s.environment(), bytes.NewReader(input)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", tool, args[0], err, strings.TrimSpace(complaint.String()))
	}
	return out.Bytes(), nil
}

// Uninstall removes the release, its namespace and the TAK test server from a cluster that goes on, as far as they were
// made here.
func (s *Stack) Uninstall(ctx context.Context) error {
	for _, name := range []string{Namespace, "tak"} {
		_, ours, err := s.namespace(ctx, name)
		if err != nil {
			return err
		}
		if !ours {
			continue
		}
		if name == Namespace {
			if _, err := s.run(ctx, nil, "helm", "uninstall", Release, "--namespace", name, "--ignore-not-found", "--wait"); err != nil {
				return err
			}
		}
		if _, err := s.run(ctx, nil, "kubectl", "delete", "namespace", name, "--ignore-not-found", "--wait=true"); err != nil {
			return err
		}
	}
	return nil
}
