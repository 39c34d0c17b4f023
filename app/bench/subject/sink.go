package subject

import (
	"bufio"
	"bytes"
	"net"
	"sync"
	"sync/atomic"
)

// Sink is a TAK server that counts events and answers pings, and keeps nothing.
type Sink struct {
	Events atomic.Int64 // but pings

	listener net.Listener
	done     sync.WaitGroup
}

// NewSink listens on loopback. Close it.
func NewSink() (*Sink, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Sink{listener: listener}
	s.done.Go(s.accept)
	return s, nil
}

// Addr is where it listens.
func (s *Sink) Addr() string { return s.listener.Addr().String() }

// Close ends listening. Connections end with their clients.
func (s *Sink) Close() error {
	err := s.listener.Close()
	s.done.Wait()
	return err
}

func (s *Sink) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		go s.read(conn)
	}
}

const pong = `<event version="2.0" uid="sink" type="t-x-c-t-r" how="m-g" time="2026-01-01T00:00:00.000Z" ` +
	`start="2026-01-01T00:00:00.000Z" stale="2036-01-01T00:00:00.000Z">` +
	`<point lat="0.0" lon="0.0" hae="0.0" ce="9999999.0" le="9999999.0"/><detail/></event>`

func (s *Sink) read(conn net.Conn) {
	defer conn.Close()
	events := bufio.NewScanner(conn)
	events.Split(untilEventEnd)
	for events.Scan() {
		if !bytes.Contains(events.Bytes(), []byte(`type="t-x-c-t"`)) {
			s.Events.Add(1)
			continue
		}
		if _, err := conn.Write([]byte(pong)); err != nil {
			return
		}
	}
}

func untilEventEnd(data []byte, _ bool) (advance int, event []byte, err error) {
	const end = "</event>"
	if i := bytes.Index(data, []byte(end)); i >= 0 {
		return i + len(end), data[:i], nil
	}
	return 0, nil, nil
}
