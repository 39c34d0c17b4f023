// Package takserver is a TAK server for tests: it reads Cursor on Target events from TCP connections, answers pings, keeps
// what it receives, and tells it to Go callers and over an HTTP control API. It can be made unreachable and reachable again.
// It is written from the public descriptions of CoT and shares no code with what it tests.
package takserver

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// DefaultMaxEvents is how many events are kept with their text; the counts go on beyond.
	DefaultMaxEvents = 100_000
	// maxEventBytes is the size at which TAK Server gives up looking for the end of an event.
	maxEventBytes = 8 << 20
	// writeTimeout bounds the answer to a ping of a client that does not read.
	writeTimeout = 5 * time.Second
	// handshakeTimeout bounds the TLS handshake of a client that does not finish it.
	handshakeTimeout = 10 * time.Second
)

// Options of a Server. The zero value listens on free ports of the loopback interface.
type Options struct {
	CoTAddr     string // host:port of the CoT input; empty means 127.0.0.1:0
	ControlAddr string // host:port of the control API; empty means 127.0.0.1:0
	// Mute makes a server that never answers a ping.
	Mute      bool
	MaxEvents int // zero means DefaultMaxEvents
	// TLS makes the CoT input a TLS one; nil: plain TCP.
	TLS    *tls.Config
	Logger *slog.Logger
	Now    func() time.Time // nil means time.Now
}

// Server is a running TAK server. Its methods are safe for concurrent use.
type Server struct {
	log     *slog.Logger
	journal *journal
	control *http.Server
	// ControlURL is the base of the control API.
	ControlURL string
	cotAddr    string
	tls        *tls.Config
	tasks      sync.WaitGroup

	mu          sync.Mutex
	mute        bool
	listener    net.Listener // nil while paused
	connections map[net.Conn]struct{}
	accepted    int
}

// Start starts a server. Close stops it.
func Start(opts Options) (*Server, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &Server{
		log: opts.Logger.With("component", "takserver"), mute: opts.Mute,
		journal:     newJournal(cmp.Or(opts.MaxEvents, DefaultMaxEvents), opts.Now),
		cotAddr:     cmp.Or(opts.CoTAddr, "127.0.0.1:0"),
		tls:         opts.TLS,
		connections: map[net.Conn]struct{}{},
	}
	if err := s.Resume(); err != nil {
		return nil, err
	}
	control, err := net.Listen("tcp", cmp.Or(opts.ControlAddr, "127.0.0.1:0"))
	if err != nil {
		s.Pause()
		return nil, fmt.Errorf("listen for control: %w", err)
	}
	s.ControlURL = "http://" + control.Addr().String()
	s.control = &http.Server{Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second}
	s.tasks.Go(func() {
		if err := s.control.Serve(control); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("control API", "error", err)
		}
	})
	s.log.Info("started", "cot_addr", s.CoTAddr(), "control_addr", control.Addr().String())
	return s, nil
}

// CoTAddr is the host:port of the CoT input. It stays the same over Pause and Resume.
func (s *Server) CoTAddr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cotAddr
}

// Close stops the server.
func (s *Server) Close() error {
	s.Pause()
	err := s.control.Close()
	s.tasks.Wait()
	return err
}

// Pause closes the port and every connection, as if the server were down.
func (s *Server) Pause() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		s.listener.Close()
		s.listener = nil
	}
	for conn := range s.connections {
		conn.Close()
	}
}

// Resume opens the port again. It does nothing on a server that is not paused.
func (s *Server) Resume() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		return nil
	}
	listener, err := net.Listen("tcp", s.cotAddr)
	if err != nil {
		return fmt.Errorf("listen for CoT: %w", err)
	}
	if s.tls != nil {
		listener = tls.NewListener(listener, s.tls)
	}
	s.listener, s.cotAddr = listener, listener.Addr().String()
	s.tasks.Go(func() { s.accept(listener) })
	return nil
}

