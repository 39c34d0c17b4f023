package server

import (
	"context"
	"errors"
	"fmt"
)

// closers end what was started, in reverse order. Each is pushed right after the thing it closes was made, so that a
// start that fails half-way leaves nothing behind.
type closers []closer

type closer struct {
	what  string
	close func(ctx context.Context) error
}

func (c *closers) push(what string, f func(ctx context.Context) error) {
	*c = append(*c, closer{what, f})
}

// closeAll runs every closer, also after one failed, and may be called again.
func (c *closers) closeAll(ctx context.Context) error {
	var errs []error
	for i := len(*c) - 1; i >= 0; i-- {
		if err := (*c)[i].close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", (*c)[i].what, err))
		}
	}
	*c = nil
	return errors.Join(errs...)
}

func ignoreContext(f func() error) func(context.Context) error {
	return func(context.Context) error { return f() }
}
