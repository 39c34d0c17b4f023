package tak_test

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/tak"
)

// receiver reads datagrams on a loopback port into a channel.
func receiver(t *testing.T, conn *net.UDPConn) (addr string, got <-chan string) {
	t.Helper()
	events := make(chan string, 1000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1<<16)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			events <- string(buf[:n])
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	return conn.LocalAddr().String(), events
}

func listenUDP(t *testing.T) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func next(t *testing.T, got <-chan string) string {
	t.Helper()
	select {
	case event := <-got:
		return event
	case <-time.After(10 * time.Second):
		t.Fatal("no datagram")
		return ""
	}
}

func TestDatagrams(t *testing.T) {
	addr, got := receiver(t, listenUDP(t))
	link := open(t, tak.DialerOptions{Conn: options()}, "udp://"+addr)
	defer link.Close()
	if first := next(t, got); first != hello {
		t.Errorf("first %q", first)
	}
	events := window(0, link.Window())
	if err := link.Send(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	for _, want := range texts(events) {
		if event := next(t, got); event != want {
			t.Fatalf("got %q, want %q", event, want)
		}
	}
	if status := link.Status(); status.Mode() != tak.ModeDatagram || link.Window() != tak.DatagramWindow || status.LastWriteAt.IsZero() {
		t.Errorf("status %+v", status)
	}
}

func TestDatagramTooLarge(t *testing.T) {
	addr, got := receiver(t, listenUDP(t))
	link := open(t, tak.DialerOptions{Conn: options()}, "udp://"+addr)
	defer link.Close()
	next(t, got)
	large, most := make([]byte, tak.MaxDatagramBytes+1), make([]byte, tak.MaxDatagramBytes)
	err := link.Send(t.Context(), [][]byte{[]byte("a"), large, most, []byte("b")})
	var refused interface{ Refused() map[int]string }
	if !errors.As(err, &refused) || len(refused.Refused()) != 1 || refused.Refused()[1] == "" {
		t.Fatalf("got %v", err)
	}
	var sizes []int
	for range 3 {
		sizes = append(sizes, len(next(t, got)))
	}
	if !slices.Equal(sizes, []int{1, tak.MaxDatagramBytes, 1}) || link.Err() != nil {
		t.Errorf("got datagrams of %v bytes; link %v", sizes, link.Err())
	}
}

// TestNobodyThere has a port that nobody listens on: a host near by says so before the window counts as delivered.
func TestNobodyThere(t *testing.T) {
	conn := listenUDP(t)
	addr := conn.LocalAddr().String()
	conn.Close()
	link := open(t, tak.DialerOptions{Conn: options()}, "udp://"+addr)
	defer link.Close()
	if err := link.Send(t.Context(), window(0, 1)); !errors.Is(err, syscall.ECONNREFUSED) || !tak.Retryable(err) {
		t.Errorf("got %v", err)
	}
	<-link.Lost()
}

// TestMulticast joins a group on the loopback interface and sends to it there.
func TestMulticast(t *testing.T) {
	loopback := loopbackInterface(t)
	conn, err := net.ListenMulticastUDP("udp4", loopback, &net.UDPAddr{IP: net.IPv4(239, 2, 3, 1)})
	if err != nil {
		t.Fatal(err)
	}
	addr, got := receiver(t, conn)
	_, port, _ := net.SplitHostPort(addr)
	link := open(t, tak.DialerOptions{Conn: options()}, fmt.Sprintf("udp://239.2.3.1:%s?interface=%s&ttl=1", port, loopback.Name))
	defer link.Close()
	if err := link.Send(t.Context(), window(0, 2)); err != nil {
		t.Fatal(err)
	}
	for _, want := range append([]string{hello}, texts(window(0, 2))...) {
		if event := next(t, got); event != want {
			t.Errorf("got %q, want %q", event, want)
		}
	}
	dialer := newDialer(t, tak.DialerOptions{Conn: options()}, "udp://239.2.3.1:6969?interface=none0")
	if _, err := dialer.Dial(t.Context()); err == nil {
		t.Error("an interface that is not there was taken")
	}
}

func loopbackInterface(t *testing.T) *net.Interface {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(i net.Interface) bool { return i.Flags&net.FlagLoopback != 0 })
	if i < 0 {
		t.Skip("there is no loopback interface")
	}
	return &all[i]
}
