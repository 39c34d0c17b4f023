package main

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/vishvananda/netlink"
)

// interfaceWait bounds how long the creator may take to plug the cable in.
const interfaceWait = 30 * time.Second

// configure gives the machine its address and routes.
func (n network) configure() error {
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo: %w", err)
	}
	if err := netlink.LinkSetUp(loopback); err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	link, err := waitForLink(n.Interface)
	if err != nil {
		return err
	}
	address, err := netlink.ParseAddr(n.Address)
	if err != nil {
		return fmt.Errorf("address %q: %w", n.Address, err)
	}
	if err := netlink.AddrAdd(link, address); err != nil {
		return fmt.Errorf("set address %s: %w", n.Address, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("set %s up: %w", n.Interface, err)
	}
	routes := append([]route{{Destination: "0.0.0.0/0", Via: n.Gateway}}, n.Routes...)
	for _, r := range routes {
		if err := r.add(link); err != nil {
			return err
		}
	}
	return nil
}

// waitForLink polls: a subscription would have to be set up before a look that may already succeed.
func waitForLink(name string) (netlink.Link, error) {
	deadline := time.Now().Add(interfaceWait)
	for {
		link, err := netlink.LinkByName(name)
		if err == nil {
			return link, nil
		}
		if missing := (netlink.LinkNotFoundError{}); !errors.As(err, &missing) {
			return nil, fmt.Errorf("find %s: %w", name, err)
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%s was not plugged in within %s", name, interfaceWait)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (r route) add(link netlink.Link) error {
	_, destination, err := net.ParseCIDR(r.Destination)
	if err != nil {
		return fmt.Errorf("route: %w", err)
	}
	err = netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: destination, Gw: net.ParseIP(r.Via)})
	if err != nil {
		return fmt.Errorf("add route %s via %s: %w", r.Destination, r.Via, err)
	}
	return nil
}
