package tak_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/tak"
)

const (
	hello = `<event type="hello"></event>`
	ping  = `<event type="ping"></event>`
	pong  = `<event type="pong"></event>`
)

// options are those of every test: the wire forms above and ATAK's constants.
func options(change ...func(*tak.Options)) tak.Options {
	o := tak.Options{
		Addr:   "tak.example.org:8087",
		Hello:  func() []byte { return []byte(hello) },
		Ping:   func() []byte { return []byte(ping) },
		IsPong: func(event []byte) bool { return string(event) == pong || string(event) == ping },
	}
	for _, f := range change {
		f(&o)
	}
	return o
}

// piped makes the connection one end of a net.Pipe and serves the other, so that a test can run in fake time.
func piped(serve func(net.Conn)) func(*tak.Options) {
	return func(o *tak.Options) {
		o.Dialer = func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go serve(server)
			return client, nil
		}
	}
}

// listen serves every connection to a real socket.
func listen(t *testing.T, serve func(net.Conn)) func(*tak.Options) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { serve(conn) })
		}
	})
	t.Cleanup(func() { listener.Close(); serving.Wait() })
	return func(o *tak.Options) { o.Addr = listener.Addr().String() }
}

// inbox is what a server read.
type inbox struct {
	mu     sync.Mutex
	events []string
	at     []time.Time
}

func (b *inbox) add(event string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events, b.at = append(b.events, event), append(b.at, time.Now())
}

// without returns the events that are not of the kinds.
func (b *inbox) without(kinds ...string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var rest []string
	for _, event := range b.events {
		if !strings.Contains(strings.Join(kinds, ""), event) {
			rest = append(rest, event)
		}
	}
	return rest
}

// times returns when the events of the kind came.
func (b *inbox) times(kind string) []time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	var at []time.Time
	for i, event := range b.events {
		if event == kind {
			at = append(at, b.at[i])
		}
	}
	return at
}

// serve reads events from conn and hands each to answer until that returns false or the connection ends; then it closes.
func serve(conn io.ReadCloser, answer func(event string) bool) {
	defer conn.Close()
	var pending []byte
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		pending = append(pending, buf[:n]...)
		for {
			head, tail, found := bytes.Cut(pending, []byte("</event>"))
			if !found {
				break
			}
			event := string(head) + "</event>"
			pending = bytes.Clone(tail)
			if !answer(event) {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// ponger answers every ping with reply.
func ponger(got *inbox, reply string) func(net.Conn) {
	return func(conn net.Conn) {
		serve(conn, func(event string) bool {
			got.add(event)
			if event == ping {
				io.WriteString(conn, reply)
			}
			return true
		})
	}
}

// sink reads and never answers.
func sink(got *inbox) func(net.Conn) { return ponger(got, "") }

func window(from, n int) [][]byte {
	events := make([][]byte, n)
	for i := range events {
		events[i] = fmt.Appendf(nil, `<event uid="%d"></event>`, from+i)
	}
	return events
}

func texts(window [][]byte) []string {
	var all []string
	for _, event := range window {
		all = append(all, string(event))
	}
	return all
}

func dial(t *testing.T, opts tak.Options) *tak.Conn {
	t.Helper()
	conn, err := tak.Dial(t.Context(), opts)
	if err != nil {
		t.Fatalf("Dial: %v", err)
	}
	return conn
}
