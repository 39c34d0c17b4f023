package lane2

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// releaseName is the name of every release here; the chart's objects have fixed names, so it is one in a namespace.
const releaseName = "detection-api"

// release is the chart in a namespace of its own, handled by one version of Helm.
type release struct {
	*lane
	binary     string // helm or helm4
	namespace  string
	kubeconfig string
}

// withEachHelm runs a test with Helm 3 and Helm 4, each in a new namespace.
func withEachHelm(t *testing.T, test func(t *testing.T, r *release)) {
	t.Parallel()
	l := start(t)
	for _, binary := range []string{"helm", "helm4"} {
		t.Run(binary, func(t *testing.T) {
			t.Parallel()
			test(t, l.newRelease(t, binary))
		})
	}
}

// newRelease makes a namespace with what has to be there before the release.
func (l *lane) newRelease(t *testing.T, binary string) *release {
	t.Helper()
	namespace := l.newNamespace(t)
	for name, data := range map[string]map[string]string{
		"jwt-signing-key":        {"secret_key": anyKey()},
		"store-credentials":      {"token": anyKey()},
		"tak-server-credentials": {"endpoint": "tak.example.net:8087"},
	} {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: data}
		_, err := l.kube.CoreV1().Secrets(namespace).Create(t.Context(), secret, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	return &release{lane: l, binary: binary, namespace: namespace, kubeconfig: l.Kubeconfig()}
}

// anyKey is as long as the keys of the README, and nobody's secret.
func anyKey() string { return strings.Repeat("A", 64) }

// newNamespace makes a namespace that enforces the restricted Pod Security Standard, and deletes it after the test.
func (l *lane) newNamespace(t *testing.T) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: namespacePrefix(t.Name()),
		Labels:       map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	namespace, err := l.kube.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		l.keepEvidence(t, namespace.Name)
		// Nobody waits for the end of it, so that the next test can start.
		if err := l.kube.CoreV1().Namespaces().Delete(context.Background(), namespace.Name, metav1.DeleteOptions{}); err != nil {
			t.Logf("delete namespace: %v", err)
		}
	})
	return namespace.Name
}

// namespacePrefix makes a name of what a test is called; a suffix follows.
func namespacePrefix(test string) string {
	name := regexp.MustCompile("[^a-z0-9]+").ReplaceAllString(strings.ToLower(strings.TrimPrefix(test, "Test")), "-")
	return name[:min(len(name), 50)] + "-"
}

// helm runs the release's Helm in its namespace.
func (r *release) helm(t *testing.T, args ...string) (string, error) {
	t.Helper()
	args = append(args, "--namespace", r.namespace, "--kubeconfig", r.kubeconfig)
	cmd := exec.CommandContext(t.Context(), r.tool(r.binary), args...)
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+t.TempDir())
	output, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s %s: %w\n%s", r.binary, strings.Join(args, " "), err, output)
	}
	return string(output), err
}

// unvalidated spares Helm the reading of the API server's schemas, half of the work of an upgrade. TestInstall has it done,
// and TestApply holds more than it.
const unvalidated = "--disable-openapi-validation"

// install installs the chart with values-prod.yaml and waits until its pods are ready.
func (r *release) install(t *testing.T, flags ...string) {
	t.Helper()
	args := []string{"install", releaseName, r.chart(), "--values", r.chart("values-prod.yaml"), unvalidated, "--wait", "--timeout", "4m"}
	_, err := r.helm(t, append(args, flags...)...)
	require.NoError(t, err)
}

// upgrade changes values as the README does, and waits.
func (r *release) upgrade(t *testing.T, flags ...string) error {
	t.Helper()
	args := []string{"upgrade", releaseName, r.chart(), "--reset-then-reuse-values", unvalidated, "--wait", "--timeout", "4m"}
	_, err := r.helm(t, append(args, flags...)...)
	return err
}

func (r *release) mustUpgrade(t *testing.T, flags ...string) {
	t.Helper()
	require.NoError(t, r.upgrade(t, flags...))
}

// rollback goes back to the release before.
func (r *release) rollback(t *testing.T) error {
	t.Helper()
	_, err := r.helm(t, "rollback", releaseName, "--wait", "--timeout", "4m")
	return err
}

// chart is the path of the chart or of a file in it.
func (l *lane) chart(elements ...string) string {
	return l.repository.Path(append([]string{"charts", "detection-api"}, elements...)...)
}

// kubectl runs kubectl as the administrator.
func (l *lane) kubectl(t *testing.T, namespace string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), l.tool("kubectl"), append([]string{"--kubeconfig", l.Kubeconfig(), "--namespace", namespace}, args...)...)
	output, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, output)
	}
	return string(output), err
}

// deployment returns the Deployment of a slot.
func (r *release) deployment(t *testing.T, slot string) *appsv1.Deployment {
	t.Helper()
	deployment, err := r.kube.AppsV1().Deployments(r.namespace).Get(t.Context(), "detection-api-"+slot, metav1.GetOptions{})
	require.NoError(t, err)
	return deployment
}

// awaitReady waits until a slot has exactly so many pods, all ready and all of its latest change.
func (r *release) awaitReady(t *testing.T, slot string, pods int32) {
	t.Helper()
	await(t, fmt.Sprintf("%d ready pods of slot %s", pods, slot), func(ctx context.Context) error {
		d, err := r.kube.AppsV1().Deployments(r.namespace).Get(ctx, "detection-api-"+slot, metav1.GetOptions{})
		if err != nil {
			return err
		}
		s := d.Status
		if s.ObservedGeneration != d.Generation || *d.Spec.Replicas != pods || s.Replicas != pods || s.UpdatedReplicas != pods || s.ReadyReplicas != pods {
			return fmt.Errorf("wants %d: %d pods, %d updated, %d ready", *d.Spec.Replicas, s.Replicas, s.UpdatedReplicas, s.ReadyReplicas)
		}
		return nil
	})
}

// activeSlot is where detection-api-service sends traffic.
func (r *release) activeSlot(t *testing.T) string {
	t.Helper()
	service, err := r.kube.CoreV1().Services(r.namespace).Get(t.Context(), "detection-api-service", metav1.GetOptions{})
	require.NoError(t, err)
	return service.Spec.Selector["slot"]
}
