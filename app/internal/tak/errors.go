package tak

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Causes of a lost connection, for errors.Is.
var (
	// ErrClosed means that Close was called.
	ErrClosed = errors.New("the connection was closed by this side")
	// ErrHungUp means that the server closed the connection.
	ErrHungUp = errors.New("the server closed the connection")
	// ErrSilent means that a server that has answered pings before has not sent a byte for too long.
	ErrSilent = errors.New("the server has stopped answering")
	// ErrUnconfirmed means that the server does not confirm what it was sent.
	ErrUnconfirmed = errors.New("the server does not confirm what it was sent")
)

// What an Error is mostly about.
const (
	opConnect = "connect"
	opSend    = "send"
)

// Error says what failed and whether it makes sense to try again. When Send returns one, none of the window counts as
// delivered, and all of it may have been.
type Error struct {
	Op        string // "connect", "send", or what was done with the file or option in Addr
	Addr      string
	Retryable bool   // false: only a change of the configuration or of the program helps
	Hint      string // what to do, may be empty
	// RetryAfter is how long the server wants to be left alone; 0 when it does not say.
	RetryAfter time.Duration
	Err        error
}

func (e *Error) Error() string {
	text := e.Op
	switch {
	case e.Op == opConnect || e.Op == opSend:
		text += fmt.Sprintf(" to TAK at %q", e.Addr)
	case e.Addr != "":
		text += " " + e.Addr
	}
	text += ": " + e.Err.Error()
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// Retryable tells whether trying again makes sense: it does unless an *Error says otherwise.
func Retryable(err error) bool {
	var e *Error
	return !errors.As(err, &e) || e.Retryable
}

// CheckAddr returns an *Error that says what to write instead, unless addr is host:port.
func CheckAddr(addr string) error {
	refuse := func(problem, hint string) error {
		return &Error{Op: opConnect, Addr: addr, Err: errors.New(problem), Hint: hint}
	}
	const example = "write host:port, for example tak.example.org:8087"
	if i := strings.LastIndexByte(addr, '@'); i >= 0 {
		addr = addr[i+1:] // what is before it may be a password
		return refuse("there is a user name in the address", "a client certificate says who calls; leave the name out")
	}
	switch {
	case addr == "":
		return refuse("no address", example)
	case strings.Contains(addr, "://"):
		return refuse("the address is a URL", "leave out the scheme: "+example)
	}
	host, port, err := net.SplitHostPort(addr)
	switch {
	case err != nil && strings.Count(addr, ":") > 1:
		return refuse("not host:port", "write an IPv6 address in brackets, for example [2001:db8::1]:8087")
	case err != nil:
		return refuse("the port is missing", "add it, for example :8087, TAK's port for plain TCP")
	case host == "" || strings.ContainsAny(host, " /@\t\r\n"):
		return refuse("no valid host", example)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return refuse(fmt.Sprintf("the port %q is not a number from 1 to 65535", port), example)
	}
	return nil
}

// connectError explains why dialling failed. All of these may pass, so all are retryable.
func connectError(addr string, err error) error {
	return &Error{Op: opConnect, Addr: addr, Retryable: true, Hint: connectHint(err), Err: err}
}

// connectHint says what to do about a connection that did not come up.
func connectHint(err error) string {
	if hint := tlsHint(err); hint != "" {
		return hint
	}
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return "check the host name; inside a cluster, the Service's name and the DNS network policy"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: is the server running, and is it the right port for the scheme?"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer: a firewall or network policy may drop the packets"
	}
	return ""
}

// greetHint says what to do when a server hangs up on the hello. Over TLS 1.3 that is also how it refuses a certificate.
func greetHint(opts Options, err error) string {
	if hint := tlsHint(err); hint != "" {
		return hint
	}
	if opts.TLS != nil {
		return "it took the TLS connection but not the hello: is the client certificate one that it knows?"
	}
	return "it accepted the connection but not the hello: is this the port for plain TCP?"
}
