package tak_test

import (
	"encoding/json"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/detection-api/detection-api/app/internal/tak"
)

// TestLossIsNoFailure: a server that worked and hung up is tried first again.
func TestLossIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, dialer := newNetwork(t)
		hangUp := make(chan struct{})
		n.up("a:1", func(c net.Conn) {
			go func() { <-hangUp; c.Close() }()
			ponger(&inbox{}, pong)(c)
		})
		n.up("b:1", ponger(&inbox{}, pong))
		link, err := dialer.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sends(t, link)
		close(hangUp)
		<-link.Lost()
		link.Close()
		if status := dialer.Status(); status.State != tak.Waiting || !strings.Contains(status.LastError, "closed") || status.Failures != 1 {
			t.Errorf("status %+v", status)
		}
		n.up("a:1", ponger(&inbox{}, pong))
		if link, err = dialer.Dial(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer link.Close()
		on(t, dialer, "tcp://a:1")
	})
}

// TestNoEndpoint names the reason of each, and tries all of them again at once.
func TestNoEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, dialer := newNetwork(t)
		for range 2 {
			_, err := dialer.Dial(t.Context())
			if err == nil || !tak.Retryable(err) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("got %v", err)
			}
			for _, addr := range []string{"a:1", "b:1", "c:1"} {
				if !strings.Contains(err.Error(), addr) {
					t.Errorf("%q does not name %s", err, addr)
				}
			}
			if got := n.dialed(); got != "a:1 b:1 c:1" {
				t.Errorf("dialled %s", got)
			}
		}
		if status := dialer.Status(); status.State != tak.Waiting || status.Attempts != 6 || status.Failures != 6 || status.LastErrorAt == nil {
			t.Errorf("status %+v", status)
		}
	})
}

func TestStatusJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, dialer := newNetwork(t)
		n.up("a:1", ponger(&inbox{}, pong))
		link, err := dialer.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer link.Close()
		sends(t, link)
		<-time.After(2 * time.Second)
		text, err := json.Marshal(dialer.Status())
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		if err := json.Unmarshal(text, &fields); err != nil {
			t.Fatal(err)
		}
		var names []string
		for name := range fields {
			names = append(names, name)
		}
		slices.Sort(names)
		want := []string{
			"attempts", "connected_since", "endpoint", "endpoints", "failures", "last_byte_age_seconds", "last_pong_age_seconds",
			"last_send_age_seconds", "mode", "state",
		}
		if !slices.Equal(names, want) || fields["mode"] != "barrier" || fields["last_pong_age_seconds"] != 2.0 {
			t.Errorf("got %s", text)
		}
	})
}
