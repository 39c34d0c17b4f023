// Package address gives each cluster of a machine address ranges of its own.
//
// Cluster number n (0 to 31) has the nodes 10.89.n.0/24, the pods 10.(160+n).0.0/16 and the Services 10.(192+n).0.0/20.
package address

import (
	"errors"
	"fmt"
	"net/netip"
)

// Slots is how many clusters find room beside each other.
const Slots = 32

// MaxNodes is the largest number of nodes of a cluster: their addresses are 11 to 110 of its network.
const MaxNodes = 100

// ErrNoRoom says that every range is used by something else on this machine.
var ErrNoRoom = errors.New("no free address range: all 32 (10.89.n.0/24, 10.160+n.0.0/16, 10.192+n.0.0/20) are in use")

// Plan holds the addresses of one cluster.
type Plan struct {
	// Slot is the cluster's number, 0 to 31.
	Slot int `json:"slot"`
}

// Choose takes the first plan whose ranges overlap none in use. Ranges in use of /8 or wider do not count: they are
// routes to a far network of which ours, being narrower, hide a small part only.
func Choose(inUse []netip.Prefix) (Plan, error) {
	for slot := range Slots {
		if plan := (Plan{Slot: slot}); plan.free(inUse) {
			return plan, nil
		}
	}
	return Plan{}, ErrNoRoom
}

func (p Plan) free(inUse []netip.Prefix) bool {
	for _, used := range inUse {
		for _, own := range []netip.Prefix{p.NodeNetwork(), p.PodNetwork(), p.ServiceNetwork()} {
			if used.Bits() > 8 && used.Overlaps(own) {
				return false
			}
		}
	}
	return true
}

// NodeNetwork is the range of the bridge and the nodes.
func (p Plan) NodeNetwork() netip.Prefix { return prefix(24, 89, p.Slot) }

// PodNetwork is the range of all pods.
func (p Plan) PodNetwork() netip.Prefix { return prefix(16, 160+p.Slot, 0) }

// ServiceNetwork is the range of cluster IPs.
func (p Plan) ServiceNetwork() netip.Prefix { return prefix(20, 192+p.Slot, 0) }

// Host is the machine's own address on the bridge. The control plane listens on it.
func (p Plan) Host() netip.Addr { return addr(89, p.Slot, 1) }

// Node is the address of node number i, from 1.
func (p Plan) Node(i int) netip.Addr { return addr(89, p.Slot, 10+i) }

// NodePods is the range of the pods of node number i, from 1.
func (p Plan) NodePods(i int) netip.Prefix { return prefix(24, 160+p.Slot, i) }

// APIService is the cluster IP of the API server.
func (p Plan) APIService() netip.Addr { return addr(192+p.Slot, 0, 1) }

// DNSService is the cluster IP of the name service.
func (p Plan) DNSService() netip.Addr { return addr(192+p.Slot, 0, 10) }

// APIServer is the URL of the API server.
func (p Plan) APIServer() string { return fmt.Sprintf("https://%s:6443", p.Host()) }

func addr(b, c, d int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(b), byte(c), byte(d)})
}

// prefix is a network in 10.0.0.0/8.
func prefix(bits, b, c int) netip.Prefix { return netip.PrefixFrom(addr(b, c, 0), bits) }
