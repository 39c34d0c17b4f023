package server_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/server"
	"github.com/detection-api/detection-api/app/internal/torture"
)

// service sends each new connection to a node that is ready, as a Service of a cluster does.
type service struct {
	mu    sync.Mutex
	addrs []string
}

func (s *service) add(addr string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addrs = append(s.addrs, addr)
}

func (s *service) remove(addr string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addrs = slices.DeleteFunc(slices.Clone(s.addrs), func(a string) bool { return a == addr })
}

// dial goes on to the next node when one cannot be reached: then no request was sent.
func (s *service) dial(ctx context.Context, network, _ string) (conn net.Conn, err error) {
	s.mu.Lock()
	addrs := s.addrs
	s.mu.Unlock()
	for _, n := range rand.Perm(len(addrs)) {
		if conn, err = (&net.Dialer{}).DialContext(ctx, network, addrs[n]); err == nil {
			return conn, nil
		}
	}
	return nil, fmt.Errorf("no node can be reached: %w", err)
}

// node is a serving process with a store of its own that is started again and again.
type node struct {
	cfg server.ServeConfig
	*running
}

func (n *node) start(t testing.TB) {
	t.Helper()
	s, err := server.NewServe(context.WithoutCancel(t.Context()), n.cfg)
	n.running = start(t, s, err)
}

// restart stops the node, takes it out of the service as soon as it says that it is not ready, and brings it back.
func (n *node) restart(t testing.TB, s *service) {
	t.Helper()
	addr, stopped := n.Addr(), make(chan error, 1)
	go func() { stopped <- n.stop() }()
	eventually(t, "a node that is not ready", func() bool { return !ready(n.url) })
	s.remove(addr)
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
	n.start(t)
	s.add(n.Addr())
}

var probes = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}

func ready(url string) bool {
	response, err := probes.Get(url + "/ready")
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// load posts until it is stopped, over connections that are kept, some of which are idle most of the time.
type load struct {
	client *client
	stop   chan struct{}
	done   sync.WaitGroup

	mu         sync.Mutex
	accepted   []string
	unanswered []string
}

func startLoad(c *client, workers int, seed uint64) *load {
	l := &load{client: c, stop: make(chan struct{})}
	for n := range workers {
		random := rand.New(rand.NewPCG(seed, uint64(n)))
		l.done.Go(func() { l.work(random, time.Duration(n)*10*time.Millisecond) })
	}
	return l
}

// work pauses for a random time up to maxPause between two requests.
func (l *load) work(random *rand.Rand, maxPause time.Duration) {
	for {
		select {
		case <-l.stop:
			return
		case <-time.After(time.Duration(random.Int64N(int64(maxPause) + 1))):
			l.post()
		}
	}
}

func (l *load) post() {
	response, err := l.client.send(sample)
	if err == nil {
		_, err = io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil:
		l.unanswered = append(l.unanswered, err.Error())
	case response.StatusCode != http.StatusCreated && response.StatusCode != http.StatusAccepted:
		l.unanswered = append(l.unanswered, response.Status)
	default:
		l.accepted = append(l.accepted, response.Header.Get("X-Detection-ID"))
	}
}

// take returns what happened since the last time.
func (l *load) take() (accepted, unanswered []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	accepted, unanswered = l.accepted, l.unanswered
	l.accepted, l.unanswered = nil, nil
	return accepted, unanswered
}

func (l *load) end() {
	close(l.stop)
	l.done.Wait()
}

// tally is what rolling restarts came to.
type tally struct {
	rounds, acknowledged, lost int
	unanswered                 []string
}

// rolling restarts two nodes in turn under load until it is enough.
func rolling(t *testing.T, drainDelay time.Duration, seed uint64, enough func(tally) bool) (sum tally) {
	t.Helper()
	cfg := serveConfig(t, t.TempDir())
	cfg.DrainDelay = drainDelay
	second := cfg
	second.DataDir = t.TempDir()
	nodes, s := []*node{{cfg: cfg}, {cfg: second}}, &service{}
	for _, n := range nodes {
		n.start(t)
		s.add(n.Addr())
	}
	c := newClient(t, cfg, "http://detection-api")
	c.http = &http.Client{Transport: &http.Transport{DialContext: s.dial, MaxIdleConnsPerHost: 64}, Timeout: 20 * time.Second}
	l := startLoad(c, 8, seed)
	count := func() {
		accepted, unanswered := l.take()
		sum.unanswered = append(sum.unanswered, unanswered...)
		sum.acknowledged += len(accepted)
		sum.lost += missing(t, cfg, nodes, accepted)
	}
	for ; !enough(sum); sum.rounds++ {
		nodes[sum.rounds%len(nodes)].restart(t, s)
		count()
	}
	l.end()
	count()
	return sum
}

// missing counts the detections that no node has.
func missing(t *testing.T, cfg server.ServeConfig, nodes []*node, ids []string) (n int) {
	t.Helper()
	var clients []*client
	for _, node := range nodes {
		c := newClient(t, cfg, node.url)
		defer c.http.CloseIdleConnections()
		clients = append(clients, c)
	}
	for _, id := range ids {
		if !slices.ContainsFunc(clients, func(c *client) bool {
			status, _ := c.get("/api/v1/detections/" + id)
			return status == http.StatusOK
		}) {
			n++
		}
	}
	return n
}

// TestRollingRestartUnderLoad holds that no request goes without an answer while nodes are restarted one after the other,
// and that all that was acknowledged is there. Without the drain some go without an answer.
func TestRollingRestartUnderLoad(t *testing.T) {
	const shortRounds, controlRounds = 3, 50
	budget, long := torture.Budget(t)
	seed, end := torture.Seed(t), time.Now().Add(budget)
	control := rolling(t, 0, seed, func(sum tally) bool { return len(sum.unanswered) > 0 || sum.rounds >= controlRounds })
	if len(control.unanswered) == 0 || control.lost > 0 {
		t.Errorf("control, without the drain: %+v; want requests without an answer, and nothing lost", control)
	}
	sum := rolling(t, 200*time.Millisecond, seed, func(sum tally) bool {
		return !long && sum.rounds >= shortRounds || long && time.Now().After(end)
	})
	if sum.lost > 0 || len(sum.unanswered) > 0 || sum.acknowledged == 0 {
		t.Errorf("%d rounds: %d of %d acknowledged detections are lost, %d requests went without an answer:\n%s",
			sum.rounds, sum.lost, sum.acknowledged, len(sum.unanswered), strings.Join(sum.unanswered, "\n"))
	}
	torture.Report(t, torture.Result{
		What: "a node of two restarted under load over kept connections", Rounds: sum.rounds,
		Acknowledged: sum.acknowledged, Lost: sum.lost + len(sum.unanswered),
		Control: fmt.Sprintf("without the drain %d requests went without an answer in %d rounds", len(control.unanswered), control.rounds),
		Notes:   "lost counts acknowledged detections that are gone and requests without an answer",
	})
}
