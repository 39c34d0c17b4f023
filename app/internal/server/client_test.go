package server_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/server"
)

// client posts with a valid token.
type client struct {
	t      testing.TB
	url    string
	bearer string
	http   *http.Client
}

func newClient(t testing.TB, cfg server.ServeConfig, url string) *client {
	t.Helper()
	bearer, err := cfg.Keys.Mint(tester, time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &client{t: t, url: url, bearer: bearer, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128}}}
}

func (c *client) post(body string) *http.Response {
	c.t.Helper()
	response, err := c.send(body)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { response.Body.Close() })
	return response
}

// another returns the report of another object: at another place in the pixel, as the same one is a repetition. One coordinate
// has only 2^32 places in a thousandth of a pixel: in 70,000 reports two would be the same.
func another(body string) string {
	place := fmt.Sprintf(`"pixel_x":%v,"pixel_y":%v,`, 2000+rand.Float64()/1000, 1500+rand.Float64()/1000)
	return strings.Replace(body, `"pixel_x":2000,"pixel_y":1500,`, place, 1)
}

func (c *client) send(body string) (*http.Response, error) {
	request, err := http.NewRequest(http.MethodPost, c.url+"/api/v1/detections", strings.NewReader(another(body)))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+c.bearer)
	return c.http.Do(request)
}

func (c *client) get(path string) (int, []byte) {
	c.t.Helper()
	request, err := http.NewRequest(http.MethodGet, c.url+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+c.bearer)
	request.Header.Set("Accept", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return response.StatusCode, body
}

// sink is a TAK server that only reads.
type sink struct {
	listener net.Listener
	mu       sync.Mutex
	uids     map[string]int
	conns    []net.Conn
}

var uidOf = regexp.MustCompile(`uid="detection-api\.([0-9a-f-]{36})"`)

func newSink(t testing.TB, addr string) *sink {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{listener: l, uids: map[string]int{}}
	go s.accept()
	t.Cleanup(s.close)
	return s
}

func (s *sink) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns = append(s.conns, conn)
		s.mu.Unlock()
		go s.read(conn)
	}
}

func (s *sink) read(conn net.Conn) {
	scanner := bufio.NewScanner(conn)
	scanner.Split(func(data []byte, _ bool) (int, []byte, error) {
		if i := bytes.Index(data, []byte("</event>")); i >= 0 {
			return i + len("</event>"), data[:i], nil
		}
		return 0, nil, nil
	})
	for scanner.Scan() {
		if uid := uidOf.FindSubmatch(scanner.Bytes()); uid != nil {
			s.mu.Lock()
			s.uids[string(uid[1])]++
			s.mu.Unlock()
		}
	}
}

func (s *sink) close() {
	s.listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.conns {
		conn.Close()
	}
}

func (s *sink) has(ids ...string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if s.uids[id] == 0 {
			return false
		}
	}
	return true
}
