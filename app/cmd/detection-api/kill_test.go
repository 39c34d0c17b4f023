package main

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/sqlite"
	"github.com/detection-api/detection-api/app/internal/torture"
)

const (
	maxPause    = 8 * time.Millisecond // of a worker of the load: some 700 detections a second in all
	drainWithin = time.Minute
)

// site is an API, the processes behind it and the load on it.
type site struct {
	name    string
	serve   *program
	store   *program // nil: serve has its own
	dataDir string   // of the store
	load    *load

	acknowledged int
}

// programs are in the order in which they are stopped: who hands over first.
func (s *site) programs() []*program {
	if s.store == nil {
		return []*program{s.serve}
	}
	return []*program{s.serve, s.store}
}

func serveArgs(addr, dir, tak string, more ...string) []string {
	return append([]string{
		"serve", "--listen-addr", addr, "--data-dir", dir, "--tak-addr", tak, "--jwt-secret-key", loadKey, "--log-level", "warn",
		"--min-free-bytes", "1", "--lease-duration", "2s", "--pod-name", "pod-1",
	}, more...) // a later flag wins
}

// siteOptions say where processes keep their data and how much room they want to be left.
type siteOptions struct {
	newDir       func() string
	minFreeBytes int64
}

func newSites(t *testing.T, tak *takReader, pause time.Duration) []*site {
	t.Helper()
	return newSitesIn(t, tak, pause, siteOptions{newDir: t.TempDir, minFreeBytes: 1})
}

// newSitesIn makes one site with a process of its own and one with serve and store apart.
func newSitesIn(t *testing.T, tak *takReader, pause time.Duration, o siteOptions) []*site {
	t.Helper()
	shared, minFree := strings.Repeat("shared-", 8), fmt.Sprint(o.minFreeBytes)
	alone, apart := freeAddr(t), freeAddr(t)
	storeAddr, aloneDir, storeDir := freeAddr(t), o.newDir(), o.newDir()
	return []*site{
		{
			name: "alone", dataDir: aloneDir, load: newLoad(t, alone, pause),
			serve: newProgram(t, "alone", serveArgs(alone, aloneDir, tak.addr, "--min-free-bytes", minFree)...),
		},
		{
			name: "apart", dataDir: storeDir, load: newLoad(t, apart, pause),
			store: newProgram(t, "store", "store", "--listen-addr", storeAddr, "--data-dir", storeDir, "--store-token", shared,
				"--log-level", "warn", "--min-free-bytes", minFree, "--lease-duration", "2s"),
			serve: newProgram(t, "serve", serveArgs(apart, o.newDir(), tak.addr, "--min-free-bytes", minFree,
				"--store-url", "http://"+storeAddr, "--store-token", shared)...),
		},
	}
}

func killSome(t *testing.T, sites []*site, random *rand.Rand) {
	t.Helper()
	endSome(t, sites, random, (*program).kill)
}

// endSome ends one process, or both of a site, while its clients post and at a random moment, and starts them again at once.
func endSome(t *testing.T, sites []*site, random *rand.Rand, end func(*program)) {
	t.Helper()
	s := sites[random.IntN(len(sites))]
	target := s.load.answered.Load() + random.Int64N(40)
	eventually(t, drainWithin, s.name+" to acknowledge", func() bool { return s.load.answered.Load() >= target })
	victims := s.programs()
	if n := random.IntN(len(victims) + 1); n < len(victims) {
		victims = victims[n : n+1]
	}
	for _, p := range victims {
		end(p)
	}
	for _, p := range victims {
		p.start()
	}
}

// verify stops the load, waits until nothing is owed any more and counts what is missing in the store or on TAK.
func (s *site) verify(t *testing.T, tak *takReader) (lost int) {
	t.Helper()
	s.load.gate.Lock()
	defer s.load.gate.Unlock()
	eventually(t, drainWithin, s.name+" to owe nothing", s.load.drained)
	ids := s.load.take()
	s.acknowledged += len(ids)
	if err := s.load.problems(); err != nil {
		t.Errorf("%s: %v", s.name, err)
	}
	s.inspect(t)
	return s.load.absent(t, ids) + tak.missing(ids)
}

// inspect reads the whole store while its process runs. That it has been told of the last deliveries may take a moment.
func (s *site) inspect(t *testing.T) {
	t.Helper()
	var census sqlite.Census
	var err error
	settled := eventually(t, drainWithin, s.name+"'s outbox to be empty", func() bool {
		census, err = sqlite.InspectLive(t.Context(), filepath.Join(s.dataDir, "app.db"))
		return err != nil || census.Outbox == 0
	})
	if !settled || err != nil || census.DeadLetters != 0 || census.Detections < int64(s.acknowledged) {
		t.Errorf("%s: %+v, %v; %d were acknowledged", s.name, census, err, s.acknowledged)
	}
}

