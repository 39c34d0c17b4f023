package lane2

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestInstall installs by the README's own commands, with Helm 3 and after that with Helm 4.
func TestInstall(t *testing.T) {
	l := start(t)
	t.Parallel()
	for _, binary := range []string{"helm", "helm4"} {
		t.Run(binary, func(t *testing.T) {
			r := &release{lane: l, binary: binary, namespace: "detection-system", kubeconfig: l.Kubeconfig()}
			defer r.uninstall(t)
			r.runReadme(t, "install")
			r.awaitReady(t, "blue", 3)
			r.awaitReady(t, "green", 3)
			namespace, err := l.kube.CoreV1().Namespaces().Get(t.Context(), r.namespace, metav1.GetOptions{})
			require.NoError(t, err)
			require.Equal(t, "restricted", namespace.Labels["pod-security.kubernetes.io/enforce"])
			store, err := l.kube.AppsV1().StatefulSets(r.namespace).Get(t.Context(), "detection-api-store", metav1.GetOptions{})
			require.NoError(t, err)
			require.Equal(t, int32(1), store.Status.ReadyReplicas)
			require.Len(t, r.zones(t, "blue"), 3)
			notes, err := r.helm(t, "get", "notes", releaseName)
			require.NoError(t, err)
			require.Contains(t, notes, "activeSlot=green")
		})
	}
}

// runReadme runs a marked block of README.md in the repository's root, with one version of Helm by the name of helm.
func (r *release) runReadme(t *testing.T, name string) {
	t.Helper()
	block, err := r.repository.ReadmeBlock(name)
	require.NoError(t, err)
	bin := t.TempDir()
	require.NoError(t, os.Symlink(r.tool(r.binary), filepath.Join(bin, "helm")))
	require.NoError(t, os.Symlink(r.tool("kubectl"), filepath.Join(bin, "kubectl")))
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", block)
	cmd.Dir = r.repository.Root
	cmd.Env = append(os.Environ(), "KUBECONFIG="+r.kubeconfig, "PATH="+bin+":"+os.Getenv("PATH"))
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// uninstall removes the release and its namespace, because the next one has the same name.
func (r *release) uninstall(t *testing.T) {
	r.keepEvidence(t, r.namespace)
	_, err := r.helm(t, "uninstall", releaseName, "--wait", "--timeout", "4m")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
	defer cancel()
	require.NoError(t, r.DeleteNamespace(ctx, r.namespace))
}

// zones counts the pods of a slot in each zone.
func (r *release) zones(t *testing.T, slot string) map[string]int {
	t.Helper()
	pods, err := r.kube.CoreV1().Pods(r.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app=detection-api,slot=" + slot})
	require.NoError(t, err)
	zones := map[string]int{}
	for _, pod := range pods.Items {
		node, err := r.kube.CoreV1().Nodes().Get(t.Context(), pod.Spec.NodeName, metav1.GetOptions{})
		require.NoError(t, err)
		zones[node.Labels["topology.kubernetes.io/zone"]]++
	}
	return zones
}
