package tak

import (
	"fmt"
	"time"
)

// Mode is how windows are confirmed on a connection.
type Mode string

// The modes. A connection begins in ModeHold, unless Options.ExpectPong is set, and changes at the first pong. The last two
// are those of UDP and HTTP, which never change.
const (
	ModeHold     Mode = "hold"     // the server has not answered a ping: acknowledged by its TCP and still connected
	ModeBarrier  Mode = "barrier"  // a pong after the window
	ModeDatagram Mode = "datagram" // nothing confirms: sent
	ModeResponse Mode = "response" // a 2xx answer to each event
)

// Status is a snapshot of a connection. Times that have not come are zero.
type Status struct {
	Addr        string
	Answered    bool // the server answers pings, or is expected to
	ConnectedAt time.Time
	LastByteAt  time.Time // last inbound byte; ConnectedAt before the first
	LastWriteAt time.Time
	LastPongAt  time.Time
	Err         error // why the connection was lost, nil while it is up

	fixed Mode // of a transport that has only one
}

// Mode returns how the next window will be confirmed.
func (s Status) Mode() Mode {
	switch {
	case s.fixed != "":
		return s.fixed
	case s.Answered:
		return ModeBarrier
	}
	return ModeHold
}

// Window returns how many events the next Send should take at most; it follows the mode.
func (c *Conn) Window() int {
	switch {
	case c.opts.Window > 0:
		return c.opts.Window
	case c.Status().Answered:
		return BarrierWindow
	}
	return HoldWindow
}

// Status returns a snapshot.
func (c *Conn) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// keepAlive pings a server from which nothing is heard and gives it up when it has answered before and does not any more.
// A server that never answered is only pinged: it may be a plain sink, and TCP notices when its host is gone.
func (c *Conn) keepAlive() {
	for {
		timer := time.NewTimer(max(c.nextCheck(), time.Millisecond))
		select {
		case <-c.lost:
			timer.Stop()
			return
		case <-timer.C:
		}
		select {
		case c.turn <- struct{}{}:
			c.check()
			<-c.turn
		case <-c.lost:
			return
		}
	}
}

// nextCheck returns how long nothing has to be done.
func (c *Conn) nextCheck() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.opts.Now()
	if !c.state.Answered {
		return later(c.state.LastWriteAt, c.state.ConnectedAt).Add(c.opts.SilentAfter).Sub(now)
	}
	ping := later(c.state.LastByteAt.Add(c.opts.SilentAfter), c.pings.lastSent.Add(c.opts.PingEvery))
	return earlier(ping, c.state.LastByteAt.Add(c.opts.DeadAfter)).Sub(now)
}

// check does what is due. It waits for no window: the one under way has its own barrier, after which nothing is due.
func (c *Conn) check() {
	if c.nextCheck() > 0 {
		return
	}
	status := c.Status()
	if silent := c.opts.Now().Sub(status.LastByteAt); status.Answered && silent >= c.opts.DeadAfter {
		c.fail(fmt.Errorf("%w: last byte %v ago", ErrSilent, silent))
		return
	}
	if c.opts.Ping == nil {
		c.touch()
		return
	}
	_, _ = c.ping(true) // after an error the connection is closed and has the reason
}

// touch puts off the next check where there is nothing to write.
func (c *Conn) touch() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.LastWriteAt = c.opts.Now()
}
