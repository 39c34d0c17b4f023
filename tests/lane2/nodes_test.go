package lane2

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/detection-api/detection-api/tests/artifacts"
	"github.com/detection-api/detection-api/tests/controlplane"
)

// zones of the control plane whose nodes are drained and lost.
var zones = []string{"zone-a", "zone-b", "zone-c"}

// activePods and idlePods select the pods of a slot.
const (
	activePods = "app=detection-api,slot=blue"
	idlePods   = "app=detection-api,slot=green"
)

// TestNodes has a control plane of its own: what it does to nodes would be felt by every other test. Pods leave a lost
// node after 2 s instead of the 300 s that a cluster gives them by default.
func TestNodes(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a control plane; -short asks for the fast tests only")
	}
	t.Parallel()
	l := ownLane(t, controlplane.Options{
		Log: os.Stderr, ExtraAPIServerFlags: []string{"--default-unreachable-toleration-seconds=2", "--default-not-ready-toleration-seconds=2"},
	})
	require.NoError(t, l.furnish(t.Context()))
	t.Run("spread", l.testSpread)
	t.Run("drain", l.testDrain)
	t.Run("zone loss", l.testZoneLoss)
}

// ownLane starts a control plane for one test.
func ownLane(t *testing.T, options controlplane.Options) *lane {
	t.Helper()
	repository, err := artifacts.Find(".")
	require.NoError(t, err)
	require.NoError(t, repository.Tools(t.Context()))
	l, err := suite.startLane(t.Context(), repository, options)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, l.Err(), "no program of the control plane has ended")
		if !suite.keep {
			require.NoError(t, l.Close())
		}
	})
	return l
}

// testSpread schedules a slot over the zones, strictly and as well as it goes.
func (l *lane) testSpread(t *testing.T) {
	r := l.newRelease(t, "helm")
	r.install(t)
	require.Equal(t, map[string]int{"zone-a": 1, "zone-b": 1, "zone-c": 1}, r.perZone(t, activePods))
	r.mustUpgrade(t, "--set", "api.topologySpread.zone=DoNotSchedule,slots.blue.replicas=8")
	r.awaitReady(t, "blue", 8)
	counts := r.perZone(t, activePods)
	for _, zone := range zones {
		require.GreaterOrEqual(t, counts[zone], 2, "8 pods, at most one more in a zone than in another: %v", counts)
	}
}

// testDrain evicts pods while no new one finds a node, so that what a budget allows is all there is; then it drains each
// node as an administrator does.
func (l *lane) testDrain(t *testing.T) {
	r := l.newRelease(t, "helm")
	r.install(t)
	l.cordon(t, true)
	active, idle := r.pods(t, activePods), r.pods(t, idlePods)
	require.Len(t, active, 3)
	require.NoError(t, r.evict(t, active[0].Name), "one of three may go: two stay")
	await(t, "the replacement that has no node", func(ctx context.Context) error { return r.awaitPending(ctx, 1) })
	require.ErrorContains(t, r.evict(t, active[1].Name), "disruption budget", "three ready pods of the idle slot do not count")
	require.NoError(t, r.evict(t, idle[0].Name), "the idle slot has a budget of its own")
	require.ErrorContains(t, r.evict(t, idle[1].Name), "disruption budget")
	l.cordon(t, false)
	r.awaitReady(t, "blue", 3)
	r.awaitReady(t, "green", 3)

	least := r.watchLeast(t, 2)
	for _, zone := range zones {
		for _, number := range []string{"1", "2"} {
			node := "node-" + zone[len("zone-"):] + number
			_, err := l.kubectl(t, r.namespace, "drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=60s")
			require.NoError(t, err)
			_, err = l.kubectl(t, r.namespace, "uncordon", node)
			require.NoError(t, err)
		}
	}
	require.NoError(t, least(), "pods that took traffic while every node was drained")
}

// testZoneLoss loses a zone: the Service has no endpoint in it, new pods come up in the others, and when the zone is back
// its pods are gone.
func (l *lane) testZoneLoss(t *testing.T) {
	r := l.newRelease(t, "helm")
	r.install(t, "--set", "api.topologySpread.zone=DoNotSchedule")
	require.Equal(t, 3, r.readyEndpoints(t, l.nodesOf(t, zones...)))
	began := time.Now()
	require.NoError(t, l.StopZone(t.Context(), "zone-c"))
	lost, left := l.nodesOf(t, "zone-c"), l.nodesOf(t, "zone-a", "zone-b")
	await(t, "no endpoint in the lost zone", func(context.Context) error {
		if n := r.readyEndpoints(t, lost); n > 0 {
			return fmt.Errorf("%d are there", n)
		}
		return nil
	})
	require.GreaterOrEqual(t, r.readyEndpoints(t, left), 2, "the other zones serve on")
	t.Logf("no traffic to the lost zone after %s", time.Since(began).Round(time.Second))
	await(t, "three endpoints in the other zones", func(context.Context) error {
		if n := r.readyEndpoints(t, left); n != 3 {
			return fmt.Errorf("%d are there", n)
		}
		return nil
	})
	t.Logf("as many pods as before after %s", time.Since(began).Round(time.Second))
	require.NoError(t, l.StartZone(t.Context(), "zone-c"))
	r.awaitReady(t, "blue", 3)
	r.awaitReady(t, "green", 3)
}

// cordon closes or opens all nodes to new pods.
func (l *lane) cordon(t *testing.T, closed bool) {
	t.Helper()
	nodes, err := l.kube.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	patch := fmt.Appendf(nil, `{"spec":{"unschedulable":%t}}`, closed)
	for _, node := range nodes.Items {
		_, err := l.kube.CoreV1().Nodes().Patch(t.Context(), node.Name, types.MergePatchType, patch, metav1.PatchOptions{})
		require.NoError(t, err)
	}
}

// nodesOf maps the names of the nodes of some zones to their zones.
func (l *lane) nodesOf(t *testing.T, wanted ...string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, zone := range wanted {
		nodes, err := l.kube.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{LabelSelector: corev1.LabelTopologyZone + "=" + zone})
		require.NoError(t, err)
		for _, node := range nodes.Items {
			found[node.Name] = zone
		}
	}
	return found
}

func (r *release) pods(t *testing.T, selector string) []corev1.Pod {
	t.Helper()
	pods, err := r.kube.CoreV1().Pods(r.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: selector})
	require.NoError(t, err)
	return pods.Items
}

// perZone counts pods by the zone of their nodes.
func (r *release) perZone(t *testing.T, selector string) map[string]int {
	t.Helper()
	nodes, counts := r.nodesOf(t, zones...), map[string]int{}
	for _, pod := range r.pods(t, selector) {
		counts[nodes[pod.Spec.NodeName]]++
	}
	return counts
}

// readyEndpoints counts the endpoints of the Service on some nodes that take traffic.
func (r *release) readyEndpoints(t *testing.T, nodes map[string]string) int {
	t.Helper()
	slices, err := r.kube.DiscoveryV1().EndpointSlices(r.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=detection-api-service"})
	require.NoError(t, err)
	count := 0
	for _, slice := range slices.Items {
		for _, endpoint := range slice.Endpoints {
			if _, ok := nodes[*endpoint.NodeName]; ok && *endpoint.Conditions.Ready {
				count++
			}
		}
	}
	return count
}
