package subject

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
)

// Sink is a TAK server that reads and counts events and never answers.
type Sink struct {
	Events atomic.Int64

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

// read counts ends of events. One that is cut between two reads counts too: the last bytes of a read are kept.
func (s *Sink) read(conn net.Conn) {
	defer conn.Close()
	end := []byte("</event>")
	buf, kept := make([]byte, 64<<10), 0
	for {
		n, err := conn.Read(buf[kept:])
		text := buf[:kept+n]
		s.Events.Add(int64(bytes.Count(text, end)))
		kept = copy(buf, text[max(0, len(text)-len(end)+1):])
		if err != nil {
			return
		}
	}
}
