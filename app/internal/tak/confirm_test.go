package tak_test

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"

	"github.com/detection-api/detection-api/app/internal/tak"
)

// TestConfirmPong has a server that reads and never answers, from the first connection on: what it is sent counts as delivered
// unless its endpoint says that it answers, which is the control.
func TestConfirmPong(t *testing.T) {
	for url, want := range map[string]error{"tcp://a:1": nil, "tcp://a:1?confirm=pong": tak.ErrSilent} {
		synctest.Test(t, func(t *testing.T) {
			n := &network{serves: map[string]func(net.Conn){}}
			n.up("a:1", answering(0))
			link := open(t, tak.DialerOptions{Conn: options(func(o *tak.Options) { o.Dialer = n.dial })}, url)
			defer link.Close()
			if err := link.Send(t.Context(), window(0, 1)); !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %v", url, err, want)
			}
		})
	}
}
