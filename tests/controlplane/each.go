package controlplane

import (
	"errors"
	"sync"
)

// each does the same for all items, some at once, and reports the errors of all.
func each[T any](items []T, workers int, do func(T) error) error {
	queue := make(chan T)
	var group sync.WaitGroup
	var mutex sync.Mutex
	var failures []error
	for range min(workers, len(items)) {
		group.Go(func() {
			for item := range queue {
				if err := do(item); err != nil {
					mutex.Lock()
					failures = append(failures, err)
					mutex.Unlock()
				}
			}
		})
	}
	for _, item := range items {
		queue <- item
	}
	close(queue)
	group.Wait()
	return errors.Join(failures...)
}
