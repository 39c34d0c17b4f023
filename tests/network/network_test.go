package network_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/detection-api/detection-api/tests/network"
)

const denyAll = `
metadata: {name: deny-all, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}`

const webToDB = `
metadata: {name: web-to-db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress: [{to: [{podSelector: {matchLabels: {app: db}}}], ports: [{port: sql, protocol: TCP}]}]`

const dbFromWeb = `
metadata: {name: db-from-web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432, protocol: TCP}]}]`

const webToBank = `
metadata: {name: web-to-bank, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress: [{to: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.128/25]}}]}]`

const webFromEdge = `
metadata: {name: web-from-edge, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress]
  ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: edge}}}]}]`

func policies(t testing.TB, texts ...string) []*networkingv1.NetworkPolicy {
	t.Helper()
	var decoded []*networkingv1.NetworkPolicy
	for _, text := range texts {
		policy := &networkingv1.NetworkPolicy{}
		require.NoError(t, yaml.UnmarshalStrict([]byte(text), policy))
		decoded = append(decoded, policy)
	}
	return decoded
}

func peers() []network.Peer {
	namespace := func(name string) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	}
	pod := func(app string, ports ...corev1.ContainerPort) corev1.PodTemplateSpec {
		return corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": app}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Ports: ports}}},
		}
	}
	return []network.Peer{
		network.Pod("web", "10.0.0.1", namespace("shop"), pod("web", corev1.ContainerPort{Name: "http", ContainerPort: 80})),
		network.Pod("db", "10.0.0.2", namespace("shop"), pod("db", corev1.ContainerPort{Name: "sql", ContainerPort: 5432}), network.TCP(22)),
		network.Pod("proxy", "10.0.1.1", namespace("edge"), pod("proxy"), network.TCP(443)),
		network.Outside("bank", "192.0.2.7", network.TCP(443), network.UDP(53)),
		network.Outside("thief", "192.0.2.200", network.TCP(443)),
	}
}

func evaluate(t *testing.T, texts ...string) network.Table {
	t.Helper()
	table, err := network.Evaluate(policies(t, texts...), peers())
	require.NoError(t, err)
	return table
}

func allowed(table network.Table) []string {
	var rows []string
	for _, row := range table.Allowed().Rows {
		rows = append(rows, row.String())
	}
	return rows
}

func TestWithoutPoliciesEverythingIsAllowed(t *testing.T) {
	table := evaluate(t)
	require.Len(t, table.Rows, 3*7+2*4, "pods reach every port, addresses those of the pods")
	require.Equal(t, table.Rows, table.Allowed().Rows)
	require.Contains(t, table.String(), "thief  -> db     22/TCP    (no policy)  (no policy)")
}

func TestDefaultDenyLeavesOnlyOtherNamespaces(t *testing.T) {
	require.Equal(t, []string{
		"proxy -> proxy:443/TCP", "proxy -> bank:443/TCP", "proxy -> bank:53/UDP", "proxy -> thief:443/TCP",
		"bank -> proxy:443/TCP", "thief -> proxy:443/TCP",
	}, allowed(evaluate(t, denyAll)))
}

func TestEveryKindOfRule(t *testing.T) {
	table := evaluate(t, denyAll, webToDB, dbFromWeb, webToBank, webFromEdge)
	require.Equal(t, []string{
		"web -> db:5432/TCP", "web -> bank:443/TCP", "web -> bank:53/UDP", "proxy -> web:80/TCP",
	}, allowed(table.Touching("web", "db")))
	require.Equal(t, []string{"web"}, table.Sources("db", 5432))
	require.Empty(t, table.Sources("db", 22))
	require.Empty(t, table.Filter(network.Row.Half).Rows)
	require.Contains(t, table.String(), "web    -> db     5432/TCP  web-to-db    db-from-web")
}

// A connection needs a policy at both ends; one alone is shown as half.
func TestHalfConnections(t *testing.T) {
	for _, texts := range [][]string{{denyAll, webToDB}, {denyAll, dbFromWeb}} {
		table := evaluate(t, texts...)
		half := table.Filter(network.Row.Half)
		require.Len(t, half.Rows, 1)
		require.Equal(t, "web -> db:5432/TCP", half.Rows[0].String())
		require.NotContains(t, allowed(table), half.Rows[0].String())
		require.Contains(t, table.String(), "DENIED")
	}
}

// Two policies that select the same pods are told apart, though cyclonus merges them.
func TestGrantsAreAttributed(t *testing.T) {
	second := policies(t, webToDB)[0]
	second.Name = "again"
	table, err := network.Evaluate(append(policies(t, denyAll, webToDB, dbFromWeb), second), peers())
	require.NoError(t, err)
	for _, row := range table.Rows {
		if row.String() == "web -> db:5432/TCP" {
			require.Equal(t, []string{"again", "web-to-db"}, row.Egress.Policies)
			require.Equal(t, []string{"db-from-web"}, row.Ingress.Policies)
		}
	}
}

func TestEvaluateRefuses(t *testing.T) {
	good := network.Outside("a", "192.0.2.1")
	for want, input := range map[string]struct {
		policy string
		peers  []network.Peer
	}{
		"no namespace":    {policy: `{metadata: {name: x}, spec: {podSelector: {}, policyTypes: [Egress]}}`},
		"no policyTypes":  {policy: `{metadata: {name: x, namespace: y}, spec: {podSelector: {}}}`},
		"name of its own": {policy: denyAll, peers: []network.Peer{good, good}},
		"peer b":          {policy: denyAll, peers: []network.Peer{network.Outside("b", "example.org")}},
		"invalid port range": {
			policy: `{metadata: {name: x, namespace: y}, spec: {podSelector: {}, policyTypes: [Egress], egress: [{ports: [{endPort: 9}]}]}}`,
		},
	} {
		_, err := network.Evaluate(policies(t, input.policy), input.peers)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "evaluate network policies")
	}
}
