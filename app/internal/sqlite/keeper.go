package sqlite

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// sweepEvery is how often the keeper looks.
	sweepEvery = time.Minute
	// settleFor is how long the clock must have gone evenly before anything is removed for its age: a clock that is wrong
	// after a start, or jumps, is then likely to have been mended, or seen by somebody.
	settleFor = time.Hour
	// settleSlack is how far the clock may go astray between two looks.
	settleSlack = time.Minute
)

// settling watches the wall clock beside the time that passes.
type settling struct {
	now    func() time.Time
	passed func() time.Duration // by a clock that nobody sets

	wall        time.Time
	last, since time.Duration
}

// over says that the clock has gone evenly for settleFor.
func (c *settling) over() bool {
	wall, passed := c.now().Round(0), c.passed() // Round takes the monotonic reading off
	if astray := wall.Sub(c.wall) - (passed - c.last); astray.Abs() > settleSlack {
		c.since = passed
	}
	c.wall, c.last = wall, passed
	return passed-c.since >= settleFor
}

// keeper sweeps a Store by itself.
type keeper struct {
	store     *Store
	retention Retention
	clock     *settling
	log       *slog.Logger

	sweeping sync.Mutex // one Sweep at a time
	at       int64      // where the search for old detections goes on
	// forgotten is the block up to which the index of the catalogue was cleared since the start.
	forgotten int64
	told      string // the last complaint, so that a lasting fault is one line in the log

	stop context.CancelFunc
	done sync.WaitGroup
}

// newKeeper starts a keeper that looks each minute, if there is anything to keep to.
func newKeeper(s *Store, r Retention, clock *settling) *keeper {
	ctx, cancel := context.WithCancel(context.Background())
	k := &keeper{store: s, retention: r, clock: clock, log: s.file.writer.log, stop: cancel}
	k.clock.over() // from now on
	if r != (Retention{}) {
		k.done.Go(func() {
			tick := time.NewTicker(sweepEvery)
			defer tick.Stop()
			k.run(ctx, tick.C)
		})
	}
	return k
}

func (k *keeper) run(ctx context.Context, tick <-chan time.Time) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
		if k.clock.over() {
			k.sweep(ctx)
		}
	}
}

func (k *keeper) sweep(ctx context.Context) {
	swept, err := k.store.Sweep(ctx) // as long as it takes; close ends it
	if swept != (Swept{}) {
		k.log.Info("retention", "detections_removed", swept.Detections, "audit_entries_removed", swept.AuditEntries)
	}
	switch {
	case err == nil:
		k.told = ""
	case ctx.Err() == nil && k.told != err.Error():
		k.told = err.Error()
		k.log.Error("retention; will try again each minute", "error", err)
	}
}

func (k *keeper) close() error {
	k.stop()
	k.done.Wait()
	return nil
}
