package tak_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"testing"

	"github.com/detection-api/detection-api/app/internal/tak"
	"github.com/detection-api/detection-api/app/internal/tak/taktest"
)

// records counts what is written to a connection.
type records struct {
	net.Conn
	sizes *[]int
}

func (r records) Write(p []byte) (int, error) {
	*r.sizes = append(*r.sizes, len(p))
	return r.Conn.Write(p)
}

// TestOneRecordForEachEvent holds that not even the first event of a TLS connection is cut, which is what crypto/tls does
// with its first records unless told not to; that is the positive control.
func TestOneRecordForEachEvent(t *testing.T) {
	authority := taktest.NewAuthority(t, "test authority")
	for _, dynamic := range []bool{false, true} {
		server := taktest.Taky().Listen(t, taktest.Whole, authority.Server(t))
		opts := conforming()
		opts.Addr, opts.Hello, opts.Ping = server.Addr, nil, nil
		opts.TLS = &tls.Config{
			RootCAs: authority.Pool(), Certificates: []tls.Certificate{authority.Issue(t, "detection-api")}, ServerName: "localhost",
			DynamicRecordSizingDisabled: !dynamic,
		}
		var sizes []int
		opts.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			return records{conn, &sizes}, err
		}
		conn := dial(t, opts)
		sizes = nil // those of the handshake
		var events [][]byte
		for i := range 10 {
			events = append(events, taktest.Sized(fmt.Sprint(i), 2000))
		}
		if err := conn.Send(t.Context(), events); err != nil {
			t.Fatal(err)
		}
		if whole := len(sizes) == len(events); whole == dynamic {
			t.Errorf("dynamic %v: %d events in writes of %v bytes", dynamic, len(events), sizes)
		}
		conn.Close()
	}
}

// TestDialerWritesOneRecordForEachEvent holds the same for the configuration that a Dialer makes of its files.
func TestDialerWritesOneRecordForEachEvent(t *testing.T) {
	authority := taktest.NewAuthority(t, "test authority")
	server := taktest.Taky().Listen(t, taktest.Whole, authority.Server(t))
	var sizes []int
	opts := tak.DialerOptions{Conn: conforming(), TLS: clientFiles(t, authority)}
	opts.Conn.Hello, opts.Conn.Ping = nil, nil
	opts.Conn.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return records{conn, &sizes}, err
	}
	link := open(t, opts, "tls://"+server.Addr)
	defer link.Close()
	sizes = nil                                                            // those of the handshake
	events := [][]byte{taktest.Sized("0", 2000), taktest.Sized("1", 2000)} // only a first record is made small
	if err := link.Send(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	if len(sizes) != len(events) {
		t.Errorf("%d events in writes of %v bytes", len(events), sizes)
	}
}
