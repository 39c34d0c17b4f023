package tak

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

const (
	// MaxDatagramBytes is the most that a UDP datagram over IPv4 can hold (RFC 768, RFC 791: 65 535 less 28 of headers). Those
	// of more than about 1472 bytes travel in fragments, of which none may be lost.
	MaxDatagramBytes = 65507
	// DatagramWindow keeps a burst below the usual receive buffer of 208 KiB, in which an event of 2 000 bytes takes 4 KiB.
	DatagramWindow = 32
	// DefaultDatagramHold is the pause after each window: a host near by that has nobody on the port says so meanwhile.
	DefaultDatagramHold = 20 * time.Millisecond
)

// datagrams sends each event as one UDP datagram. Nothing confirms them: they are delivered when they are sent.
type datagrams struct {
	*tether
	opts  Options
	conn  net.Conn
	tasks sync.WaitGroup
}

// dialDatagrams opens a socket and sends the hello.
func dialDatagrams(ctx context.Context, e Endpoint, opts Options) (*datagrams, error) {
	opts = opts.withDefaults()
	dial := opts.Dialer
	if e.multicast() {
		dial = multicastDialer(e)
	}
	dialing, cancel := context.WithTimeout(ctx, opts.ConnectTimeout)
	defer cancel()
	conn, err := dial(dialing, "udp", e.Addr)
	if err != nil {
		return nil, connectError(e.Addr, err)
	}
	d := &datagrams{opts: opts, conn: conn}
	d.tether = newTether(opts.Now, e.Addr, ModeDatagram, func() { conn.Close() })
	d.tasks.Go(d.read)
	if opts.Hello != nil {
		if err := d.write(opts.Hello()); err != nil {
			d.Close()
			return nil, connectError(e.Addr, err)
		}
	}
	return d, nil
}

// Send sends one datagram for each event. Events that no datagram can hold are refused.
func (d *datagrams) Send(ctx context.Context, events [][]byte) error {
	end, err := d.begin(ctx)
	if err != nil {
		return &Error{Op: opSend, Addr: d.opts.Addr, Retryable: true, Err: err}
	}
	defer end()
	refused := map[int]string{}
	for i, event := range events {
		if len(event) > MaxDatagramBytes {
			refused[i] = fmt.Sprintf("%d bytes do not fit into a datagram of at most %d", len(event), MaxDatagramBytes)
			continue
		}
		if err := d.write(event); err != nil {
			return &Error{Op: opSend, Addr: d.opts.Addr, Retryable: true, Err: err, Hint: datagramHint(err)}
		}
	}
	if err := d.settle(ctx); err != nil {
		return &Error{Op: opSend, Addr: d.opts.Addr, Retryable: true, Err: err, Hint: datagramHint(err)}
	}
	return refusedOrNil(string(UDP)+"://"+d.opts.Addr, refused)
}

// settle gives the host time to say that nobody listens.
func (d *datagrams) settle(ctx context.Context) error {
	timer := time.NewTimer(DefaultDatagramHold)
	defer timer.Stop()
	select {
	case <-timer.C:
		return d.Err()
	case <-d.lost:
		return d.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (d *datagrams) write(event []byte) error {
	if err := d.conn.SetWriteDeadline(time.Now().Add(d.opts.WriteTimeout)); err != nil {
		return d.fail(err)
	}
	if _, err := d.conn.Write(event); err != nil {
		return d.fail(fmt.Errorf("write: %w", err))
	}
	d.wrote()
	return nil
}

// read learns from answers that somebody is there, and from ICMP that nobody is.
func (d *datagrams) read() {
	buf := make([]byte, 64<<10)
	for {
		n, err := d.conn.Read(buf)
		if n > 0 {
			d.heard()
		}
		if err != nil {
			d.fail(err)
			return
		}
	}
}

// Window returns DatagramWindow.
func (d *datagrams) Window() int { return DatagramWindow }

// Close ends the link. Closing again does nothing.
func (d *datagrams) Close() error {
	d.fail(ErrClosed)
	d.tasks.Wait()
	return nil
}
