package tak

import (
	"io"
	"net"
	"testing"
	"time"
)

// TestUnacknowledged has a peer whose TCP takes only so much, because it does not read, until it reads.
func TestUnacknowledged(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := dialer(DefaultConnectTimeout, DefaultDeadAfter).DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if n := unacknowledged(client); n != 0 {
		t.Errorf("%d bytes before the first", n)
	}
	client.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	for chunk := make([]byte, 1<<20); err == nil; _, err = client.Write(chunk) {
	}
	if n := unacknowledged(client); n == 0 {
		t.Error("nothing is open, though the peer does not read")
	}
	go io.Copy(io.Discard, server)
	for deadline := time.Now().Add(10 * time.Second); unacknowledged(client) != 0; {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are still open", unacknowledged(client))
		}
	}
}
