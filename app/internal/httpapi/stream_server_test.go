package httpapi

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener for connections in memory, which know fake time.
type pipes struct{ next chan net.Conn }

func (p pipes) Accept() (net.Conn, error) {
	conn, ok := <-p.next
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// overServer opens a stream over a connection of the real server, with all its timeouts.
func overServer(t *testing.T, g *rig) (client net.Conn, stop func()) {
	t.Helper()
	server := NewServer(g.build(), slog.New(slog.DiscardHandler))
	l := pipes{make(chan net.Conn, 1)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l)
	}()
	client, other := net.Pipe()
	l.next <- other
	if _, err := fmt.Fprintf(client, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", streamPath, goodToken); err != nil {
		t.Fatal(err)
	}
	return client, func() {
		client.Close()
		close(l.next)
		server.Close()
		<-served
	}
}

// TestStreamOutlastsTheTimeouts of the server, which are for requests and answers that end.
func TestStreamOutlastsTheTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, record := recordOf(0)
		client, stop := overServer(t, g)
		defer stop()
		lines := make(chan string, 1000)
		go func() {
			defer close(lines)
			for scanner := bufio.NewScanner(client); scanner.Scan(); {
				lines <- scanner.Text()
			}
		}()
		time.Sleep(10 * max(readTimeout, writeTimeout))
		record.add(numbered(1))
		synctest.Wait()
		found := false
		for len(lines) > 0 {
			found = strings.HasPrefix(<-lines, "data: {") || found
		}
		if !found {
			t.Error("the stream has ended")
		}
	})
}

// TestSlowListener does not read: it is let go, and holds nothing that others need.
func TestSlowListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, record := recordOf(0)
		_, stop := overServer(t, g)
		defer stop()
		open := func() bool { return strings.Contains(g.get("/metrics").Body.String(), "detection_streams 1\n") }
		g.Registerer = noRegisterer{}
		synctest.Wait()
		if !open() {
			t.Fatal("the stream is not open")
		}
		for n := range 100 {
			record.add(numbered(n + 1))
		}
		time.Sleep(streamWriteTimeout + time.Second)
		synctest.Wait()
		if open() {
			t.Error("the stream is still open")
		}
		if text := g.log.String(); strings.Contains(text, "ERROR") {
			t.Errorf("log: %s", text)
		}
	})
}
