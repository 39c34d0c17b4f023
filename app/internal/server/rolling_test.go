package server_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"path"
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
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addrs = append(s.addrs, addr)
}

func (s *service) remove(addr string) {
	if s == nil {
		return
	}
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

// node is a role that is started again and again.
type node struct {
	open func(context.Context) (*server.Server, error)
	*running
}

func serving(cfg server.ServeConfig) *node {
	return &node{open: func(ctx context.Context) (*server.Server, error) { return server.NewServe(ctx, cfg) }}
}

// storing is a store role that keeps its address.
func storing(cfg server.StoreConfig) *node {
	return &node{open: func(ctx context.Context) (*server.Server, error) {
		s, err := server.NewStore(ctx, cfg)
		if err == nil {
			cfg.ListenAddr = s.Addr()
		}
		return s, err
	}}
}

func (n *node) start(t testing.TB) {
	t.Helper()
	s, err := n.open(context.WithoutCancel(t.Context()))
	n.running = start(t, s, err)
}

// restart stops the node, takes it out of the service as soon as it says that it is not ready, and brings it back. A nil
// service does not have it.
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

// tally is what rolling restarts came to.
type tally struct {
	rounds, acknowledged, lost int
	unanswered                 []string
}

// fleet is two serving nodes behind a service, each with a store of its own or both with one, and a load on them.
type fleet struct {
	cfg     server.ServeConfig
	store   *node // nil when each has its own
	serving []*node
	service service
	load    *load
}

func startFleet(t *testing.T, drainDelay time.Duration, shared bool, seed uint64) *fleet {
	t.Helper()
	f := &fleet{cfg: serveConfig(t, t.TempDir())}
	f.cfg.DrainDelay = drainDelay
	if shared {
		cfg := server.StoreConfig{Common: common(t, t.TempDir()), Token: storeToken, RestartGrace: time.Second}
		cfg.DrainDelay = drainDelay
		f.store = storing(cfg)
		f.store.start(t)
		f.cfg.StoreURL, f.cfg.StoreToken = f.store.url, storeToken
	}
	for n := range 2 {
		cfg := f.cfg
		cfg.DataDir, cfg.PodName = t.TempDir(), fmt.Sprint("pod-", n)
		node := serving(cfg)
		node.start(t)
		f.service.add(node.Addr())
		f.serving = append(f.serving, node)
	}
	c := newClient(t, f.cfg, "http://detection-api")
	c.http = &http.Client{Transport: &http.Transport{DialContext: f.service.dial, MaxIdleConnsPerHost: 64}, Timeout: 20 * time.Second}
	f.load = startLoad(c, 8, seed)
	return f
}

// restart restarts a node: each in turn.
func (f *fleet) restart(t *testing.T, round int) {
	t.Helper()
	if f.store != nil && round%3 == 2 {
		f.store.restart(t, nil)
		return
	}
	f.serving[round%len(f.serving)].restart(t, &f.service)
}

// rolling restarts the nodes of a fleet until it is enough.
func rolling(t *testing.T, drainDelay time.Duration, shared bool, seed uint64, enough func(tally) bool) (sum tally) {
	t.Helper()
	f := startFleet(t, drainDelay, shared, seed)
	for ; !enough(sum); sum.rounds++ {
		f.restart(t, sum.rounds)
		f.count(t, &sum)
	}
	f.load.end()
	f.count(t, &sum)
	return sum
}

// count adds what happened since the last time. It waits for the store to have what was answered 202 when it has been away.
func (f *fleet) count(t *testing.T, sum *tally) {
	t.Helper()
	accepted, unanswered := f.load.take()
	for _, n := range f.serving {
		if f.store != nil {
			eventually(t, "a queue that the store has", func() bool { return strings.Contains(n.told(), ", 0 not in the store yet") })
		}
	}
	sum.unanswered = append(sum.unanswered, unanswered...)
	sum.acknowledged += len(accepted)
	sum.lost += missing(t, f.cfg, f.serving, accepted)
}

// told is what a node says of itself.
func (n *node) told() string {
	response, err := probes.Get(n.url + "/ready")
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return string(body)
}

// missing counts the detections that no node has. A node that is too busy to look is asked again.
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
			var status int
			eventually(t, "an answer about detection "+id, func() bool {
				status, _ = c.get("/api/v1/detections/" + id)
				return status == http.StatusOK || status == http.StatusNotFound
			})
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
	for name, shared := range map[string]bool{"stores of their own": false, "one store": true} {
		t.Run(name, func(t *testing.T) { rollingRestart(t, shared) })
	}
}

func rollingRestart(t *testing.T, shared bool) {
	const shortRounds, controlRounds, kinds = 3, 50, 2
	budget, long := torture.Budget(t)
	seed := torture.Seed(t)
	control := rolling(t, 0, shared, seed, func(sum tally) bool { return len(sum.unanswered) > 0 || sum.rounds >= controlRounds })
	if len(control.unanswered) == 0 || control.lost > 0 {
		t.Errorf("control, without the drain: %+v; want requests without an answer, and nothing lost", control)
	}
	end := time.Now().Add(budget / kinds)
	sum := rolling(t, 200*time.Millisecond, shared, seed, func(sum tally) bool {
		return sum.rounds >= shortRounds && (!long || time.Now().After(end))
	})
	if sum.lost > 0 || len(sum.unanswered) > 0 || sum.acknowledged == 0 {
		t.Errorf("%d rounds: %d of %d acknowledged detections are lost, %d requests went without an answer:\n%s",
			sum.rounds, sum.lost, sum.acknowledged, len(sum.unanswered), strings.Join(sum.unanswered, "\n"))
	}
	torture.Report(t, torture.Result{
		What: "nodes restarted in turn under load over kept connections, with " + path.Base(t.Name()), Rounds: sum.rounds,
		Acknowledged: sum.acknowledged, Lost: sum.lost + len(sum.unanswered),
		Control: fmt.Sprintf("without the drain %d requests went without an answer in %d rounds", len(control.unanswered), control.rounds),
		Notes:   "lost counts acknowledged detections that are gone and requests without an answer",
	})
}
