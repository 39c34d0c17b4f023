package backup

import (
	"context"
	"fmt"
)

// Verify reads a copy from end to end. An error means that it must not be used.
func (d Directory) Verify(ctx context.Context, e Entry) error {
	err := e.Problem
	if err == nil {
		err = e.verify(ctx, d.file(e.Name, databaseSuffix))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", e.Name, err)
	}
	return nil
}
