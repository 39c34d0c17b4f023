package measure

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Closed keeps so many callers busy for the length, each with one call after the other and at least one, and returns the calls a
// second.
// The calls that are under way at the end are waited for and count.
func Closed(ctx context.Context, callers int, length time.Duration, call func(context.Context) error) (float64, error) {
	start := time.Now()
	var calls atomic.Int64
	var failure atomic.Pointer[error]
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for first := true; first || time.Since(start) < length && failure.Load() == nil && ctx.Err() == nil; first = false {
				if err := call(ctx); err != nil {
					failure.CompareAndSwap(nil, &err)
					return
				}
				calls.Add(1)
			}
		})
	}
	all.Wait()
	if err := failure.Load(); err != nil {
		return 0, *err
	}
	return float64(calls.Load()) / time.Since(start).Seconds(), ctx.Err()
}

// Latencies are what an open loop saw.
type Latencies struct {
	Offered  float64         // calls a second that were due
	Answered float64         // calls a second that succeeded, until the last answer
	Failed   int             // refused or broken
	Errors   map[error]int   // by what the call returned
	Took     []time.Duration // of those that succeeded, from the moment at which each was due
}

// Open starts a call at each tick of a schedule, whether the earlier ones have ended or not, and takes the time from the
// tick: a stall counts for all who would have come during it. At most so many run at a time; later ones wait for their
// turn while their time runs.
func Open(ctx context.Context, perSecond float64, length time.Duration, most int, call func(context.Context) error) Latencies {
	total := int(perSecond * length.Seconds())
	start := time.Now()
	var (
		mu   sync.Mutex
		seen = Latencies{Offered: perSecond, Errors: map[error]int{}, Took: make([]time.Duration, 0, total)}
		all  sync.WaitGroup
		due  = make(chan time.Time, total)
	)
	for range min(most, total) {
		all.Go(func() {
			for at := range due {
				err := call(ctx)
				took := time.Since(at)
				mu.Lock()
				if err != nil {
					seen.Failed++
					seen.Errors[err]++
				} else {
					seen.Took = append(seen.Took, took)
				}
				mu.Unlock()
			}
		})
	}
	for i := range total {
		at := start.Add(time.Duration(float64(i) / perSecond * float64(time.Second)))
		if wait := time.Until(at); wait > 0 {
			time.Sleep(wait)
		}
		due <- at
	}
	close(due)
	all.Wait()
	seen.Answered = float64(len(seen.Took)) / time.Since(start).Seconds()
	return seen
}
