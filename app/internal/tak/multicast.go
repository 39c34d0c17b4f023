package tak

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// multicastDialer returns how a socket for the group is opened: with the endpoint's interface and TTL. Its own datagrams come
// back to other programs of the same host, such as ATAK in an emulator, as is usual.
func multicastDialer(e Endpoint) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		var out *net.Interface
		if e.Interface != "" {
			found, err := net.InterfaceByName(e.Interface)
			if err != nil {
				return nil, fmt.Errorf("interface %q: %w", e.Interface, err)
			}
			out = found
		}
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		if err := setMulticast(conn, out, e.TTL); err != nil {
			conn.Close() // the reason is known
			return nil, fmt.Errorf("set up multicast: %w", err)
		}
		return conn, nil
	}
}

func setMulticast(conn net.Conn, out *net.Interface, ttl int) error {
	socket, ok := conn.(*net.UDPConn)
	if !ok {
		return errors.New("not a UDP socket")
	}
	group, err := netip.ParseAddrPort(socket.RemoteAddr().String())
	if err != nil {
		return err
	}
	if group.Addr().Unmap().Is4() {
		p := ipv4.NewPacketConn(socket)
		if out != nil {
			if err := p.SetMulticastInterface(out); err != nil {
				return err
			}
		}
		return p.SetMulticastTTL(ttl)
	}
	p := ipv6.NewPacketConn(socket)
	if out != nil {
		if err := p.SetMulticastInterface(out); err != nil {
			return err
		}
	}
	return p.SetMulticastHopLimit(ttl)
}

// datagramHint says what to do about a datagram that could not be sent.
func datagramHint(err error) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nobody listens on that port"
	case errors.Is(err, syscall.ENETUNREACH):
		return "no route: for multicast, name the interface"
	case errors.Is(err, syscall.EMSGSIZE):
		return "the event is larger than the network's datagrams"
	}
	return ""
}
