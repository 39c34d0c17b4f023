package tak_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/detection-api/detection-api/app/internal/tak"
	"github.com/detection-api/detection-api/app/internal/tak/taktest"
)

// conforming are options as the service has them, with times that fit a loopback connection.
func conforming() tak.Options {
	return tak.Options{
		Hello: taktest.Hello, Ping: taktest.Ping, IsPong: taktest.IsPong,
		ProbeWait: 10 * time.Second, Hold: 30 * time.Millisecond, PingEvery: time.Second,
	}
}

// feeds are the ways in which what is sent may arrive at a receiver. OpenTAKServer loses events in all but the first, unless
// each is confirmed before the next; over TLS its reads are the sender's records.
func feeds(i taktest.Imitation, secure bool) []taktest.Feed {
	if i.Name == taktest.OpenTAKServer().Name && secure {
		return []taktest.Feed{taktest.Whole}
	}
	return []taktest.Feed{taktest.Whole, taktest.Split, taktest.Joined}
}

// TestConformance sends small, usual and large events through each of the six receivers, over TCP and TLS, whole, split and
// joined. All arrive, in order and on one connection, and when Send returns they are there.
func TestConformance(t *testing.T) {
	authority := taktest.NewAuthority(t, "test authority")
	for _, imitation := range taktest.Imitations() {
		for _, secure := range []bool{false, true} {
			for _, feed := range feeds(imitation, secure) {
				t.Run(fmt.Sprintf("%s/tls %v/%s", imitation.Name, secure, feed), func(t *testing.T) {
					t.Parallel()
					conforms(t, imitation, secure, feed, authority)
				})
			}
		}
	}
}

func conforms(t *testing.T, imitation taktest.Imitation, secure bool, feed taktest.Feed, authority *taktest.Authority) {
	opts, cfg := tak.DialerOptions{Conn: conforming()}, (*tls.Config)(nil)
	url := "tcp://"
	if secure {
		url, cfg = "tls://", authority.Server(t)
		opts.TLS = clientFiles(t, authority)
	}
	server := imitation.Listen(t, feed, cfg)
	url += server.Addr
	windows := 3
	if imitation.Name == taktest.OpenTAKServer().Name && !secure {
		url += "?window=1"
		windows, opts.Conn.PingEvery, opts.Conn.ProbeWait = 9, 100*time.Millisecond, 2*time.Second // it loses the ping, too, when a portion ends in it
	}
	if !imitation.Answers {
		opts.Conn.ProbeWait = 100 * time.Millisecond
	}
	link := open(t, opts, url)
	defer link.Close()
	var uids []string
	for w := range windows {
		events, names := mixed(w, link.Window())
		uids = append(uids, names...)
		if err := link.Send(t.Context(), events); err != nil {
			t.Fatal(err)
		}
		if !imitation.Answers {
			server.Await(t, "the window", func() bool { return len(server.Taken()) >= len(uids) })
		}
		if got := server.Taken(); !slices.Equal(got, uids) {
			t.Fatalf("after window %d it has %d events of %d; missing %v; %v", w, len(got), len(uids), server.Missing(uids), server.Faults())
		}
	}
	_, connections := server.Bytes()
	lostPings := imitation.Name == taktest.OpenTAKServer().Name && feed == taktest.Split // they are sent again
	if connections != 1 || len(server.Faults()) > 0 && !lostPings {
		t.Errorf("%d connections, faults %v", connections, server.Faults())
	}
}

// mixed is a window of events of the smallest, the usual and the largest size.
func mixed(window, n int) (events [][]byte, uids []string) {
	n = min(n, tak.BarrierWindow)
	for i := range n {
		uid := fmt.Sprintf("w%d-%d", window, i)
		events = append(events, taktest.Sized(uid, []int{0, 900, 2000}[(window+i)%3]))
		uids = append(uids, uid)
	}
	return events, uids
}

// open makes a dialer for the URLs and opens a link.
func open(t *testing.T, opts tak.DialerOptions, urls ...string) tak.Link {
	t.Helper()
	link, err := newDialer(t, opts, urls...).Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return link
}

func newDialer(t *testing.T, opts tak.DialerOptions, urls ...string) *tak.Dialer {
	t.Helper()
	endpoints, err := tak.ParseEndpoints(strings.Join(urls, ","))
	if err != nil {
		t.Fatal(err)
	}
	opts.Endpoints = endpoints
	dialer, err := tak.NewDialer(opts)
	if err != nil {
		t.Fatal(err)
	}
	return dialer
}

// clientFiles writes what a client of the authority needs.
func clientFiles(t testing.TB, authority *taktest.Authority) tak.TLSOptions {
	t.Helper()
	client := authority.Issue(t, "detection-api")
	return tak.TLSOptions{
		CAFile:   write(t, "ca.pem", taktest.CertificatePEM(authority.Certificate)),
		CertFile: write(t, "client.pem", taktest.CertificatePEM(client.Leaf)),
		KeyFile:  write(t, "client.key", taktest.KeyPEM(t, client.PrivateKey)),
	}
}

func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestLimitedPongs has TAK Server's limiter on, which lets one ping in five seconds pass, with ATAK's constants: the client
// waits and does not give up the connection.
func TestLimitedPongs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := taktest.TAKServer(5 * time.Second).New(taktest.Whole)
		opts := options(piped(func(c net.Conn) { server.Serve(c) }), func(o *tak.Options) {
			o.Hello, o.Ping, o.IsPong = taktest.Hello, taktest.Ping, taktest.IsPong
		})
		conn := dial(t, opts)
		defer conn.Close()
		var uids []string
		for w := range 5 {
			events, names := mixed(w, tak.BarrierWindow)
			uids = append(uids, names...)
			began := time.Now()
			if err := conn.Send(t.Context(), events); err != nil || !slices.Equal(server.Taken(), uids) {
				t.Fatalf("window %d: %v; missing %v", w, err, server.Missing(uids))
			}
			if took := time.Since(began); took > 2*tak.DefaultPingEvery { // twice because the first window's may be dropped twice
				t.Errorf("window %d took %v", w, took)
			}
		}
	})
}
