// Package tak is the client side of a TAK server: streams of plain XML events over TCP or TLS (streaming protocol version 0),
// UDP datagrams, and HTTP requests. It connects, sends windows of events, says whether the server has them, and notices at
// once when a connection is lost. It sends once; when to try again is the caller's decision, and the errors say whether it
// makes sense. It builds no event: the bytes of the hello and of the ping and the recogniser of the pong are given to it.
//
// Dial opens one stream. A Dialer knows several endpoints in order, opens a Link to the best that takes one, and holds the
// certificates, which it reads again when they change.
//
// How a window of a stream is confirmed depends on the server. One that answers pings gets a ping after each window, and its
// pong shows that everything before it was read (ModeBarrier). One that never answers gets no such proof; its windows count
// as delivered when its TCP stack has acknowledged every byte and the connection has then stayed up for Options.Hold
// (ModeHold). Neither shows that the server understood the events. A datagram is delivered when it is sent (ModeDatagram), a
// request when the server answers with 2xx (ModeResponse).
package tak

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"time"
)

// How many events one Send should take. A window is what is sent again after a failure, so it bounds the duplicates.
const (
	// BarrierWindow is for servers that answer pings: half of the 128 events at which goatak begins to drop.
	BarrierWindow = 64
	// HoldWindow is for those that do not, where each window costs at least Options.Hold. It is the most that Send takes.
	HoldWindow = 512
)

// Defaults. Those from DefaultConnectTimeout to DefaultDeadAfter are ATAK's own (streamingsocketmanagement.cpp).
const (
	DefaultConnectTimeout = 20 * time.Second
	DefaultSilentAfter    = 15 * time.Second
	DefaultPingEvery      = 4500 * time.Millisecond
	DefaultDeadAfter      = 25 * time.Second
	// DefaultProbeWait is how long a new connection waits for a first pong. Servers that answer do so within a round trip.
	DefaultProbeWait = time.Second
	// DefaultHold is several round trips of a bad link, in which a reset caused by the window would have come back.
	DefaultHold = time.Second
	// DefaultWriteTimeout bounds one event's write: two kilobytes that do not fit into the socket's buffer for so long.
	DefaultWriteTimeout = 10 * time.Second
	// DefaultConfirmTimeout bounds the wait for a pong from a server that sends other things meanwhile. TAK Server's
	// limiter may withhold a pong for 5 s; this is far beyond.
	DefaultConfirmTimeout = 60 * time.Second
)

// Options say where to connect and how. Zero durations mean the defaults.
type Options struct {
	Addr  string        // host:port
	Hello func() []byte // the first event on the connection; nil for none
	Ping  func() []byte // nil: the server is never asked and every window is confirmed by ModeHold
	// IsPong tells whether one received event, from "<event" to "</event>", answers a ping. Required with Ping.
	IsPong func(event []byte) bool
	// ExpectPong says that the server at Addr is known to answer pings (an earlier connection's Status().Answered): the
	// connection is in ModeBarrier from the start, so that a server that hangs is not taken for one that never answers.
	ExpectPong bool
	// TLS secures the connection; nil leaves it plain. Its ServerName is required, and DynamicRecordSizingDisabled, without
	// which the first events of a connection would be cut into two records.
	TLS *tls.Config
	// Window is how many events one Send should take at most; 0 means what the mode allows.
	Window int

	ConnectTimeout time.Duration
	WriteTimeout   time.Duration // of one event
	ProbeWait      time.Duration
	Hold           time.Duration
	SilentAfter    time.Duration // without an inbound byte: begin to ping
	PingEvery      time.Duration // between pings while no pong comes
	DeadAfter      time.Duration // without an inbound byte: give up a server that has answered before
	ConfirmTimeout time.Duration // of one window

	// Dialer opens the connection; nil means TCP with keep-alive and a bound on unacknowledged data.
	Dialer func(ctx context.Context, network, addr string) (net.Conn, error)
	Now    func() time.Time // nil means time.Now; must not stand still
	Logger *slog.Logger     // nil discards
}

func (o Options) withDefaults() Options {
	o.ConnectTimeout = cmp.Or(o.ConnectTimeout, DefaultConnectTimeout)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, DefaultWriteTimeout)
	o.ProbeWait = cmp.Or(o.ProbeWait, DefaultProbeWait)
	o.Hold = cmp.Or(o.Hold, DefaultHold)
	o.SilentAfter = cmp.Or(o.SilentAfter, DefaultSilentAfter)
	o.PingEvery = cmp.Or(o.PingEvery, DefaultPingEvery)
	o.DeadAfter = cmp.Or(o.DeadAfter, DefaultDeadAfter)
	o.ConfirmTimeout = cmp.Or(o.ConfirmTimeout, DefaultConfirmTimeout)
	if o.Ping == nil || o.IsPong == nil {
		o.Ping, o.IsPong, o.ExpectPong = nil, func([]byte) bool { return false }, false
	}
	if o.Dialer == nil {
		o.Dialer = dialer(o.ConnectTimeout, o.DeadAfter).DialContext
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// dialer notices a peer that vanished without a word also while nothing is sent, and while something is.
func dialer(connectTimeout, deadAfter time.Duration) *net.Dialer {
	return &net.Dialer{
		Timeout:         connectTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: deadAfter / 2, Interval: deadAfter / 6, Count: 3},
		Control:         limitUnacknowledged(deadAfter),
	}
}
