package sqlite

import (
	"sync/atomic"
	"testing"
	"time"
)

// TestTheKeeperWaitsForTheClock holds that nothing is removed for its age until the clock has gone evenly for an hour.
func TestTheKeeperWaitsForTheClock(t *testing.T) {
	now, passed := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC), time.Duration(0)
	c := &settling{now: func() time.Time { return now }, passed: func() time.Duration { return passed }}
	wait := func(d time.Duration, want bool) {
		t.Helper()
		for left := d; left > 0; left -= time.Minute {
			now, passed = now.Add(time.Minute+time.Millisecond), passed+time.Minute
			if got := c.over(); got && left > time.Minute && !want {
				t.Fatalf("over %v too early", left)
			}
		}
		if got := c.over(); got != want {
			t.Errorf("after %v: over = %v, want %v", d, got, want)
		}
	}
	c.over()
	wait(59*time.Minute, false)
	wait(time.Minute, true)
	for _, years := range []int{1, -2} { // the jump is seen with the next look, a minute later
		now = now.AddDate(years, 0, 0)
		wait(time.Hour, false)
		wait(time.Minute, true)
	}
}

// TestTheKeeperSweepsByItself gives the keeper its ticks: with the first the clock has not gone for an hour yet.
func TestTheKeeperSweepsByItself(t *testing.T) {
	s, clock := kept(t, Retention{MaxAge: day}, 3, nil)
	var hours atomic.Int64
	passed := func() time.Duration { return time.Duration(hours.Load()) * time.Hour }
	s.keeper.clock = &settling{now: func() time.Time { return clock.Now().Add(passed()) }, passed: passed}
	s.keeper.clock.over()
	ticks := make(chan time.Time)
	s.keeper.done.Go(func() { s.keeper.run(t.Context(), ticks) })
	detections := func() int64 {
		got, err := s.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return got.Detections
	}
	ticks <- time.Time{}
	ticks <- time.Time{} // taken when the first one is done with
	if got := detections(); got != 30 {
		t.Errorf("%d detections are left before the clock has settled, want 30", got)
	}
	hours.Store(1)
	ticks <- time.Time{}
	ticks <- time.Time{}
	if got := detections(); got != 10 {
		t.Errorf("%d detections are left, want those of the last day", got)
	}
}
