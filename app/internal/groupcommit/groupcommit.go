// Package groupcommit lets many callers share one expensive commit (a disk sync, a request over the network). Whoever
// arrives while a commit runs joins the next one; nobody waits for company, so a lone caller pays one commit and no more.
package groupcommit

import (
	"context"
	"errors"
	"runtime"
	"sync"
)

// ErrClosed is the answer to whoever comes after Close.
var ErrClosed = errors.New("group commit: closed")

// Options shape a Writer. Zero values mean the defaults.
type Options[T any] struct {
	// MaxWeight ends a batch: no item is added to a batch that weighs this much. Default 256.
	MaxWeight int
	// Weigh tells what one item counts for. Default: 1 each.
	Weigh func(T) int
	// Waiting is how many items may wait for a commit before Do blocks. Default 1024.
	Waiting int
	// Committers is how many commits may run side by side. Default 1, which also keeps the order of arrival.
	Committers int
}

// Writer gathers the items of concurrent Do calls into batches.
type Writer[T any] struct {
	commit  func(items []T) error
	opts    Options[T]
	entries chan entry[T]

	mu     sync.RWMutex // held for reading while an entry is sent, so that Close never closes under a sender
	closed bool
	done   sync.WaitGroup
}

type entry[T any] struct {
	item   T
	result chan error
}

// New starts a Writer that hands batches of at least one item to commit. An error of commit is the answer to every
// caller of the batch. The items slice is reused: commit must not keep it.
func New[T any](opts Options[T], commit func(items []T) error) *Writer[T] {
	if opts.MaxWeight <= 0 {
		opts.MaxWeight = 256
	}
	if opts.Weigh == nil {
		opts.Weigh = func(T) int { return 1 }
	}
	if opts.Waiting <= 0 {
		opts.Waiting = 1024
	}
	opts.Committers = max(opts.Committers, 1)
	w := &Writer[T]{commit: commit, opts: opts, entries: make(chan entry[T], opts.Waiting)}
	for range opts.Committers {
		w.done.Go(w.run)
	}
	return w
}

// Do waits until the batch with item is committed and returns the result. The end of ctx ends only the wait: an item
// that was taken is committed all the same, so after a context error the outcome is unknown.
func (w *Writer[T]) Do(ctx context.Context, item T) error {
	e := entry[T]{item: item, result: make(chan error, 1)}
	if err := w.send(ctx, e); err != nil {
		return err
	}
	select {
	case err := <-e.result:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close refuses new items, commits those that wait, and returns when that is done. It may be called again.
func (w *Writer[T]) Close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.entries)
	}
	w.mu.Unlock()
	w.done.Wait()
}

func (w *Writer[T]) send(ctx context.Context, e entry[T]) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return ErrClosed
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	select {
	case w.entries <- e:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (w *Writer[T]) run() {
	var (
		items   []T
		results []chan error
	)
	for first := range w.entries {
		// Whoever is about to ask comes first. This costs nothing when nobody else runs, and with many callers it makes groups
		// twice as large: a caller wakes the writer before it lets the next one run.
		runtime.Gosched()
		items, results = w.drain(first, items[:0], results[:0])
		err := w.commit(items)
		for _, result := range results {
			result <- err
		}
		clear(items) // what was committed must not be kept alive by an idle writer
	}
}

// drain adds what is waiting to first, up to MaxWeight, and does not linger.
func (w *Writer[T]) drain(first entry[T], items []T, results []chan error) ([]T, []chan error) {
	items, results = append(items, first.item), append(results, first.result)
	for weight := w.opts.Weigh(first.item); weight < w.opts.MaxWeight; {
		select {
		case next, open := <-w.entries:
			if !open {
				return items, results
			}
			items, results = append(items, next.item), append(results, next.result)
			weight += w.opts.Weigh(next.item)
		default:
			return items, results
		}
	}
	return items, results
}
