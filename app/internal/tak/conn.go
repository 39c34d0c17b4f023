package tak

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// lastWordsWait is for bytes that have arrived already.
const lastWordsWait = 100 * time.Millisecond

// Conn is one connection to a TAK server. Its methods are safe for concurrent use; windows go one after the other.
// A connection that is lost stays lost.
type Conn struct {
	opts Options
	log  *slog.Logger
	conn net.Conn

	turn   chan struct{} // holds one token while a window is under way or a ping is written
	pong   chan struct{} // poked at each pong
	lost   chan struct{} // closed with the connection
	closed sync.Once
	tasks  sync.WaitGroup

	mu    sync.Mutex // guards what follows
	pings pings
	state Status
}

// Dial connects, says hello and finds out whether the server answers pings, which takes up to Options.ProbeWait.
// The error is an *Error.
func Dial(ctx context.Context, opts Options) (*Conn, error) {
	if err := CheckAddr(opts.Addr); err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	dialing, cancel := context.WithTimeout(ctx, opts.ConnectTimeout)
	defer cancel()
	socket, err := connect(dialing, opts)
	if err != nil {
		return nil, connectError(opts.Addr, err)
	}
	c := newConn(opts, socket)
	if err := c.greet(ctx); err != nil {
		c.Close()
		return nil, &Error{Op: opConnect, Addr: opts.Addr, Retryable: true, Err: err, Hint: greetHint(opts, err)}
	}
	c.tasks.Go(c.keepAlive)
	return c, nil
}

// connect opens the socket and secures it.
func connect(ctx context.Context, opts Options) (net.Conn, error) {
	socket, err := opts.Dialer(ctx, "tcp", opts.Addr)
	if err != nil || opts.TLS == nil {
		return socket, err
	}
	secured := tls.Client(socket, opts.TLS)
	if err := secured.HandshakeContext(ctx); err != nil {
		socket.Close() // the reason is known
		return nil, &handshakeError{err}
	}
	return secured, nil
}

func newConn(opts Options, socket net.Conn) *Conn {
	now := opts.Now()
	c := &Conn{
		opts: opts, log: opts.Logger.With("component", "tak", "addr", opts.Addr), conn: socket,
		turn: make(chan struct{}, 1), pong: make(chan struct{}, 1), lost: make(chan struct{}),
		pings: pings{every: opts.PingEvery, longest: opts.DeadAfter},
		state: Status{Addr: opts.Addr, Answered: opts.ExpectPong, ConnectedAt: now, LastByteAt: now},
	}
	c.tasks.Go(c.read)
	return c
}

// greet says hello and probes. It pings twice, because TAK Server answers only once it has digested the hello.
func (c *Conn) greet(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { c.fail(context.Cause(ctx)) })
	defer stop()
	if c.opts.Hello != nil {
		if err := c.write(c.opts.Hello()); err != nil {
			return err
		}
	}
	if c.opts.Ping == nil {
		return c.Err()
	}
	for i := range 2 {
		if _, err := c.ping(i > 0); err != nil {
			return err
		}
		select {
		case <-c.pong:
			return nil
		case <-c.lost:
			return c.Err()
		case <-time.After(c.opts.ProbeWait / 2):
		}
	}
	return nil
}

// Send writes the events, one write each, and returns nil when the server has read all of them as far as that can be told
// (see the package comment). At most HoldWindow events. The error is an *Error; after a retryable one the connection is lost,
// unless ctx ended while another window was under way. When ctx ends during this one, the connection is given up.
func (c *Conn) Send(ctx context.Context, events [][]byte) error {
	if len(events) > HoldWindow {
		return &Error{
			Op: opSend, Addr: c.opts.Addr,
			Err: fmt.Errorf("a window of %d events; %d are the limit", len(events), HoldWindow),
		}
	}
	if len(events) == 0 {
		return nil
	}
	if err := c.deliver(ctx, events); err != nil {
		return &Error{Op: opSend, Addr: c.opts.Addr, Retryable: true, Err: err}
	}
	return nil
}

func (c *Conn) deliver(ctx context.Context, events [][]byte) error {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-c.lost:
		return c.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	stop := context.AfterFunc(ctx, func() { c.fail(context.Cause(ctx)) })
	defer stop()
	if c.Status().Answered {
		if err := c.settle(); err != nil {
			return err
		}
	}
	for _, event := range events {
		if err := c.write(event); err != nil {
			return err
		}
	}
	if err := c.confirm(); err != nil {
		return c.fail(err)
	}
	return nil
}

// write sends one event. A failed write closes the connection, because part of the event may be out.
func (c *Conn) write(event []byte) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(c.opts.WriteTimeout)); err != nil {
		return c.fail(err)
	}
	if _, err := c.conn.Write(event); err != nil {
		if c.opts.TLS != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			c.lastWords()
		}
		return c.fail(fmt.Errorf("write: %w", err))
	}
	c.mu.Lock()
	c.state.LastWriteAt = c.opts.Now()
	c.mu.Unlock()
	return nil
}

// lastWords gives read the time to find the alert by which a server that hung up said why.
func (c *Conn) lastWords() {
	timer := time.NewTimer(lastWordsWait)
	defer timer.Stop()
	select {
	case <-c.lost:
	case <-timer.C:
	}
}

// read watches the connection for as long as it is up: every byte is a sign of life, and its end is noticed at once.
func (c *Conn) read() {
	var frames framer
	buf := make([]byte, 16<<10)
	for {
		n, err := c.conn.Read(buf)
		if n > 0 {
			c.mu.Lock()
			c.state.LastByteAt = c.opts.Now()
			c.mu.Unlock()
			frames.feed(buf[:n], c.received)
		}
		if errors.Is(err, io.EOF) {
			err = ErrHungUp
		}
		if err != nil {
			c.fail(err)
			return
		}
	}
}

func (c *Conn) received(event []byte) {
	if !c.opts.IsPong(event) {
		return
	}
	c.mu.Lock()
	c.pings.pong(c.opts.Now())
	c.state.Answered, c.state.LastPongAt = true, c.opts.Now()
	c.mu.Unlock()
	select {
	case c.pong <- struct{}{}:
	default:
	}
}

// fail closes the connection for a reason and returns the reason for which it was closed first.
func (c *Conn) fail(reason error) error {
	c.closed.Do(func() {
		c.mu.Lock()
		c.state.Err = reason
		c.mu.Unlock()
		close(c.lost)
		hangUp(c.conn)
		c.log.Debug("connection ended", "reason", reason)
	})
	return c.Err()
}

// hangUp closes a connection whose end has a reason; what closing adds to it helps nobody.
func hangUp(conn net.Conn) {
	switch socket := conn.(type) {
	case *tls.Conn:
		if unacknowledged(conn) > 0 { // its goodbye would wait for a peer that does not read
			socket.NetConn().Close()
		}
	case interface{ CloseWrite() error }:
		_ = socket.CloseWrite() // says goodbye before anything still unread here could turn the close into a reset
	}
	conn.Close()
}

// Lost is closed as soon as the connection is known to be lost, also while nothing is sent.
func (c *Conn) Lost() <-chan struct{} { return c.lost }

// Err returns why the connection was lost, or nil while it is up.
func (c *Conn) Err() error { return c.Status().Err }

// Close ends the connection and waits for its goroutines. A window under way fails. Closing again does nothing.
func (c *Conn) Close() error {
	c.fail(ErrClosed)
	c.tasks.Wait()
	return nil
}
