package groupcommit_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/detection-api/detection-api/app/internal/groupcommit"
)

// gate is a commit function that a test holds shut; it remembers the batches it saw.
type gate struct {
	open    chan struct{}
	err     error
	mu      sync.Mutex
	batches [][]int
}

func (g *gate) commit(items []int) error {
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	g.batches = append(g.batches, slices.Clone(items))
	return g.err
}

func TestCallersWhoArriveDuringACommitShareTheNext(t *testing.T) {
	for _, c := range []struct {
		name      string
		maxWeight int
		callers   int
		want      []int // sizes of the batches
	}{
		{"one caller pays one commit", 0, 1, []int{1}},
		{"the rest share the second", 0, 9, []int{1, 8}},
		{"a batch ends at its weight", 3, 8, []int{1, 3, 3, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &gate{open: make(chan struct{})}
				w := groupcommit.New(groupcommit.Options[int]{MaxWeight: c.maxWeight}, g.commit)
				var callers sync.WaitGroup
				for i := range c.callers {
					callers.Go(func() {
						if err := w.Do(t.Context(), i); err != nil {
							t.Errorf("Do(%d) = %v", i, err)
						}
					})
					synctest.Wait() // the first is in commit, the others wait in order
				}
				close(g.open)
				callers.Wait()
				w.Close()
				var got, items []int
				for _, batch := range g.batches {
					got, items = append(got, len(batch)), append(items, batch...)
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("batch sizes = %v, want %v", got, c.want)
				}
				if !slices.IsSorted(items) {
					t.Errorf("order of arrival lost: %v", items)
				}
			})
		})
	}
}

func TestAnErrorIsTheAnswerToTheWholeBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("disk broken")
		g := &gate{open: make(chan struct{}), err: broken}
		w := groupcommit.New(groupcommit.Options[int]{}, g.commit)
		errs := make(chan error, 5)
		for i := range 5 {
			go func() { errs <- w.Do(t.Context(), i) }()
		}
		synctest.Wait()
		close(g.open)
		for range 5 {
			if err := <-errs; !errors.Is(err, broken) {
				t.Errorf("Do = %v, want %v", err, broken)
			}
		}
		w.Close()
	})
}

func TestTheContextEndsOnlyTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		w := groupcommit.New(groupcommit.Options[int]{}, g.commit)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.Do(ctx, 7); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Do = %v, want a deadline error", err)
		}
		if err := w.Do(ctx, 8); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Do after the deadline = %v, want a deadline error", err)
		}
		close(g.open)
		w.Close()
		if len(g.batches) != 1 || !slices.Equal(g.batches[0], []int{7}) {
			t.Errorf("committed %v, want the item whose caller had left and not the one that came too late", g.batches)
		}
	})
}

func TestAFullWaitingRoomEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		w := groupcommit.New(groupcommit.Options[int]{Waiting: 1}, g.commit)
		for i := range 2 {
			go func() { _ = w.Do(t.Context(), i) }()
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.Do(ctx, 9); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Do = %v, want a deadline error", err)
		}
		close(g.open)
		w.Close()
	})
}

func TestCloseCommitsWhatWaitsAndRefusesTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		w := groupcommit.New(groupcommit.Options[int]{}, g.commit)
		errs := make(chan error, 3)
		for i := range 3 {
			go func() { errs <- w.Do(t.Context(), i) }()
		}
		synctest.Wait()
		closed := make(chan struct{})
		go func() { w.Close(); close(closed) }()
		synctest.Wait()
		if err := w.Do(t.Context(), 4); !errors.Is(err, groupcommit.ErrClosed) {
			t.Errorf("Do after Close = %v, want ErrClosed", err)
		}
		close(g.open)
		<-closed
		for range 3 {
			if err := <-errs; err != nil {
				t.Errorf("Do before Close = %v", err)
			}
		}
		w.Close()
	})
}

func TestCommittersRunSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		running, most := 0, 0
		w := groupcommit.New(groupcommit.Options[int]{MaxWeight: 1, Committers: 3}, func([]int) error {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			time.Sleep(time.Millisecond) // of the bubble's clock
			mu.Lock()
			running--
			mu.Unlock()
			return nil
		})
		var callers sync.WaitGroup
		for i := range 12 {
			callers.Go(func() { _ = w.Do(t.Context(), i) })
		}
		callers.Wait()
		w.Close()
		if most != 3 {
			t.Errorf("at most %d commits ran side by side, want 3", most)
		}
	})
}

// BenchmarkDo is the cost of passing through a Writer when the commit itself is free.
func BenchmarkDo(b *testing.B) {
	w := groupcommit.New(groupcommit.Options[int]{}, func([]int) error { return nil })
	defer w.Close()
	b.SetParallelism(32)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_ = w.Do(context.Background(), 1)
		}
	})
}

// TestRunnableCallersShareAGroup holds that on one processor, where a caller wakes the writer before the next caller has
// run, those who are ready to ask still share a commit.
func TestRunnableCallersShareAGroup(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const callers, rounds = 32, 50
	commits := 0
	w := groupcommit.New(groupcommit.Options[int]{}, func([]int) error {
		commits++
		return nil
	})
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for i := range rounds {
				if err := w.Do(t.Context(), i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	w.Close()
	if got := callers * rounds / commits; got < callers/4 {
		t.Errorf("%d commits for %d items: groups of %d, want %d at least", commits, callers*rounds, got, callers/4)
	}
}
