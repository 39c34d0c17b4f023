package storetest

import (
	"testing"
	"time"
)

// A clock that is set may make others adopt rows early, which is a second delivery. It must lose nothing, and keep nothing
// from being adopted for longer than a lease.
var clockTests = map[string]storeTest{
	"a clock set back keeps no rows for ever":        testClockBack,
	"a clock set back ends no lease":                 testClockBackAlive,
	"a clock set forward loses nothing":              testClockForward,
	"a clock set back over a restart":                testClockBackRestart,
	"a clock set forward over a restart ends nobody": testClockForwardRestart,
	"a clock that swings":                            testClockSwings,
}

const year = 365 * 24 * time.Hour

func testClockBack(t *testing.T, s *StoreUnderTest, clock *Clock) {
	for i, jump := range []time.Duration{time.Hour, year} {
		from := 3 * i
		must(t, "renew", s.Renew(t.Context(), "pod-a", lease))
		must(t, "commit", s.Commit(t.Context(), Records(from, from+3, "pod-a")))
		clock.Advance(-jump)
		equalIDs(t, "claimed from a live owner", claim(t, s, "pod-b", "", 10), IDs(0, from))
		clock.Advance(lease)
		equalIDs(t, "claimed a lease later", claim(t, s, "pod-b", "", 10), IDs(0, from+3))
	}
}

func testClockBackAlive(t *testing.T, s *StoreUnderTest, clock *Clock) {
	must(t, "renew", s.Renew(t.Context(), "pod-a", lease))
	must(t, "commit", s.Commit(t.Context(), Records(0, 3, "pod-a")))
	clock.Advance(-year)
	for range 5 {
		must(t, "renew", s.Renew(t.Context(), "pod-a", lease))
		clock.Advance(lease - time.Millisecond)
		equalIDs(t, "claimed from a live owner", claim(t, s, "pod-b", "", 10), []string{})
	}
}

func testClockForward(t *testing.T, s *StoreUnderTest, clock *Clock) {
	must(t, "renew", s.Renew(t.Context(), "pod-a", lease))
	must(t, "commit", s.Commit(t.Context(), Records(0, 3, "pod-a")))
	clock.Advance(year)
	must(t, "renew", s.Renew(t.Context(), "pod-a", lease))
	equalIDs(t, "claimed from an owner who renewed", claim(t, s, "pod-b", "", 10), []string{})
	clock.Advance(-year) // and mended
	must(t, "renew", s.Renew(t.Context(), "pod-a", lease))
	equalIDs(t, "claimed when it is mended", claim(t, s, "pod-b", "", 10), []string{})
	clock.Advance(lease)
	equalIDs(t, "claimed a lease later", claim(t, s, "pod-b", "", 10), IDs(0, 3))
}

func testClockBackRestart(t *testing.T, s *StoreUnderTest, clock *Clock) {
	must(t, "renew", s.Renew(t.Context(), "pod-a", lease))
	must(t, "commit", s.Commit(t.Context(), Records(0, 3, "pod-a")))
	clock.Advance(-year)
	s.Restart()
	equalIDs(t, "claimed from a live owner", claim(t, s, "pod-b", "", 10), []string{})
	clock.Advance(lease)
	equalIDs(t, "claimed a lease later", claim(t, s, "pod-b", "", 10), IDs(0, 3))
}

func testClockForwardRestart(t *testing.T, s *StoreUnderTest, clock *Clock) {
	must(t, "renew", s.Renew(t.Context(), "pod-a", lease))
	must(t, "commit", s.Commit(t.Context(), Records(0, 3, "pod-a")))
	clock.Advance(year) // or the store was down so long
	s.Restart()
	equalIDs(t, "claimed from an owner who may be alive", claim(t, s, "pod-b", "", 10), []string{})
	clock.Advance(lease)
	equalIDs(t, "claimed a lease later", claim(t, s, "pod-b", "", 10), IDs(0, 3))
}

// testClockSwings sets the clock to and fro between any two calls; in the end all is there, in order.
func testClockSwings(t *testing.T, s *StoreUnderTest, clock *Clock) {
	const n = 24
	for i := range n {
		must(t, "commit", s.Commit(t.Context(), Records(i, i+1, "pod-a")))
		clock.Advance([]time.Duration{-time.Hour, year, -year, time.Hour, -time.Minute, time.Second}[i%6])
		must(t, "renew", s.Renew(t.Context(), []string{"pod-a", "pod-b"}[i%2], lease))
		claim(t, s, []string{"pod-b", "pod-c"}[i%2], "", 3)
	}
	equal(t, "owed", stats(t, s).Outbox, int64(n))
	claim(t, s, "pod-d", "", 1) // so that the store has seen the last swing
	clock.Advance(lease)
	equalIDs(t, "claimed a lease later", claim(t, s, "pod-d", "", 100), IDs(0, n))
}
