package tak_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/detection-api/detection-api/app/internal/tak"
)

func TestSendWindowsOverTCP(t *testing.T) {
	filler := `<event type="other">` + strings.Repeat("x", 200_000) + `</event>`
	for name, reply := range map[string]string{
		"pong":       pong,
		"echo":       ping,
		"junk":       "\n\x00<?xml version='1.0'?>" + pong + "\n",
		"big before": filler + pong,
	} {
		t.Run(name, func(t *testing.T) {
			var got inbox
			conn := dial(t, options(listen(t, ponger(&got, reply))))
			defer conn.Close()
			var want []string
			for i := range 5 {
				events := window(i*tak.BarrierWindow, tak.BarrierWindow)
				want = append(want, texts(events)...)
				if err := conn.Send(t.Context(), events); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(got.without(hello, ping), want) { // at once: the pong says that they were read
					t.Fatalf("after window %d the server has %d events, want %d in order", i, len(got.without(hello, ping)), len(want))
				}
			}
			if first := got.events[0]; first != hello || len(got.times(hello)) != 1 {
				t.Errorf("first event %q, hellos %d", first, len(got.times(hello)))
			}
			if s := conn.Status(); s.Mode() != tak.ModeBarrier || conn.Window() != tak.BarrierWindow || s.LastPongAt.IsZero() || s.Err != nil {
				t.Errorf("status %+v", s)
			}
		})
	}
}

func TestSendToSinkHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got inbox
		conn := dial(t, options(piped(sink(&got))))
		defer conn.Close()
		began := time.Now()
		if err := conn.Send(t.Context(), window(0, 3)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != tak.DefaultHold {
			t.Errorf("took %v, want %v", took, tak.DefaultHold)
		}
		if conn.Window() != tak.HoldWindow || conn.Status().Mode() != tak.ModeHold || len(got.without(hello, ping)) != 3 {
			t.Errorf("mode %v, events %q", conn.Status().Mode(), got.without(hello, ping))
		}
	})
}

func TestSendToSinkOverTCP(t *testing.T) {
	var got inbox
	conn := dial(t, options(listen(t, sink(&got)), func(o *tak.Options) { o.ProbeWait, o.Hold = 20*time.Millisecond, 50*time.Millisecond }))
	defer conn.Close()
	if err := conn.Send(t.Context(), window(0, tak.BarrierWindow)); err != nil {
		t.Fatal(err)
	}
}

// TestServerDies has servers that end the connection at each event of a window, in both modes, by FIN and by RST.
func TestServerDies(t *testing.T) {
	for _, answers := range []bool{true, false} {
		for _, reset := range []bool{true, false} {
			for _, after := range []int{0, 1, 2, 3} { // of three events; after the third comes the confirmation
				conn := dial(t, options(listen(t, dying(answers, reset, after)), func(o *tak.Options) { o.ProbeWait = 20 * time.Millisecond }))
				err := conn.Send(t.Context(), window(0, 3))
				var e *tak.Error
				if !errors.As(err, &e) || !e.Retryable {
					t.Errorf("answers %v, reset %v, after %d: got %v, want a retryable *Error", answers, reset, after, err)
				}
				<-conn.Lost()
				if again := conn.Send(t.Context(), window(0, 1)); again == nil {
					t.Error("a lost connection sent")
				}
				conn.Close()
			}
		}
	}
}

// dying ends the connection when it has read that many events of a window, or on its first event when that is 0.
func dying(answers, reset bool, after int) func(net.Conn) {
	return func(conn net.Conn) {
		events := 0
		serve(conn, func(event string) bool {
			switch {
			case event == ping && events == 0 && answers:
				io.WriteString(conn, pong)
			case event != ping && event != hello:
				events++
			}
			if events < max(after, 1) {
				return true
			}
			if reset {
				conn.(*net.TCPConn).SetLinger(0)
			}
			return false
		})
	}
}

func TestAcceptAndClose(t *testing.T) {
	_, err := tak.Dial(t.Context(), options(listen(t, func(c net.Conn) { c.Close() })))
	var e *tak.Error
	if !errors.As(err, &e) || !e.Retryable || e.Hint == "" {
		t.Errorf("got %v, want a retryable *Error with a hint", err)
	}
}

