// Package link connects the nodes of a cluster: a bridge on this machine, a virtual cable from it to each node, and
// routes to the nodes' pods. The far end of a cable lives in the node's network namespace and goes with it.
package link

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink"
)

// InUse lists the ranges that this machine has addresses in or routes to, the default route left out.
func InUse() ([]netip.Prefix, error) {
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	addresses, err := netlink.AddrList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	var used []netip.Prefix
	for _, route := range routes {
		used = appendPrefix(used, route.Dst)
	}
	for _, address := range addresses {
		used = appendPrefix(used, address.IPNet)
	}
	return used, nil
}

func appendPrefix(used []netip.Prefix, network *net.IPNet) []netip.Prefix {
	if network == nil {
		return used
	}
	address, ok := netip.AddrFromSlice(network.IP)
	bits, _ := network.Mask.Size()
	if !ok || bits == 0 {
		return used
	}
	return append(used, netip.PrefixFrom(address.Unmap(), bits).Masked())
}

// AddBridge makes a bridge with an address and sets it up.
func AddBridge(name string, address netip.Prefix) error {
	attributes := netlink.NewLinkAttrs()
	attributes.Name = name
	bridge := &netlink.Bridge{LinkAttrs: attributes}
	if err := netlink.LinkAdd(bridge); err != nil {
		return fmt.Errorf("add bridge %s: %w", name, err)
	}
	if err := netlink.AddrAdd(bridge, &netlink.Addr{IPNet: ipNet(address)}); err != nil {
		return fmt.Errorf("set address of bridge %s: %w", name, err)
	}
	if err := netlink.LinkSetUp(bridge); err != nil {
		return fmt.Errorf("set bridge %s up: %w", name, err)
	}
	return nil
}

// AddRoute routes a network through a neighbour on the bridge.
func AddRoute(bridge string, destination netip.Prefix, via netip.Addr) error {
	link, err := netlink.LinkByName(bridge)
	if err != nil {
		return fmt.Errorf("find bridge %s: %w", bridge, err)
	}
	route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(destination), Gw: net.IP(via.AsSlice())}
	if err := netlink.RouteAdd(route); err != nil {
		return fmt.Errorf("add route %s via %s: %w", destination, via, err)
	}
	return nil
}

// Plug lays a cable from the bridge to the network namespace of process pid, where it appears as eth0.
func Plug(bridge, cable string, pid int) error {
	master, err := netlink.LinkByName(bridge)
	if err != nil {
		return fmt.Errorf("find bridge %s: %w", bridge, err)
	}
	attributes := netlink.NewLinkAttrs()
	attributes.Name = cable
	attributes.MasterIndex = master.Attrs().Index
	veth := &netlink.Veth{LinkAttrs: attributes, PeerName: "eth0", PeerNamespace: netlink.NsPid(pid)}
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("add cable %s: %w", cable, err)
	}
	return SetUp(cable)
}

// SetUp lets traffic pass through a link.
func SetUp(name string) error { return change(name, netlink.LinkSetUp) }

// SetDown stops all traffic through a link.
func SetDown(name string) error { return change(name, netlink.LinkSetDown) }

// Remove deletes a link with its routes; one that does not exist is no error.
func Remove(name string) error {
	err := change(name, netlink.LinkDel)
	// The kernel may take the cable of a killed node down between our look and our request.
	if missing := (netlink.LinkNotFoundError{}); errors.As(err, &missing) || errors.Is(err, syscall.ENODEV) {
		return nil
	}
	return err
}

func change(name string, how func(netlink.Link) error) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find link %s: %w", name, err)
	}
	if err := how(link); err != nil {
		return fmt.Errorf("change link %s: %w", name, err)
	}
	return nil
}

func ipNet(prefix netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: prefix.Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen())}
}
