package network

import (
	"slices"

	"github.com/mattfenwick/cyclonus/pkg/matcher"
	networkingv1 "k8s.io/api/networking/v1"
)

// evaluator knows the policies together, which decide, and one by one, which tells whose decision it was: cyclonus
// itself merges policies that select the same pods.
type evaluator struct {
	together *matcher.Policy
	names    []string
	alone    []*matcher.Policy
}

func newEvaluator(policies []*networkingv1.NetworkPolicy) evaluator {
	e := evaluator{together: matcher.BuildNetworkPolicies(false, policies)}
	for _, policy := range policies {
		e.names = append(e.names, policy.Name)
		e.alone = append(e.alone, matcher.BuildNetworkPolicies(false, []*networkingv1.NetworkPolicy{policy}))
	}
	return e
}

func (e evaluator) row(source, destination Peer, port Port) Row {
	traffic := &matcher.Traffic{
		Source: trafficPeer(source), Destination: trafficPeer(destination),
		ResolvedPort: int(port.Number), ResolvedPortName: port.Name, Protocol: port.Protocol,
	}
	result := e.together.IsTrafficAllowed(traffic)
	row := Row{Source: source.Name, Destination: destination.Name, Port: port}
	row.Egress.Allowed, row.Ingress.Allowed = result.Egress.IsAllowed(), result.Ingress.IsAllowed()
	for i, policy := range e.alone {
		one := policy.IsTrafficAllowed(traffic)
		row.Egress.add(e.names[i], one.Egress)
		row.Ingress.add(e.names[i], one.Ingress)
	}
	slices.Sort(row.Egress.Policies)
	slices.Sort(row.Ingress.Policies)
	return row
}

func trafficPeer(p Peer) *matcher.TrafficPeer {
	peer := &matcher.TrafficPeer{IP: p.Address}
	if p.Namespace != "" {
		peer.Internal = &matcher.InternalPeer{PodLabels: p.Labels, NamespaceLabels: p.NamespaceLabels, Namespace: p.Namespace}
	}
	return peer
}

// add notes what one policy says by itself.
func (v *Verdict) add(policy string, result *matcher.DirectionResult) {
	granted := len(result.AllowingTargets) > 0
	if granted || len(result.DenyingTargets) > 0 {
		v.Selected = true
	}
	if granted {
		v.Policies = append(v.Policies, policy)
	}
}
