// Package condition waits for something to become so.
package condition

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Await calls done at once and then at each interval until it returns nil. When ctx ends first, the error says what was
// waited for, why the waiting ended and what was last wrong.
func Await(ctx context.Context, what string, interval time.Duration, done func(context.Context) error) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	last := errors.New("never asked in time")
	for {
		err := done(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			last = err // an error because time is up would hide the reason
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w (last: %w)", what, context.Cause(ctx), last)
		case <-ticker.C:
		}
	}
}
