// Package taktest imitates TAK receivers for tests: small servers that cut a stream into events, and lose some, as the real
// ones were read to do. They are written from the facts in docs/tak.md, not from those programs' code.
package taktest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// Feed is in which portions a server reads what has arrived.
type Feed string

// The feeds.
const (
	Whole  Feed = "whole"  // what is there, up to the server's own buffer
	Split  Feed = "split"  // seven bytes at a time, so that each event is in many
	Joined Feed = "joined" // only when nothing has come for a while, so that many events are in one
)

const (
	splitBytes = 7
	joinPause  = 5 * time.Millisecond
)

// Imitation is one of the receivers.
type Imitation struct {
	Name        string
	Answers     bool // pings
	buffer      int  // bytes that it reads at most at once
	newReceiver func(s *Server) receiver
}

// receiver is one connection's state.
type receiver interface {
	// receive is given what one read returned. It says what to answer, and an error when it hangs up.
	receive(portion []byte) (answer []byte, err error)
}

// Server is an imitation at work.
type Server struct {
	Imitation
	Addr string // of its listener

	feed    Feed
	changed chan struct{} // poked at each change of what follows

	mu          sync.Mutex
	taken       []string
	faults      []string
	bytes       int
	connections int
}

// New makes a server that serves only what Serve is given.
func (i Imitation) New(feed Feed) *Server {
	return &Server{Imitation: i, feed: feed, changed: make(chan struct{}, 1)}
}

// Listen makes one that serves the connections to a port of its own until the test ends, in TLS when cfg is not nil.
func (i Imitation) Listen(t testing.TB, feed Feed, cfg *tls.Config) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := i.New(feed)
	s.Addr = listener.Addr().String()
	if cfg != nil {
		listener = tls.NewListener(listener, cfg)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { s.Serve(conn) })
		}
	})
	t.Cleanup(func() { listener.Close(); serving.Wait() })
	return s
}

// Serve reads a connection until it ends or the receiver hangs up.
func (s *Server) Serve(conn net.Conn) {
	defer conn.Close()
	s.change(func() { s.connections++ })
	r := s.newReceiver(s)
	buf := make([]byte, s.buffer)
	for {
		n, err := s.read(conn, buf)
		if n > 0 {
			answer, refusal := r.receive(buf[:n])
			s.change(func() { s.bytes += n })
			if refusal != nil {
				s.fault("hangs up: %v", refusal)
				return
			}
			if _, err := conn.Write(answer); len(answer) > 0 && err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// read returns one portion.
func (s *Server) read(conn net.Conn, buf []byte) (int, error) {
	switch s.feed {
	case Split:
		return conn.Read(buf[:splitBytes])
	case Joined:
		return readJoined(conn, buf)
	}
	return conn.Read(buf)
}

// readJoined waits for the first byte and then until a pause or a full buffer.
func readJoined(conn net.Conn, buf []byte) (int, error) {
	n, err := conn.Read(buf)
	for err == nil && n < len(buf) {
		if err := conn.SetReadDeadline(time.Now().Add(joinPause)); err != nil {
			return n, err
		}
		var more int
		more, err = conn.Read(buf[n:])
		n += more
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		err = conn.SetReadDeadline(time.Time{})
	}
	return n, err
}

func (s *Server) take(e event) {
	if !e.isHello() {
		s.change(func() { s.taken = append(s.taken, e.UID) })
	}
}

func (s *Server) fault(format string, args ...any) {
	s.change(func() { s.faults = append(s.faults, fmt.Sprintf(format, args...)) })
}

func (s *Server) change(f func()) {
	s.mu.Lock()
	f()
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Taken returns the uids of the events that the server has taken in, in order, but for hellos and pings.
func (s *Server) Taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.taken)
}

// Missing returns those of the uids that are not among the taken.
func (s *Server) Missing(uids []string) []string {
	taken := s.Taken()
	return slices.DeleteFunc(slices.Clone(uids), func(uid string) bool { return slices.Contains(taken, uid) })
}

// Faults returns what the server found wrong.
func (s *Server) Faults() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.faults)
}

// Bytes returns how many bytes the server has digested, on how many connections.
func (s *Server) Bytes() (bytes, connections int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes, s.connections
}

// Await waits until the condition holds, for at most ten seconds.
func (s *Server) Await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for !holds() {
		select {
		case <-s.changed:
		case <-deadline:
			t.Fatalf("%s: waited in vain for %s", s.Name, what)
		}
	}
}
