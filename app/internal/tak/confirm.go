package tak

import (
	"fmt"
	"time"
)

// ackPoll is how often ModeHold looks whether the peer's TCP has acknowledged everything; there is no event for it.
const ackPoll = 20 * time.Millisecond

// ping writes a ping and returns its number. It is counted first: the pong may be here before the write returns.
func (c *Conn) ping(again bool) (int, error) {
	c.mu.Lock()
	number := c.pings.ping(c.opts.Now(), again)
	c.mu.Unlock()
	return number, c.write(c.opts.Ping())
}

// confirm waits until the window that was written counts as read.
func (c *Conn) confirm() error {
	if c.Status().Answered {
		return c.barrier()
	}
	held, err := c.hold()
	if err != nil || held {
		return err
	}
	if err := c.settle(); err != nil { // it answers after all
		return err
	}
	return c.barrier()
}

// settle waits until no pong of an earlier window can be taken for one of the next.
func (c *Conn) settle() error {
	for {
		now := c.opts.Now()
		c.mu.Lock()
		until := c.pings.settle(now)
		c.mu.Unlock()
		if !now.Before(until) {
			return c.Err()
		}
		if err := c.await(until.Sub(now)); err != nil {
			return err
		}
	}
}

// barrier pings and waits for the pong. The server gets DeadAfter from its last byte, as when idle, but never less than the
// time that pings have there, and ConfirmTimeout in all.
func (c *Conn) barrier() error {
	began := c.opts.Now()
	number, err := c.ping(false) // any later one is behind the window too
	if err != nil {
		return err
	}
	for {
		c.mu.Lock()
		confirmed, next, lastByte := c.pings.confirmed, c.pings.lastSent.Add(c.opts.PingEvery), c.state.LastByteAt
		c.mu.Unlock()
		if confirmed >= number {
			return nil
		}
		now := c.opts.Now()
		dead := later(lastByte.Add(c.opts.DeadAfter), began.Add(c.opts.DeadAfter-c.opts.SilentAfter))
		giveUp := began.Add(c.opts.ConfirmTimeout)
		switch {
		case !now.Before(dead):
			return fmt.Errorf("%w: last byte %v ago", ErrSilent, now.Sub(lastByte))
		case !now.Before(giveUp):
			return fmt.Errorf("%w: no pong for %v, though other bytes came", ErrUnconfirmed, c.opts.ConfirmTimeout)
		case !now.Before(next):
			if _, err := c.ping(true); err != nil {
				return err
			}
		default:
			if err := c.await(earlier(next, earlier(dead, giveUp)).Sub(now)); err != nil {
				return err
			}
		}
	}
}

// await returns at the next pong or after d, or with an error when the connection is lost.
func (c *Conn) await(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c.pong:
		return nil
	case <-timer.C:
		return nil
	case <-c.lost:
		return c.Err()
	}
}

// hold waits for Hold and until the peer's TCP has acknowledged everything. It returns false without an error when the
// server turns out to answer pings.
func (c *Conn) hold() (bool, error) {
	began := c.opts.Now()
	wait := c.opts.Hold
	for {
		if err := c.await(wait); err != nil {
			return false, err
		}
		passed := c.opts.Now().Sub(began)
		left := unacknowledged(c.conn)
		switch {
		case c.Status().Answered:
			return false, nil
		case passed >= c.opts.Hold && left == 0:
			return true, c.Err()
		case passed >= c.opts.DeadAfter:
			return false, fmt.Errorf("%w: %d bytes unacknowledged for %v", ErrUnconfirmed, left, passed)
		}
		wait = max(c.opts.Hold-passed, ackPoll)
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
