package render

import (
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/detection-api/detection-api/tests/network"
)

// networkPeers are the pods of the chart and whoever they might meet. The addresses of pods are outside of the private ranges
// in which TAK servers are looked for, so that what reaches a TAK server does so by its address alone.
func networkPeers(o objects) []network.Peer {
	own := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	other := func(name string) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	}
	labelled := func(app string) corev1.PodTemplateSpec {
		return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": app}}}
	}
	pods := o.podTemplates()
	peer := func(name, owner, address string, ports ...network.Port) network.Peer {
		return network.Pod(name, address, own, pods[owner], ports...)
	}
	ssh := network.TCP(22)
	return []network.Peer{
		peer("blue", "detection-api-blue", "100.64.0.1", ssh),
		peer("green", "detection-api-green", "100.64.0.2", ssh),
		peer("store", "detection-api-store", "100.64.0.3", ssh),
		peer("backup", "detection-db-backup", "100.64.0.4", ssh),
		peer("helm-test", "detection-api-test", "100.64.0.5", ssh),
		network.Pod("stranger", "100.64.0.6", own, labelled("stranger"), ssh),
		network.Pod("ingress-nginx", "100.64.1.1", other("ingress-nginx"), labelled("controller"), network.TCP(443)),
		network.Pod("monitoring", "100.64.2.1", other("monitoring"), labelled("prometheus"), network.TCP(9090), network.TCP(3100)),
		network.Pod("kube-dns", "100.64.3.1", other("kube-system"), labelled("kube-dns"), network.UDP(53), network.TCP(53), network.TCP(9153)),
		network.Pod("elsewhere", "100.64.4.1", other("default"), labelled("detection-api"), network.TCP(80)),
		network.Outside("tak-inside", "10.1.2.3", network.TCP(8087), network.TCP(8089), network.TCP(8443)),
		network.Outside("tak-outside", "203.0.113.5", network.TCP(8087), network.TCP(8089)),
		network.Outside("kubernetes-api", "10.96.0.1", network.TCP(443), network.TCP(6443)),
		network.Outside("internet", "198.51.100.1", network.TCP(443)),
	}
}

// ownPeers are the peers that the chart speaks for.
var ownPeers = []string{"blue", "green", "store", "backup", "helm-test", "stranger"}

// networkTable evaluates the policies but those that are left out by name.
func networkTable(t *testing.T, o objects, leftOut ...string) network.Table {
	t.Helper()
	policies := slices.DeleteFunc(all[*networkingv1.NetworkPolicy](o), func(p *networkingv1.NetworkPolicy) bool {
		return slices.Contains(leftOut, p.Name)
	})
	table, err := network.Evaluate(policies, networkPeers(o))
	require.NoError(t, err)
	return table.Touching(ownPeers...)
}

// Who may talk to whom in production, every direction of every policy. `go test ./render -run TestNetwork -update` writes
// the table anew.
func TestNetworkGolden(t *testing.T) {
	const golden = "testdata/network.golden.txt"
	got := networkTable(t, mustRender(t, "values-prod.yaml", nil)).String()
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// Every policy matters: without it the table is another one. Without the default deny more is allowed, without another one
// less.
func TestEveryNetworkPolicyMatters(t *testing.T) {
	t.Parallel()
	rendered := mustRender(t, "values-prod.yaml", nil)
	complete := networkTable(t, rendered)
	for _, policy := range all[*networkingv1.NetworkPolicy](rendered) {
		allowed, before := len(networkTable(t, rendered, policy.Name).Allowed().Rows), len(complete.Allowed().Rows)
		if policy.Name == "default-deny-all" {
			require.Greater(t, allowed, before)
		} else {
			require.Less(t, allowed, before, policy.Name)
		}
	}
}

// Nobody but the named reaches a port of the chart's pods, and none of them reaches more of the world than it needs.
func TestNobodyElseReachesThePods(t *testing.T) {
	for _, file := range []string{"values.yaml", "values-prod.yaml"} {
		table := networkTable(t, mustRender(t, file, nil))
		require.Equal(t, []string{"blue", "green", "backup", "helm-test", "monitoring"}, table.Sources("store", 8081), file)
		for _, slot := range []string{"blue", "green"} {
			require.Equal(t, []string{"helm-test", "ingress-nginx", "monitoring"}, table.Sources(slot, 8000), file)
		}
		require.Equal(t, []string{"blue", "green"}, table.Sources("tak-inside", 8089), file)
		require.Empty(t, table.Sources("tak-inside", 8443), file)
		require.Empty(t, table.Sources("tak-outside", 8089), file)
		require.Empty(t, table.Sources("kubernetes-api", 443), file)
		require.Empty(t, table.Sources("internet", 443), file)
		for _, name := range ownPeers {
			require.Empty(t, table.Sources(name, 22), "%s: %s", file, name)
		}
		require.Empty(t, table.Filter(network.Row.Half).Rows, "a connection that one end grants and the other denies")
	}
}
