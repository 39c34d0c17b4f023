package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/torture"
)

const smallBytes = 128 << 20

// smallDisk is a file system of its own that is filled and emptied.
type smallDisk struct {
	t      *testing.T
	dir    string
	filler string
	dirs   atomic.Int64 // made so far
}

func newSmallDisk(t *testing.T) *smallDisk {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", smallBytes)); err != nil {
		t.Skipf("needs the right to mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return &smallDisk{t: t, dir: dir, filler: filepath.Join(dir, "filler")}
}

func (d *smallDisk) newDir() string {
	dir := filepath.Join(d.dir, fmt.Sprint("data-", d.dirs.Add(1)))
	if err := os.Mkdir(dir, 0o700); err != nil {
		d.t.Fatal(err)
	}
	return dir
}

// fill leaves so many bytes, about.
func (d *smallDisk) fill(leave int64) {
	d.t.Helper()
	var stat syscall.Statfs_t
	if err := syscall.Statfs(d.dir, &stat); err != nil {
		d.t.Fatal(err)
	}
	f, err := os.Create(d.filler)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	chunk := make([]byte, 1<<16)
	for left := int64(stat.Bavail)*stat.Bsize - leave; left > 0; left -= int64(len(chunk)) {
		if _, err := f.Write(chunk); err != nil {
			return // the others were faster: it is full
		}
	}
}

func (d *smallDisk) empty() {
	d.t.Helper()
	if err := os.Remove(d.filler); err != nil {
		d.t.Fatal(err)
	}
}

// disaster fills the disk of both sites under load, kills a process while it is full or right after, and makes room again.
func disaster(t *testing.T, disk *smallDisk, sites []*site, random *rand.Rand) {
	t.Helper()
	const mostLeft = 3 << 20 // below what the programs want to be free
	var refused []int64
	for _, s := range sites {
		for _, p := range s.programs() {
			p.awaitReady() // none starts on a full disk
		}
		refused = append(refused, s.load.full.Load())
	}
	disk.fill(random.Int64N(mostLeft))
	for n, s := range sites {
		eventually(t, drainWithin, s.name+" to refuse for want of room", func() bool { return s.load.full.Load() > refused[n] })
	}
	if random.IntN(2) == 0 {
		disk.empty()
		endSome(t, sites, random, (*program).kill)
		return
	}
	s := sites[random.IntN(len(sites))]
	for _, p := range s.programs() {
		p.kill()
	}
	disk.empty()
	for _, p := range s.programs() {
		p.start()
	}
}

// TestDisaster fills a small disk and kills processes, at once and again and again, under load. What was acknowledged is
// there and has reached TAK. The positive control acknowledges what a full disk does not take.
func TestDisaster(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a file system and kills processes")
	}
	const shortRounds, longRounds = 3, 20 // on one file system
	budget, long := torture.Budget(t)
	random := rand.New(rand.NewPCG(torture.Seed(t), 0))
	control := fillHasty(t, random)
	rounds, batch, end := 0, shortRounds, time.Now().Add(budget)
	if long {
		batch = longRounds
	}
	acknowledged, lost, refused := 0, 0, int64(0)
	for more := true; more && !t.Failed(); more = long && time.Now().Before(end) {
		t.Run(fmt.Sprintf("from %d", rounds), func(t *testing.T) {
			disk, tak := newSmallDisk(t), newTAKReader(t)
			sites := newSitesIn(t, tak, 20*time.Millisecond, siteOptions{newDir: disk.newDir, minFreeBytes: 4 << 20})
			for n, s := range sites {
				s.load.mayBeFull = true
				for _, p := range s.programs() {
					p.start()
				}
				s.load.start(t, random.Uint64()+uint64(n))
			}
			for range batch {
				disaster(t, disk, sites, random)
				rounds++
			}
			for _, s := range sites {
				lost += s.verify(t, tak)
				acknowledged += s.acknowledged
				refused += s.load.full.Load()
			}
		})
	}
	if lost > 0 {
		t.Errorf("%d of %d acknowledged are lost", lost, acknowledged)
	}
	torture.Report(t, torture.Result{
		What: "a small disk filled and emptied under load, with kill -9 of real processes", Rounds: rounds,
		Acknowledged: acknowledged, Lost: lost, Control: control, Notes: fmt.Sprintf("%d answered 507", refused),
	})
}

// fillHasty fills the disk under the positive control, and then counts what it has lost.
func fillHasty(t *testing.T, random *rand.Rand) (control string) {
	t.Helper()
	disk, tak, addr := newSmallDisk(t), newTAKReader(t), freeAddr(t)
	dir := disk.newDir()
	broken, sound := newProgram(t, "hasty", "hasty", addr, dir), newProgram(t, "sound", serveArgs(addr, dir, tak.addr)...)
	l := newLoad(t, addr, 5*time.Millisecond)
	l.start(t, random.Uint64())
	broken.start()
	answered := func(more int64) {
		target := l.answered.Load() + more
		eventually(t, drainWithin, "the control to acknowledge", func() bool { return l.answered.Load() >= target })
	}
	answered(50)
	disk.fill(0)
	answered(1000)
	disk.empty()
	l.gate.Lock()
	defer l.gate.Unlock()
	broken.kill()
	sound.start()
	eventually(t, drainWithin, "the sound program", l.drained)
	ids := l.take()
	lost := l.absent(t, ids)
	if lost == 0 {
		t.Errorf("the control lost none of %d", len(ids))
	}
	sound.kill()
	return fmt.Sprintf("acknowledging before the commit lost %d of %d in one full disk", lost, len(ids))
}
