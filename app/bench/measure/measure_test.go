package measure

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"time"
)

// TestCompareOutlivesAMachineThatChanges holds that a machine that gets slower all the time does not bend the ratio.
func TestCompareOutlivesAMachineThatChanges(t *testing.T) {
	speed := 1000.0
	window := func(share float64) Window {
		return func(context.Context, time.Duration) (float64, error) {
			speed *= 0.9
			return speed * share, nil
		}
	}
	got, err := Compare(t.Context(), Plan{Pairs: 8}, window(3), window(1))
	if err != nil || math.Abs(got.Median-3) > 0.02 || got.Low > 3 || got.High < 3 || got.Pairs != 8 {
		t.Errorf("Compare = %+v, %v; want about 3 in an interval around it", got, err)
	}
}

func TestCompareTellsFailures(t *testing.T) {
	broken := errors.New("broken")
	fails := func(context.Context, time.Duration) (float64, error) { return 0, broken }
	if _, err := Compare(t.Context(), Plan{Pairs: 1}, fails, fails); !errors.Is(err, broken) {
		t.Errorf("err = %v, want %v", err, broken)
	}
}

func TestQuantile(t *testing.T) {
	values := []int{5, 1, 4, 2, 3, 6, 7, 8, 9, 10}
	for q, want := range map[float64]int{0: 1, 0.1: 1, 0.5: 5, 0.99: 10, 1: 10} {
		if got := Quantile(values, q); got != want {
			t.Errorf("Quantile(%v) = %d, want %d", q, got, want)
		}
	}
}

// TestOpenCountsAStall holds that a stall of one call is in the times of those that were due meanwhile: a closed loop
// would show one slow call.
func TestOpenCountsAStall(t *testing.T) {
	var calls atomic.Int64
	got := Open(t.Context(), 1000, 300*time.Millisecond, 1, func(context.Context) error {
		if calls.Add(1) == 1 {
			<-time.After(200 * time.Millisecond)
		}
		return nil
	})
	slow := 0
	for _, took := range got.Took {
		if took > 50*time.Millisecond {
			slow++
		}
	}
	if len(got.Took) != 300 || slow < 100 {
		t.Errorf("%d calls, %d of them slow; want 300, and at least 100 that felt the stall", len(got.Took), slow)
	}
}

func TestClosedCountsCalls(t *testing.T) {
	const length = 20 * time.Millisecond
	var calls atomic.Int64
	began := time.Now()
	rate, err := Closed(t.Context(), 4, length, func(context.Context) error { calls.Add(1); return nil })
	count, took := float64(calls.Load()), time.Since(began)
	if err != nil || calls.Load() < 4 || rate < count/took.Seconds() || rate > count/length.Seconds() {
		t.Errorf("Closed = %v, %v of %v calls in %v", rate, err, count, took)
	}
}
