package tak

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Scheme is how an endpoint is spoken to.
type Scheme string

// The schemes of an endpoint's URL.
const (
	TCP   Scheme = "tcp"   // plain streaming protocol, TAK's port 8087
	TLS   Scheme = "tls"   // the same in TLS, TAK's port 8089
	UDP   Scheme = "udp"   // one event in each datagram, unicast or multicast, TAK's 239.2.3.1:6969
	HTTP  Scheme = "http"  // one request for each event
	HTTPS Scheme = "https" // the same in TLS
)

// DefaultTTL is how many networks a multicast datagram may be in: the sender's.
const DefaultTTL = 1

// Endpoint is where events can be sent, and how.
type Endpoint struct {
	Scheme Scheme
	Addr   string // host:port
	URL    string // of HTTP and HTTPS
	// Window is how many events one Send may take at most; 0 leaves it to the transport. TCP and TLS only.
	Window int
	// Answers says that the server answers pings, so that no window is delivered without a pong, not even over the first
	// connection. Else that is found out and remembered. TCP and TLS only.
	Answers   bool
	Interface string // that multicast leaves by; empty: the routing table's. UDP only.
	TTL       int    // of multicast. UDP only.
}

// String returns the endpoint as a URL, without a query, which may hold a secret.
func (e Endpoint) String() string {
	if e.URL == "" {
		return (&url.URL{Scheme: string(e.Scheme), Host: e.Addr}).String()
	}
	base, _, _ := strings.Cut(e.URL, "?")
	return base
}

// secure tells whether the endpoint is spoken to in TLS.
func (e Endpoint) secure() bool { return e.Scheme == TLS || e.Scheme == HTTPS }

// multicast tells whether the address is a group's. A name is taken for one host.
func (e Endpoint) multicast() bool {
	group, err := netip.ParseAddrPort(e.Addr)
	return e.Scheme == UDP && err == nil && group.Addr().IsMulticast()
}

// ParseEndpoints reads endpoints with commas or white space between them. The error is an *Error.
func ParseEndpoints(list string) ([]Endpoint, error) {
	var all []Endpoint
	for _, text := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r <= ' ' }) {
		endpoint, err := ParseEndpoint(text)
		if err != nil {
			return nil, err
		}
		all = append(all, endpoint)
	}
	return all, nil
}

// ParseEndpoint reads a URL such as tls://tak.example.org:8089; host:port is short for tcp. The error is an *Error.
func ParseEndpoint(text string) (Endpoint, error) {
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return Endpoint{}, refuseEndpoint("", "there is a character in it that a URL has not",
			"write a host as DNS has it (xn--...), and what follows it with %xx")
	}
	if !strings.Contains(text, "://") {
		if err := CheckAddr(text); err != nil {
			return Endpoint{}, err
		}
		text = string(TCP) + "://" + text
	}
	u, err := url.Parse(text)
	if err != nil { // its text repeats the URL, and a password that may be in it
		return Endpoint{}, refuseEndpoint("", "not a URL", "write for example tls://tak.example.org:8089")
	}
	if u.User != nil {
		return Endpoint{}, refuseEndpoint(u.Host, "there is a user name in the URL",
			"a client certificate says who calls; leave the name out")
	}
	e := Endpoint{Scheme: Scheme(strings.ToLower(u.Scheme)), Addr: u.Host}
	switch e.Scheme {
	case TCP, TLS, UDP:
		err = e.parseSocket(u)
	case HTTP, HTTPS:
		port := map[Scheme]string{HTTP: "80", HTTPS: "443"}[e.Scheme]
		e.Addr, e.URL = net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port)), u.String()
	default:
		return Endpoint{}, refuseEndpoint(u.Host, fmt.Sprintf("the scheme %q is not known", u.Scheme),
			"use tcp, tls, udp, http or https")
	}
	if err != nil {
		return Endpoint{}, err
	}
	return e, CheckAddr(e.Addr)
}

// parseSocket reads what may stand behind the address of TCP, TLS and UDP.
func (e *Endpoint) parseSocket(u *url.URL) error {
	if strings.Trim(u.Path, "/") != "" || u.Fragment != "" {
		return refuseEndpoint(u.Host, "something follows the port", "write "+e.String())
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return refuseEndpoint(u.Host, "the query cannot be read", "")
	}
	if e.Scheme == UDP {
		e.TTL = DefaultTTL
	}
	for name, value := range values {
		switch {
		case name == "window" && e.Scheme != UDP:
			e.Window, err = number(value[0], BarrierWindow)
		case name == "confirm" && e.Scheme != UDP:
			if e.Answers = value[0] == "pong"; !e.Answers {
				err = errors.New("not pong")
			}
		case name == "ttl" && e.Scheme == UDP:
			e.TTL, err = number(value[0], 255)
		case name == "interface" && e.Scheme == UDP:
			e.Interface = value[0]
		default:
			err = errors.New("there is no such parameter")
		}
		if err != nil {
			return refuseEndpoint(u.Host, fmt.Sprintf("the parameter %q: %v", name, err),
				"tcp and tls know window (1 to 64) and confirm (pong), udp interface and ttl (1 to 255)")
		}
	}
	return nil
}

func number(text string, limit int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > limit {
		return 0, fmt.Errorf("not a number from 1 to %d", limit)
	}
	return n, nil
}

func refuseEndpoint(addr, problem, hint string) error {
	return &Error{Op: opConnect, Addr: addr, Err: errors.New(problem), Hint: hint}
}
