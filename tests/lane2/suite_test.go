// Package lane2 tests the chart on a real control plane whose nodes and pods are played by KWOK (package controlplane):
// admission, RBAC, quota, autoscaling, upgrades, Argo CD's sync. One control plane serves all tests; each works in a
// namespace of its own.
//
//	go test ./lane2 -run TestPromotion -v
package lane2

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/detection-api/detection-api/tests/artifacts"
	"github.com/detection-api/detection-api/tests/condition"
	"github.com/detection-api/detection-api/tests/controlplane"
	"github.com/detection-api/detection-api/tests/crds"
)

const (
	// buildTimeout is for a first run, which builds Kubernetes, Helm and Argo CD's engine.
	buildTimeout = 45 * time.Minute
	// waitTimeout bounds a single wait; nothing takes this long unless the machine is busy.
	waitTimeout  = 4 * time.Minute
	pollInterval = 100 * time.Millisecond
)

// suite is shared by the tests, because a control plane is; TestMain cannot hand it over another way.
var suite environment

type environment struct {
	keep  bool
	start func() (*lane, error)

	mu      sync.Mutex
	running []*controlplane.ControlPlane
}

// lane is a control plane with the kinds of all operators on it, and clients of its administrator.
type lane struct {
	*controlplane.ControlPlane
	repository artifacts.Repository
	kube       kubernetes.Interface
	dynamic    dynamic.Interface
}

func TestMain(m *testing.M) {
	flag.BoolVar(&suite.keep, "keep", false, "wait for an interrupt after the tests, to look around")
	flag.Parse()
	suite.start = sync.OnceValues(suite.bringUp)
	code := m.Run()
	if err := suite.tearDown(); err != nil {
		fmt.Fprintln(os.Stderr, "tear down:", err)
		code = 1
	}
	os.Exit(code)
}

// bringUp starts the shared control plane: two nodes in each of three zones, the StorageClasses of the values files, the
// kinds of the operators.
func (e *environment) bringUp() (*lane, error) {
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	began := time.Now()
	repository, err := artifacts.Find(".")
	if err != nil {
		return nil, err
	}
	tools, defined := make(chan error, 1), make(chan error, 1)
	go func() { tools <- repository.Tools(ctx) }()
	l, err := e.startLane(ctx, repository, controlplane.Options{Log: os.Stderr})
	if err != nil {
		return nil, errors.Join(err, <-tools)
	}
	go func() { defined <- crds.Apply(ctx, l.Config(), kinds()...) }()
	err = errors.Join(l.furnish(ctx), <-defined, <-tools)
	fmt.Fprintf(os.Stderr, "lane 2 is up after %s\n", time.Since(began).Round(100*time.Millisecond))
	return l, err
}

// kinds are those of operators that the chart has objects of. All that the operators have would take the API server
// longer to learn than anything else here.
func kinds() []crds.Source {
	return []crds.Source{
		crds.SealedSecrets(),
		crds.PrometheusOperator().Only("servicemonitors.monitoring.coreos.com", "prometheusrules.monitoring.coreos.com"),
		crds.GatewayAPI().Only("httproutes.gateway.networking.k8s.io"),
		crds.CertManager().Only("certificates.cert-manager.io"),
		crds.Kyverno().Only("namespacedimagevalidatingpolicies.policies.kyverno.io", "imagevalidatingpolicies.policies.kyverno.io", "clusterpolicies.kyverno.io"),
		crds.ArgoCD().Only("applications.argoproj.io", "appprojects.argoproj.io"),
	}
}

func (e *environment) startLane(ctx context.Context, repository artifacts.Repository, options controlplane.Options) (*lane, error) {
	plane, err := controlplane.Start(ctx, options)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	e.running = append(e.running, plane)
	e.mu.Unlock()
	l := &lane{ControlPlane: plane, repository: repository}
	config := plane.Config()
	config.WarningHandler = rest.NoWarnings{} // a snapshot lists every kind, the deprecated ones too
	compact := rest.CopyConfig(config)
	compact.ContentType = runtime.ContentTypeProtobuf
	if l.kube, err = kubernetes.NewForConfig(compact); err != nil {
		return nil, err
	}
	l.dynamic, err = dynamic.NewForConfig(config)
	return l, err
}

func (l *lane) furnish(ctx context.Context) error {
	var nodes []controlplane.Node
	for _, zone := range []string{"a", "b", "c"} {
		for _, number := range []string{"1", "2"} {
			nodes = append(nodes, controlplane.Node{Name: "node-" + zone + number, Zone: "zone-" + zone, CPU: "64", Memory: "256Gi", Pods: 250})
		}
	}
	return errors.Join(l.AddNodes(ctx, nodes...),
		l.AddStorageClass(ctx, "standard", true), l.AddStorageClass(ctx, "fast-ssd", false))
}

func (e *environment) tearDown() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var failures []error
	for _, plane := range e.running {
		if e.keep {
			fmt.Fprintf(os.Stderr, "kept for you: export KUBECONFIG=%s; press Enter to end it\n", plane.Kubeconfig())
			_, _ = fmt.Scanln()
		}
		failures = append(failures, plane.Err(), plane.Close())
	}
	return errors.Join(failures...)
}

// start returns the shared control plane.
func start(t *testing.T) *lane {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a control plane; -short asks for the fast tests only")
	}
	l, err := suite.start()
	require.NoError(t, err, "bring up the control plane")
	return l
}

// keepEvidence writes what a failed test left in its namespace.
func (l *lane) keepEvidence(t *testing.T, namespace string) {
	if !t.Failed() {
		return
	}
	l.Keep()
	dir := l.repository.Build("evidence", strings.ReplaceAll(t.Name(), "/", "_"))
	ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
	defer cancel()
	for file, what := range map[string]string{
		"events.txt":   "events --sort-by=.lastTimestamp",
		"objects.txt":  "all,configmaps,pvc,pdb,hpa,resourcequota,networkpolicy -o wide",
		"objects.yaml": "deployments,statefulsets,replicasets,pods,services,hpa,resourcequota,configmaps,jobs,cronjobs -o yaml",
	} {
		cmd := exec.CommandContext(ctx, l.tool("kubectl"), append([]string{"--kubeconfig", l.Kubeconfig(), "-n", namespace, "get"}, strings.Fields(what)...)...)
		output, err := cmd.CombinedOutput()
		if err := errors.Join(err, os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, file), output, 0o600)); err != nil {
			t.Logf("keep the evidence: %v", err)
		}
	}
	t.Logf("objects and events are kept in %s, the programs' logs in %s", dir, l.Logs())
}

// tool is the path of a command line tool of this repository.
func (l *lane) tool(name string) string { return l.repository.Build("bin", name) }

// await fails the test when done is not content in time.
func await(t *testing.T, what string, done func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitTimeout)
	defer cancel()
	require.NoError(t, condition.Await(ctx, what, pollInterval, done))
}
