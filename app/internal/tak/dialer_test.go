package tak_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/detection-api/detection-api/app/internal/tak"
)

// network is what several servers are on, by address; each can be away.
type network struct {
	mu     sync.Mutex
	serves map[string]func(net.Conn)
	dials  []string
}

// up makes the address serve, or, with nil, refuse.
func (n *network) up(addr string, serve func(net.Conn)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.serves[addr] = serve
}

func (n *network) dial(_ context.Context, _, addr string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dials = append(n.dials, addr)
	serve := n.serves[addr]
	if serve == nil {
		return nil, errors.New("refused")
	}
	client, server := net.Pipe()
	go serve(server)
	return client, nil
}

// dialed returns the addresses that were dialled since the last call.
func (n *network) dialed() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	defer func() { n.dials = nil }()
	return strings.Join(n.dials, " ")
}

func newNetwork(t *testing.T) (*network, *tak.Dialer) {
	n := &network{serves: map[string]func(net.Conn){}}
	return n, newDialer(t, tak.DialerOptions{Conn: options(func(o *tak.Options) { o.Dialer = n.dial })}, "a:1", "b:1", "c:1")
}

func sends(t *testing.T, link tak.Link) {
	t.Helper()
	if err := link.Send(t.Context(), window(0, 1)); err != nil {
		t.Fatal(err)
	}
}

func on(t *testing.T, d *tak.Dialer, want string) {
	t.Helper()
	if got := d.Status(); got.Endpoint != want || (got.State == tak.Connected) != (want != "") {
		t.Errorf("on %q, %s; want %q", got.Endpoint, got.State, want)
	}
}

// TestFailOver goes to the next endpoint while the first is away, and back behind the link, without an end of it.
func TestFailOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, dialer := newNetwork(t)
		var a, b inbox
		n.up("b:1", ponger(&b, pong))
		link, err := dialer.Dial(t.Context())
		if err != nil || n.dialed() != "a:1 b:1" {
			t.Fatal(err)
		}
		defer link.Close()
		on(t, dialer, "tcp://b:1")
		sends(t, link)
		<-time.After(3 * tak.DefaultReturnAfter) // of fake time
		if got := n.dialed(); strings.Count(got, "a:1") < 2 || strings.Contains(got, "b:1") || strings.Contains(got, "c:1") {
			t.Errorf("dialled %s on the second", got)
		}
		on(t, dialer, "tcp://b:1")
		n.up("a:1", ponger(&a, pong))
		<-time.After(2 * tak.DefaultReturnAfter)
		on(t, dialer, "tcp://a:1")
		sends(t, link)
		if link.Err() != nil || len(a.without(hello, ping)) != 1 || len(b.without(hello, ping)) != 1 {
			t.Errorf("link %v; a has %v, b has %v", link.Err(), a.without(hello, ping), b.without(hello, ping))
		}
		n.dialed()
		<-time.After(time.Hour)
		if got := n.dialed(); got != "" {
			t.Errorf("dialled %s on the first", got)
		}
	})
}

// TestMoveWaitsForTheWindow holds that a better endpoint is not moved to in the middle of a window.
func TestMoveWaitsForTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, dialer := newNetwork(t)
		var a, b inbox
		release := make(chan struct{})
		n.up("b:1", func(c net.Conn) {
			serve(c, func(event string) bool {
				b.add(event)
				if event != ping {
					return true
				}
				if len(b.without(hello, ping)) > 0 {
					io.WriteString(c, `<event type="other"></event>`)
					<-release
				}
				io.WriteString(c, pong)
				return true
			})
		})
		link, err := dialer.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer link.Close()
		n.up("a:1", ponger(&a, pong))
		<-time.After(tak.DefaultReturnAfter - 3*time.Second)
		sent := make(chan error)
		go func() { sent <- link.Send(t.Context(), window(0, 3)) }()
		<-time.After(3*time.Second + 500*time.Millisecond)
		on(t, dialer, "tcp://b:1")
		close(release)
		if err := <-sent; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		on(t, dialer, "tcp://a:1")
		if len(b.without(hello, ping)) != 3 || len(a.without(hello, ping)) != 0 {
			t.Errorf("a has %v, b has %v", a.without(hello, ping), b.without(hello, ping))
		}
	})
}

// TestInVain has a server that takes connections and no window: the next one is used, and the first only after a while.
func TestInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, dialer := newNetwork(t)
		n.up("a:1", func(c net.Conn) {
			serve(c, func(event string) bool {
				if event == ping {
					io.WriteString(c, pong)
				}
				return event == ping || event == hello
			})
		})
		n.up("b:1", ponger(&inbox{}, pong))
		link, err := dialer.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := link.Send(t.Context(), window(0, 1)); err == nil {
			t.Fatal("a hung up and took the window")
		}
		link.Close()
		if link, err = dialer.Dial(t.Context()); err != nil {
			t.Fatal(err)
		}
		on(t, dialer, "tcp://b:1")
		sends(t, link)
		link.Close()
		if until := dialer.Status().Endpoints[0].PassedUntil; until == nil || time.Until(*until) > tak.DefaultReturnAfter {
			t.Errorf("a is passed over until %v", until)
		}
	})
}

// TestHungEndpoint has a first server that hangs after it has answered: the second is used, and the first is not moved back
// to while it takes connections and answers nothing.
func TestHungEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, dialer := newNetwork(t)
		n.up("a:1", ponger(&inbox{}, pong))
		n.up("b:1", ponger(&inbox{}, pong))
		link, err := dialer.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sends(t, link)
		link.Close()
		n.up("a:1", answering(0))
		if link, err = dialer.Dial(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := link.Send(t.Context(), window(0, 1)); !errors.Is(err, tak.ErrSilent) {
			t.Fatalf("got %v", err)
		}
		link.Close()
		if link, err = dialer.Dial(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer link.Close()
		for range 10 {
			on(t, dialer, "tcp://b:1")
			sends(t, link)
			<-time.After(tak.DefaultReturnAfter)
		}
		n.up("a:1", ponger(&inbox{}, pong))
		<-time.After(3 * tak.DefaultReturnAfter)
		on(t, dialer, "tcp://a:1")
	})
}

// TestCloseWhileClimbing ends a link that is just trying a better endpoint.
func TestCloseWhileClimbing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, dialer := newNetwork(t)
		n.up("b:1", ponger(&inbox{}, pong))
		link, err := dialer.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n.up("a:1", answering(0)) // a probe takes a second
		<-time.After(tak.DefaultReturnAfter + 500*time.Millisecond)
		link.Close()
		link.Close()
		<-link.Lost()
		if err := link.Send(t.Context(), window(0, 1)); !errors.Is(err, tak.ErrClosed) {
			t.Errorf("got %v", err)
		}
		on(t, dialer, "")
	})
}
