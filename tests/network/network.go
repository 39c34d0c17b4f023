// Package network tells who may talk to whom under a set of NetworkPolicies.
//
// [Evaluate] asks the matcher of cyclonus about every ordered pair of peers and every port that the second one serves:
// whether the policies at the source let the connection out and those at the destination let it in. The answers form a
// [Table] that can be held against a golden text.
//
// The policies are those of the API, however they came about. Peers are pods, by labels and namespace, or addresses.
// A pod whose address lies in the range of an ipBlock is a peer of that rule, as with network plugins that match plain
// addresses; give pods addresses that the cluster could give them.
package network

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// Port is what a peer serves on.
type Port struct {
	// Name is the container port's name, which a policy may use in place of the number.
	Name     string
	Number   int32
	Protocol corev1.Protocol
}

// TCP returns a TCP port without a name.
func TCP(number int32) Port { return Port{Number: number, Protocol: corev1.ProtocolTCP} }

// UDP returns a UDP port without a name.
func UDP(number int32) Port { return Port{Number: number, Protocol: corev1.ProtocolUDP} }

// Peer is one end of connections.
type Peer struct {
	// Name is the peer's name in the table.
	Name string
	// Namespace is empty for a peer that is no pod of the cluster.
	Namespace       string
	NamespaceLabels map[string]string
	Labels          map[string]string
	// Address is an IP address.
	Address string
	// Ports are those on which connections to the peer are asked about. A peer without ports is only a source.
	Ports []Port
}

// Pod returns the pods of a workload as a peer that serves on its containers' ports and on those given.
func Pod(name, address string, namespace *corev1.Namespace, template corev1.PodTemplateSpec, ports ...Port) Peer {
	peer := Peer{Name: name, Address: address, Namespace: namespace.Name, Labels: template.Labels}
	peer.NamespaceLabels = namespaceLabels(namespace)
	for _, container := range slices.Concat(template.Spec.InitContainers, template.Spec.Containers) {
		for _, port := range container.Ports {
			protocol := port.Protocol
			if protocol == "" {
				protocol = corev1.ProtocolTCP
			}
			peer.Ports = append(peer.Ports, Port{Name: port.Name, Number: port.ContainerPort, Protocol: protocol})
		}
	}
	peer.Ports = append(peer.Ports, ports...)
	return peer
}

// Outside returns an address that is no pod of the cluster as a peer.
func Outside(name, address string, ports ...Port) Peer {
	return Peer{Name: name, Address: address, Ports: ports}
}

// namespaceLabels returns the labels with the one that the API server puts on every namespace.
func namespaceLabels(namespace *corev1.Namespace) map[string]string {
	labels := map[string]string{corev1.LabelMetadataName: namespace.Name}
	maps.Copy(labels, namespace.Labels)
	return labels
}

// Evaluate asks about every connection between two peers, of which one is a pod. Pods of the same peer are asked about
// too, so a peer stands for two pods at least.
func Evaluate(policies []*networkingv1.NetworkPolicy, peers []Peer) (table Table, err error) {
	if err := check(policies, peers); err != nil {
		return Table{}, fmt.Errorf("evaluate network policies: %w", err)
	}
	defer func() {
		if r := recover(); r != nil { // cyclonus panics at a policy that no API server admits
			err = fmt.Errorf("evaluate network policies: %v", r)
		}
	}()
	e := newEvaluator(policies)
	table.peers = peers
	for _, source := range peers {
		for _, destination := range peers {
			if source.Namespace == "" && destination.Namespace == "" {
				continue
			}
			for _, port := range destination.Ports {
				table.Rows = append(table.Rows, e.row(source, destination, port))
			}
		}
	}
	return table, nil
}

func check(policies []*networkingv1.NetworkPolicy, peers []Peer) error {
	for _, policy := range policies {
		if policy.Namespace == "" {
			return fmt.Errorf("policy %s: no namespace", policy.Name)
		}
		if len(policy.Spec.PolicyTypes) == 0 {
			return fmt.Errorf("policy %s: no policyTypes; what the API server would set depends on its rules", policy.Name)
		}
	}
	names := map[string]bool{}
	for _, peer := range peers {
		if peer.Name == "" || names[peer.Name] {
			return fmt.Errorf("peer %q: a peer needs a name of its own", peer.Name)
		}
		names[peer.Name] = true
		if _, err := netip.ParseAddr(peer.Address); err != nil {
			return fmt.Errorf("peer %s: %w", peer.Name, err)
		}
	}
	return nil
}