func TestConnectRefused(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	_, err = tak.Dial(t.Context(), options(func(o *tak.Options) { o.Addr = listener.Addr().String() }))
	if !tak.Retryable(err) || err == nil || !strings.Contains(err.Error(), "nothing listens there") {
		t.Errorf("got %v", err)
	}
}

func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got inbox
		conn := dial(t, options(piped(func(c net.Conn) { ponger(&got, pong)(slow{c}) })))
		if err := conn.Send(t.Context(), window(0, tak.BarrierWindow)); err != nil {
			t.Fatal(err)
		}
		if n := len(got.without(hello, ping)); n != tak.BarrierWindow {
			t.Errorf("%d events", n)
		}
		conn.Close()
		<-time.After(time.Second) // the server's last read
	})
}

// slow reads three bytes a millisecond.
type slow struct{ net.Conn }

func (s slow) Read(p []byte) (int, error) {
	<-time.After(time.Millisecond)
	return s.Conn.Read(p[:min(3, len(p))])
}

func TestServerThatStopsReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		conn := dial(t, options(piped(func(c net.Conn) {
			serve(c, func(event string) bool {
				if event == ping {
					io.WriteString(c, pong)
					<-release
				}
				return true
			})
		})))
		began := time.Now()
		err := conn.Send(t.Context(), window(0, 1))
		if took := time.Since(began); err == nil || took != tak.DefaultWriteTimeout {
			t.Errorf("got %v after %v", err, took)
		}
		close(release)
		conn.Close()
	})
}

func TestSplitPong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := dial(t, options(piped(func(c net.Conn) {
			serve(c, func(event string) bool {
				for i := 0; event == ping && i < len(pong); i++ {
					io.WriteString(c, pong[i:i+1])
				}
				return true
			})
		})))
		defer conn.Close()
		if err := conn.Send(t.Context(), window(0, 1)); err != nil || conn.Status().Mode() != tak.ModeBarrier {
			t.Errorf("got %v in mode %v", err, conn.Status().Mode())
		}
	})
}

func TestCancelledSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := dial(t, options(piped(answering(1)), func(o *tak.Options) { o.ExpectPong = true }))
		defer conn.Close()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		err := conn.Send(ctx, window(0, 1))
		if !errors.Is(err, context.Canceled) || !tak.Retryable(err) || time.Since(began) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
		<-conn.Lost()
	})
}

// answering answers the first n pings and none after.
func answering(n int) func(net.Conn) {
	return func(conn net.Conn) {
		serve(conn, func(event string) bool {
			if event == ping && n > 0 {
				n--
				io.WriteString(conn, pong)
			}
			return true
		})
	}
}

func TestCancelledDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var got inbox
		_, err := tak.Dial(ctx, options(piped(sink(&got))))
		if !errors.Is(err, context.DeadlineExceeded) || !tak.Retryable(err) {
			t.Errorf("got %v", err)
		}
	})
}

func TestWindowTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got inbox
		conn := dial(t, options(piped(ponger(&got, pong))))
		defer conn.Close()
		if err := conn.Send(t.Context(), window(0, tak.HoldWindow+1)); err == nil || tak.Retryable(err) {
			t.Errorf("got %v, want an error that is not retryable", err)
		}
		if err := conn.Send(t.Context(), window(0, 1)); err != nil {
			t.Errorf("the connection did not survive: %v", err)
		}
		if err := conn.Send(t.Context(), nil); err != nil {
			t.Errorf("an empty window: %v", err)
		}
	})
}

func TestWindowsDoNotMix(t *testing.T) {
	var got inbox
	conn := dial(t, options(listen(t, ponger(&got, pong))))
	defer conn.Close()
	var senders sync.WaitGroup
	for i := range 8 {
		senders.Go(func() {
			if err := conn.Send(t.Context(), window(i*10, 10)); err != nil {
				t.Error(err)
			}
		})
	}
	senders.Wait()
	all := got.without(hello, ping)
	for i := 0; i < len(all); i += 10 {
		if want := texts(window(slices.Index(texts(window(0, 80)), all[i]), 10)); !slices.Equal(all[i:i+10], want) {
			t.Fatalf("got %q", all[i:i+10])
		}
	}
}

func TestClose(t *testing.T) {
	var got inbox
	conn := dial(t, options(listen(t, ponger(&got, pong))))
	for range 2 {
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.Send(t.Context(), window(0, 1)); !errors.Is(err, tak.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
