package tak_test

import (
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/detection-api/detection-api/app/internal/tak"
)

// seconds returns the times relative to start.
func seconds(start time.Time, at []time.Time) []float64 {
	var s []float64
	for _, t := range at {
		s = append(s, t.Sub(start).Seconds())
	}
	return s
}

func TestIdleServerThatStopsAnswering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got inbox
		began := time.Now()
		answered := false
		conn := dial(t, options(piped(func(c net.Conn) {
			serve(c, func(event string) bool {
				got.add(event)
				if event == ping && !answered {
					answered = true
					io.WriteString(c, pong)
				}
				return true
			})
		})))
		defer conn.Close()
		<-conn.Lost()
		if took := time.Since(began); took != tak.DefaultDeadAfter || !errors.Is(conn.Err(), tak.ErrSilent) {
			t.Errorf("%v after %v", conn.Err(), took)
		}
		if pings, want := seconds(began, got.times(ping)), []float64{0, 15, 19.5, 24}; !slices.Equal(pings, want) {
			t.Errorf("pings at %v, want %v", pings, want)
		}
	})
}

func TestIdleServerThatAnswersLivesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got inbox
		conn := dial(t, options(piped(ponger(&got, pong))))
		defer conn.Close()
		select {
		case <-conn.Lost():
			t.Fatal(conn.Err())
		case <-time.After(24 * time.Hour):
		}
		if n := len(got.times(ping)); n < 5000 || n > 6000 { // one in 15 s
			t.Errorf("%d pings in a day", n)
		}
	})
}

// TestIdleSinkLivesOn: a server that never answered is not declared dead for its silence.
func TestIdleSinkLivesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got inbox
		conn := dial(t, options(piped(sink(&got))))
		defer conn.Close()
		select {
		case <-conn.Lost():
			t.Fatal(conn.Err())
		case <-time.After(24 * time.Hour):
		}
		if err := conn.Send(t.Context(), window(0, 1)); err != nil {
			t.Error(err)
		}
	})
}

func TestIdleLossIsNoticedAtOnce(t *testing.T) {
	hangUp := make(chan struct{})
	conn := dial(t, options(listen(t, func(c net.Conn) {
		go func() { <-hangUp; c.Close() }()
		ponger(&inbox{}, pong)(c)
	})))
	defer conn.Close()
	close(hangUp)
	select {
	case <-conn.Lost():
	case <-time.After(10 * time.Second):
		t.Fatal("not noticed")
	}
	if !errors.Is(conn.Err(), tak.ErrHungUp) {
		t.Errorf("got %v", conn.Err())
	}
}

func TestSendToServerThatStoppedAnswering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := dial(t, options(piped(answering(1))))
		defer conn.Close()
		began := time.Now() // also the time of the last inbound byte
		err := conn.Send(t.Context(), window(0, 3))
		if took := time.Since(began); !errors.Is(err, tak.ErrSilent) || took != tak.DefaultDeadAfter {
			t.Errorf("got %v after %v", err, took)
		}
	})
}

// TestHungServer: one that is known to answer is not taken for a plain sink. Without ExpectPong its windows count as
// delivered, which is the positive control.
func TestHungServer(t *testing.T) {
	for _, expect := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			conn := dial(t, options(piped(answering(0)), func(o *tak.Options) { o.ExpectPong = expect }))
			defer conn.Close()
			err := conn.Send(t.Context(), window(0, 3))
			if expect != errors.Is(err, tak.ErrSilent) || expect != (err != nil) {
				t.Errorf("expect %v: got %v", expect, err)
			}
		})
	}
}

// TestWithheldPong: a server that drops a ping, as TAK Server's limiter does, gets another one and keeps its connection.
func TestWithheldPong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pings := 0
		conn := dial(t, options(piped(func(c net.Conn) {
			serve(c, func(event string) bool {
				if event == ping {
					if pings++; pings != 2 {
						io.WriteString(c, pong)
					}
				}
				return true
			})
		})))
		defer conn.Close()
		quiet := tak.DefaultPingEvery * 3 / 2 // in which a late pong would have come
		for i, want := range []time.Duration{tak.DefaultPingEvery, quiet, 0} {
			began := time.Now()
			if err := conn.Send(t.Context(), window(0, 1)); err != nil || time.Since(began) != want {
				t.Errorf("window %d: got %v after %v, want %v", i, err, time.Since(began), want)
			}
		}
	})
}

// TestPongOfAnEarlierPing: a pong that was due before the window does not confirm it.
func TestPongOfAnEarlierPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got inbox
		conn := dial(t, options(piped(func(c net.Conn) {
			pings := 0
			serve(c, func(event string) bool {
				got.add(event)
				if event == ping {
					if pings++; pings == 1 {
						io.WriteString(c, pong)
						return true
					}
					delay := 2 * time.Second // the idle ping at 15 s and the window's are each answered 2 s later
					time.AfterFunc(delay, func() { io.WriteString(c, pong) })
				}
				return true
			})
		})))
		defer conn.Close()
		<-time.After(tak.DefaultSilentAfter + time.Second)
		began := time.Now() // the idle ping's pong comes in 1 s, this window's in 2 s
		if err := conn.Send(t.Context(), window(0, 1)); err != nil || time.Since(began) != 2*time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
	})
}

func TestChattyServerWithoutPong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		conn := dial(t, options(piped(func(c net.Conn) {
			go func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(time.Second):
						io.WriteString(c, `<event type="other"></event>`)
					}
				}
			}()
			answering(1)(c)
		})))
		began := time.Now()
		err := conn.Send(t.Context(), window(0, 1))
		if took := time.Since(began); !errors.Is(err, tak.ErrUnconfirmed) || took != tak.DefaultConfirmTimeout {
			t.Errorf("got %v after %v", err, took)
		}
		close(stop)
		conn.Close()
	})
}

// TestLateAnswerer: a server whose first pong comes after the probe is in barrier mode from then on.
func TestLateAnswerer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := dial(t, options(piped(func(c net.Conn) {
			serve(c, func(event string) bool {
				if event == ping {
					time.AfterFunc(1200*time.Millisecond, func() { io.WriteString(c, pong) })
				}
				return true
			})
		})))
		defer conn.Close()
		if before := conn.Status().Mode(); before != tak.ModeHold {
			t.Fatalf("mode %v", before)
		}
		if err := conn.Send(t.Context(), window(0, 1)); err != nil || conn.Status().Mode() != tak.ModeBarrier {
			t.Errorf("got %v, mode %v", err, conn.Status().Mode())
		}
	})
}

// TestSlowPongs: a server whose pongs take longer than the time between pings gets several pings for a window. The pong of
// a later one does not confirm the next window, which the server has not read: here it reads nothing until a pong is due.
func TestSlowPongs(t *testing.T) {
	for _, slowness := range []time.Duration{5 * time.Second, 6 * time.Second, 8 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			conn := dial(t, options(piped(func(c net.Conn) {
				serve(c, func(event string) bool {
					if event == ping {
						time.AfterFunc(slowness, func() { io.WriteString(c, pong) })
					}
					return true
				})
			})))
			defer conn.Close()
			<-time.After(3 * slowness)
			for i := range 5 {
				began := time.Now()
				if err := conn.Send(t.Context(), window(i, 1)); err != nil || time.Since(began) < slowness {
					t.Errorf("slowness %v, window %d: got %v after %v", slowness, i, err, time.Since(began))
				}
			}
		})
	}
}