// TestKilled kills the real processes under load, again and again. What they have acknowledged is in the store once and has
// reached TAK, and the audit trail is whole. The positive control is an API that acknowledges before it commits.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("kills some 20 processes")
	}
	// A long run goes on beyond its time to longKills, but for one that is only to show that it works.
	const shortKills, longKills, wholeBudget = 10, 1000, 2 * time.Minute
	budget, long := torture.Budget(t)
	seed, end := torture.Seed(t), time.Now().Add(budget)
	random := rand.New(rand.NewPCG(seed, 0))
	hastyAcknowledged, hastyLost, hastyKills := killHasty(t, random)
	tak := newTAKReader(t)
	sites := newSites(t, tak, maxPause)
	for n, s := range sites {
		for _, p := range s.programs() {
			p.start()
		}
		s.load.start(t, seed+uint64(n))
	}
	kills, lost, batch := 0, 0, 100
	if !long {
		batch = shortKills
	}
	for more := true; more && !t.Failed(); more = long && (time.Now().Before(end) || kills < longKills && budget > wholeBudget) {
		for range batch {
			killSome(t, sites, random)
		}
		kills += batch
		for _, s := range sites {
			lost += s.verify(t, tak)
		}
	}
	reportKills(t, sites, tak, kills, lost, fmt.Sprintf("acknowledging before the commit lost %d of %d in %d kills", hastyLost, hastyAcknowledged, hastyKills))
}

// reportKills ends the processes in good order and holds what they have stored against what TAK has read.
func reportKills(t *testing.T, sites []*site, tak *takReader, kills, lost int, control string) {
	t.Helper()
	var acknowledged, inPod, unanswered, stored int
	for _, s := range sites {
		s.load.gate.Lock() // for good
		defer s.load.gate.Unlock()
		eventually(t, drainWithin, s.name+" to owe nothing", s.load.drained)
		late := s.load.take()
		lost += s.load.absent(t, late) + tak.missing(late)
		s.serve.terminate()
		if s.store != nil {
			s.store.terminate()
		}
		census, err := sqlite.Inspect(t.Context(), filepath.Join(s.dataDir, "app.db"))
		if err != nil {
			t.Error(err)
		}
		stored += int(census.Detections)
		acknowledged += s.acknowledged + len(late)
		inPod += s.load.inPod
		unanswered += len(s.load.unanswered)
	}
	events, detections := tak.counts()
	if lost > 0 || stored != detections {
		t.Errorf("%d of %d acknowledged are lost; the stores have %d detections, TAK has read %d", lost, acknowledged, stored, detections)
	}
	torture.Report(t, torture.Result{
		What: "kill -9 of real processes under load: serve, store, both, and serve with a store of its own", Rounds: kills,
		Acknowledged: acknowledged, Lost: lost, Control: control,
		Notes: fmt.Sprintf("%d answered 202, %d requests broken off by a kill; %d rows in the stores, as many detections on TAK in %d events",
			inPod, unanswered, stored, events),
	})
}

// killHasty kills the positive control until something is lost.
func killHasty(t *testing.T, random *rand.Rand) (acknowledged, lost, kills int) {
	t.Helper()
	const maxKills = 20
	addr, dir, tak := freeAddr(t), t.TempDir(), newTAKReader(t)
	broken, sound := newProgram(t, "hasty", "hasty", addr, dir), newProgram(t, "sound", serveArgs(addr, dir, tak.addr)...)
	l := newLoad(t, addr, time.Millisecond)
	l.start(t, random.Uint64())
	for ; lost == 0 && kills < maxKills && !t.Failed(); kills++ {
		broken.start()
		target := l.answered.Load() + 100 + random.Int64N(100)
		eventually(t, drainWithin, "the control to acknowledge", func() bool { return l.answered.Load() >= target })
		broken.kill()
		l.gate.Lock()
		sound.start()
		eventually(t, drainWithin, "the sound program", l.drained)
		ids := l.take()
		acknowledged += len(ids)
		lost += l.absent(t, ids)
		sound.kill()
		l.gate.Unlock()
	}
	if lost == 0 {
		t.Errorf("the control lost nothing of %d in %d kills", acknowledged, kills)
	}
	return acknowledged, lost, kills
}
