package server_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/server"
	"github.com/detection-api/detection-api/app/internal/torture"
)

// farthestJump is how far a clock is off at most: half a year, so that no token ends.
const farthestJump = 180 * 24 * time.Hour

// jumpyClock is the wall clock of one node, which somebody sets.
type jumpyClock struct{ off atomic.Int64 }

func (c *jumpyClock) now() time.Time { return time.Now().Add(time.Duration(c.off.Load())).Round(0) }

// jump sets the clock: by a second or two, by hours, or by months, forward or back.
func (c *jumpyClock) jump(random *rand.Rand) (back bool) {
	reach := []time.Duration{2 * time.Second, 6 * time.Hour, farthestJump}[random.IntN(3)]
	off := random.Int64N(int64(2*reach)) - int64(reach)
	return c.off.Swap(off) > off
}

// jumpyFleet is a store and two serving nodes, each with a clock of its own.
type jumpyFleet struct {
	fleet
	clocks []*jumpyClock
	tak    string
	client *client
}

func startJumpyFleet(t *testing.T) *jumpyFleet {
	t.Helper()
	tak := newSink(t, "127.0.0.1:0")
	f := &jumpyFleet{tak: tak.listener.Addr().String()}
	tak.close() // it comes and goes
	clock := func() func() time.Time {
		f.clocks = append(f.clocks, &jumpyClock{})
		return f.clocks[len(f.clocks)-1].now
	}
	f.cfg = serveConfig(t, t.TempDir())
	f.cfg.TAKAddr, f.cfg.DrainDelay = f.tak, 200*time.Millisecond
	store := server.StoreConfig{Common: common(t, t.TempDir()), Token: storeToken, RestartGrace: time.Second}
	store.Now = clock()
	f.store = storing(store)
	f.store.start(t)
	f.cfg.StoreURL, f.cfg.StoreToken = f.store.url, storeToken
	for n := range 2 {
		cfg := f.cfg
		cfg.DataDir, cfg.PodName, cfg.Now = t.TempDir(), fmt.Sprint("pod-", n), clock()
		node := serving(cfg)
		node.start(t)
		f.service.add(node.Addr())
		f.serving = append(f.serving, node)
	}
	f.client = newClient(t, f.cfg, "http://detection-api")
	f.client.bearer = yearsToken(t, f.cfg)
	f.client.http = &http.Client{Transport: &http.Transport{DialContext: f.service.dial, MaxIdleConnsPerHost: 64}, Timeout: 20 * time.Second}
	return f
}

// yearsToken holds before and after every jump.
func yearsToken(t *testing.T, cfg server.ServeConfig) string {
	t.Helper()
	bearer, err := cfg.Keys.Mint(tester, 4*farthestJump, time.Now().Add(-2*farthestJump))
	if err != nil {
		t.Fatal(err)
	}
	return bearer
}

// leap sets clocks while detections come in. Half of them come in while TAK is away, and a node is restarted meanwhile. When
// they stop, all of them reach TAK: as long as they go on, this server without an answer to pings is the slower of the two.
func (f *jumpyFleet) leap(t *testing.T, random *rand.Rand, round int) (accepted []string, jumps, back int) {
	t.Helper()
	const times, between = 6, 25
	var tak *sink
	f.load = startLoad(f.client, 4, random.Uint64())
	for n := range times {
		if f.clocks[random.IntN(len(f.clocks))].jump(random) {
			back++
		}
		if n == times/2 {
			f.serving[round%2].restart(t, &f.service)
			tak = newSink(t, f.tak)
		}
		want := len(accepted) + between
		eventually(t, "detections that are accepted", func() bool {
			more, _ := f.load.take()
			accepted = append(accepted, more...)
			return len(accepted) >= want
		})
	}
	f.load.end()
	last, _ := f.load.take()
	accepted = append(accepted, last...)
	eventually(t, "everything on TAK", func() bool { return tak.has(accepted...) })
	tak.close()
	return accepted, times, back
}

// TestClocksThatJump sets the clocks of a store and of two serving nodes, each by itself, while detections come in, TAK comes
// and goes and nodes are restarted: all that was accepted is stored and reaches TAK in seconds. What a wall clock would do is
// in Control: a lease that lasts until a time of day is kept for months by each jump back of more than itself.
func TestClocksThatJump(t *testing.T) {
	budget, long := torture.Budget(t)
	seed := torture.Seed(t)
	random, end := rand.New(rand.NewPCG(seed, 0)), time.Now().Add(budget)
	f := startJumpyFleet(t)
	rounds, jumps, back, acknowledged, lost := 0, 0, 0, 0, 0
	for rounds < 2 || long && time.Now().Before(end) {
		accepted, n, backward := f.leap(t, random, rounds)
		f.reset()
		lost += missing(t, f.cfg, f.serving, accepted)
		rounds, jumps, back, acknowledged = rounds+1, jumps+n, back+backward, acknowledged+len(accepted)
	}
	if lost > 0 || back == 0 {
		t.Errorf("%d of %d lost, %d jumps back", lost, acknowledged, back)
	}
	torture.Report(t, torture.Result{
		What: "clocks of a store and two nodes that jump by up to half a year", Rounds: rounds, Acknowledged: acknowledged, Lost: lost,
		Control: fmt.Sprintf("a lease until a time of day would have been kept too long by %d of %d jumps", back, jumps),
	})
}

// reset sets the clocks right, so that short-lived tokens hold.
func (f *jumpyFleet) reset() {
	for _, c := range f.clocks {
		c.off.Store(0)
	}
}
