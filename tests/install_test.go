package tests

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gruntwork-io/terratest/modules/helm"
	"github.com/gruntwork-io/terratest/modules/k8s"
	"github.com/gruntwork-io/terratest/modules/logger"
	"github.com/gruntwork-io/terratest/modules/shell"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/detection-api/detection-api/tests/condition"
	"github.com/detection-api/detection-api/tests/stack"
)

// release is the one production release that the tests share.
var release productionRelease

type productionRelease struct {
	once sync.Once
	err  error
}

// install runs the README's commands for production and then opens the door that this machine comes in by: a node port.
// That second step changes a Service and a NetworkPolicy; no pod is touched.
func (r *productionRelease) install(t *testing.T, s *stack.Stack) error {
	r.once.Do(func() {
		if r.err = runReadme(t, s, "install"); r.err != nil {
			return
		}
		options := helmOptions(s)
		options.SetValues = map[string]string{"service.type": "NodePort", "service.nodePort": fmt.Sprint(stack.APINodePort)}
		options.SetJSONValues = map[string]string{
			"networkPolicies.extraIngress":                 `[{"ipBlock":{"cidr":"0.0.0.0/0"}}]`,
			"networkPolicies.takEgress.namespaceSelectors": `[{"matchLabels":{"kubernetes.io/metadata.name":"tak"}}]`,
		}
		if r.err = upgrade(t, s, options); r.err != nil {
			return
		}
		r.err = slotsReady(t.Context(), s)
	})
	return r.err
}

// slotsReady waits until both slots have their pods: Helm waits for the one that a Deployment starts with, and the autoscaler
// brings the others.
func slotsReady(ctx context.Context, s *stack.Stack) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	return condition.Await(ctx, "the pods of both slots", time.Second, func(context.Context) error {
		return errors.Join(slotReady(s, "blue"), slotReady(s, "green"))
	})
}

// runReadme runs a marked block of README.md as a user would: in the repository's root, with the cluster's kubeconfig.
func runReadme(t *testing.T, s *stack.Stack, name string) error {
	t.Helper()
	block, err := s.Repository.ReadmeBlock(name)
	if err != nil {
		return err
	}
	_, err = shell.RunCommandAndGetOutputE(t, shell.Command{ //nolint:staticcheck // the variants with a context are newer than their documentation
		Command: "bash", Args: []string{"-euo", "pipefail", "-c", block}, WorkingDir: s.Repository.Root,
		Env: map[string]string{
			"KUBECONFIG": s.Cluster.Kubeconfig(), "TAK_ENDPOINT": stack.TAKEndpoint,
		},
		Logger: logger.Discard, // the commands carry secrets
	})
	return err
}

func helmOptions(s *stack.Stack) *helm.Options {
	return &helm.Options{
		KubectlOptions: kubectlOptions(s), Logger: logger.Discard,
		ExtraArgs: map[string][]string{"upgrade": {"--reset-then-reuse-values", "--wait", "--timeout", "5m"}},
	}
}

func kubectlOptions(s *stack.Stack) *k8s.KubectlOptions {
	options := k8s.NewKubectlOptions("", s.Cluster.Kubeconfig(), stack.Namespace)
	options.Logger = logger.Discard
	return options
}

func upgrade(t *testing.T, s *stack.Stack, options *helm.Options) error {
	t.Helper()
	return helm.UpgradeContextE(t, t.Context(), options, s.Repository.Path("charts", "detection-api"), stack.Release)
}

// TestInstall installs by the README's own commands and looks at what a user would look at.
func TestInstall(t *testing.T) {
	s, _ := installed(t)
	ctx := t.Context()
	namespace, err := s.Kube.CoreV1().Namespaces().Get(ctx, stack.Namespace, metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, "restricted", namespace.Labels["pod-security.kubernetes.io/enforce"])
	require.NoError(t, slotsReady(ctx, s)) // other tests, which take pods away, may have come before
	store, err := s.Kube.AppsV1().StatefulSets(stack.Namespace).Get(ctx, "detection-api-store", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, int32(1), store.Status.ReadyReplicas)
	zones := zonesOf(t, s, "blue")
	require.Len(t, zones, 3, "pods of slot blue per zone: %v", zones)
}

// zonesOf counts the pods of a slot in each zone.
func zonesOf(t *testing.T, s *stack.Stack, slot string) map[string]int {
	t.Helper()
	pods, err := s.Kube.CoreV1().Pods(stack.Namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app=detection-api,slot=" + slot})
	require.NoError(t, err)
	zones := map[string]int{}
	for _, pod := range pods.Items {
		node, err := s.Kube.CoreV1().Nodes().Get(t.Context(), pod.Spec.NodeName, metav1.GetOptions{})
		require.NoError(t, err)
		zones[node.Labels["topology.kubernetes.io/zone"]]++
	}
	return zones
}

// TestNotesNameTheActiveSlot holds that Helm's notes tell what a user needs next.
func TestNotesNameTheActiveSlot(t *testing.T) {
	s, _ := installed(t)
	notes, err := helm.RunHelmCommandAndGetOutputContextE(t, t.Context(), helmOptions(s),
		"get", "notes", stack.Release)
	require.NoError(t, err)
	require.Contains(t, notes, "blue")
	require.Contains(t, notes, "activeSlot=green")
}
