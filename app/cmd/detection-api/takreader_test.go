package main

import (
	"bytes"
	"net"
	"sync"
	"testing"

	"github.com/detection-api/detection-api/app/internal/cot"
)

// takReader is a TAK server that reads events, answers pings and remembers whose events it has read.
type takReader struct {
	addr string

	mu     sync.Mutex
	events int
	seen   map[string]bool // ids of detections
}

func newTAKReader(t *testing.T) *takReader {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &takReader{addr: l.Addr().String(), seen: map[string]bool{}}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { r.read(conn) })
		}
	})
	t.Cleanup(func() { // after the programs, whose connections end with them
		_ = l.Close()
		all.Wait()
	})
	return r
}

const pong = `<?xml version="1.0"?><event version="2.0" uid="takPong" type="t-x-c-t-r" how="h-g-i-g-o" time="2026-01-01T00:00:00Z" ` +
	`start="2026-01-01T00:00:00Z" stale="2026-01-01T00:00:20Z"><point lat="0" lon="0" hae="0" ce="9999999" le="9999999"/></event>`

func (r *takReader) read(conn net.Conn) {
	defer conn.Close()
	var left []byte
	buf := make([]byte, 64<<10)
	for {
		n, err := conn.Read(buf)
		left = append(left, buf[:n]...)
		for {
			event, rest, found := bytes.Cut(left, []byte("</event>"))
			if !found {
				break
			}
			if r.take(event) {
				if _, err := conn.Write([]byte(pong)); err != nil {
					return
				}
			}
			left = rest
		}
		if err != nil {
			return
		}
	}
}

// take notes an event and says whether it is a ping.
func (r *takReader) take(event []byte) (ping bool) {
	_, uid, found := bytes.Cut(event, []byte(`uid="`+cot.UIDPrefix))
	if id, _, ended := bytes.Cut(uid, []byte(`"`)); found && ended && len(id) == 36 { // the length of a UUID
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events++
		r.seen[string(id)] = true
		return false
	}
	return bytes.Contains(event, []byte(`type="t-x-c-t"`))
}

// missing counts the ids of which no event has been read.
func (r *takReader) missing(ids []string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		if !r.seen[id] {
			n++
		}
	}
	return n
}

func (r *takReader) counts() (events, detections int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events, len(r.seen)
}