// Paused tells whether the server is paused.
func (s *Server) Paused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listener == nil
}

// SetMute makes the server leave pings unanswered, or answer them again.
func (s *Server) SetMute(mute bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mute = mute
}

// Events returns the events that are kept with a number greater than since, in the order in which they came.
func (s *Server) Events(since int) []Event { return s.journal.since(since) }

// UIDs returns how often each uid came.
func (s *Server) UIDs() map[string]int { return s.journal.uidCounts() }

// Counts returns what came since the start or the last Reset.
func (s *Server) Counts() Counts {
	counts := s.journal.snapshot()
	s.mu.Lock()
	defer s.mu.Unlock()
	counts.Connections, counts.Accepted = len(s.connections), s.accepted
	return counts
}

// Reset forgets all events and counts. Event numbers go on.
func (s *Server) Reset() { s.journal.reset() }

func (s *Server) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				s.log.Error("accept", "error", err)
			}
			return
		}
		number, ok := s.admit(listener, conn)
		if !ok {
			conn.Close()
			return
		}
		s.tasks.Go(func() { s.serve(conn, number) })
	}
}

// admit registers a connection, unless the listener it came from has been closed by a Pause meanwhile.
func (s *Server) admit(listener net.Listener, conn net.Conn) (int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != listener {
		return 0, false
	}
	s.accepted++
	s.connections[conn] = struct{}{}
	return s.accepted, true
}

// serve reads one connection to its end. What cannot be read as an event is counted and costs only itself.
func (s *Server) serve(conn net.Conn, number int) {
	log := s.log.With("connection", number, "peer", conn.RemoteAddr().String())
	log.Info("connected")
	defer func() {
		s.mu.Lock()
		delete(s.connections, conn)
		s.mu.Unlock()
		conn.Close()
	}()
	client, err := clientName(conn)
	if err != nil {
		log.Warn("refused", "error", err)
		return
	}
	scanner := bufio.NewScanner(conn)
	scanner.Buffer(make([]byte, 16<<10), maxEventBytes)
	var rest restCounter
	scanner.Split(rest.split)
	for scanner.Scan() {
		if s.received(scanner.Text(), number, client, log) {
			s.pong(conn, log)
		}
	}
	if rest.bytes > 0 {
		s.journal.truncated()
	}
	log.Info("disconnected", "error", scanner.Err(), "rest_bytes", rest.bytes)
}

// clientName shakes hands and returns the common name of the client's certificate; empty without one.
func clientName(conn net.Conn) (string, error) {
	secured, ok := conn.(*tls.Conn)
	if !ok {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
	defer cancel()
	if err := secured.HandshakeContext(ctx); err != nil {
		return "", fmt.Errorf("TLS handshake: %w", err)
	}
	for _, certificate := range secured.ConnectionState().PeerCertificates {
		return certificate.Subject.CommonName, nil
	}
	return "", nil
}

// received keeps one event and tells whether it wants an answer.
func (s *Server) received(raw string, connection int, client string, log *slog.Logger) bool {
	event, err := parseEvent(raw)
	if err != nil {
		s.journal.malformed()
		log.Warn("malformed event", "error", err, "raw", raw[:min(len(raw), 300)])
		return false
	}
	switch event.Type {
	case pingType:
		s.journal.ping()
		s.mu.Lock()
		defer s.mu.Unlock()
		return !s.mute
	case helloType:
		s.journal.hello()
		return false
	}
	event.Connection, event.Client = connection, client
	event = s.journal.add(event)
	log.Debug("event", "uid", event.UID, "type", event.Type, "count", event.Count)
	return false
}

func (s *Server) pong(conn net.Conn, log *slog.Logger) {
	if err := conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		log.Warn("answer ping", "error", err)
		return
	}
	if _, err := io.WriteString(conn, pongEvent(s.journal.now())); err != nil {
		log.Warn("answer ping", "error", err)
	}
}
