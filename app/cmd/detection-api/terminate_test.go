package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/torture"
)

// terminate ends it as an orchestrator does, once it is ready. It must come to its end by itself, without an error.
func (p *program) terminate() {
	p.t.Helper()
	p.awaitReady()
	p.end(syscall.SIGTERM)
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		p.t.Errorf("%v ended with %d after SIGTERM", p.args[0], code)
	}
}

func (p *program) awaitReady() {
	p.t.Helper()
	url := "http://" + p.args[2] + "/ready" // after --listen-addr
	eventually(p.t, drainWithin, p.args[0]+" to be ready", func() bool {
		response, err := http.Get(url)
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

// startSites starts the processes with a drain, and the load.
func startSites(t *testing.T, seed uint64) ([]*site, *takReader) {
	t.Helper()
	tak := newTAKReader(t)
	sites := newSites(t, tak, maxPause)
	for n, s := range sites {
		for _, p := range s.programs() {
			p.args = append(p.args, "--drain-delay", "200ms")
			p.start()
		}
		s.load.start(t, seed+uint64(n))
	}
	return sites, tak
}

func brokenOff(sites []*site) (errs []error) {
	for _, s := range sites {
		s.load.mu.Lock()
		errs = append(errs, s.load.unanswered...)
		s.load.mu.Unlock()
	}
	return errs
}

// TestTerminated stops the real processes under load, again and again. Each request is answered, or refused before it was
// sent, and nothing that was acknowledged is lost. The positive control ends them with SIGKILL.
func TestTerminated(t *testing.T) {
	if testing.Short() {
		t.Skip("stops some processes")
	}
	const shortRounds, controlRounds, batch = 3, 20, 20
	budget, long := torture.Budget(t)
	seed, end := torture.Seed(t), time.Now().Add(budget)
	random := rand.New(rand.NewPCG(seed, 0))
	control, controlKills := 0, 0
	t.Run("control", func(t *testing.T) {
		sites, _ := startSites(t, seed)
		for ; control == 0 && controlKills < controlRounds && !t.Failed(); controlKills++ {
			endSome(t, sites, random, (*program).kill)
			control = len(brokenOff(sites))
		}
	})
	sites, tak := startSites(t, seed)
	rounds, lost := 0, 0
	for more := true; more && !t.Failed(); more = !long && rounds < shortRounds || long && time.Now().Before(end) {
		endSome(t, sites, random, (*program).terminate)
		if rounds++; rounds%batch == 0 || !long && rounds == shortRounds {
			for _, s := range sites {
				lost += s.verify(t, tak)
			}
		}
	}
	errs := brokenOff(sites)
	acknowledged := 0
	for _, s := range sites {
		lost += s.verify(t, tak)
		acknowledged += s.acknowledged
	}
	if lost > 0 || len(errs) > 0 || control == 0 {
		t.Errorf("%d of %d acknowledged are lost, %d requests were broken off, %d in the control: %v", lost, acknowledged, len(errs), control, errs)
	}
	torture.Report(t, torture.Result{
		What: "SIGTERM to real processes under load over kept connections: serve, store, both, and serve with a store of its own", Rounds: rounds,
		Acknowledged: acknowledged, Lost: lost + len(errs),
		Control: fmt.Sprintf("SIGKILL broke off %d requests in %d rounds", control, controlKills),
		Notes:   "lost counts acknowledged detections that are gone and requests without an answer",
	})
}
