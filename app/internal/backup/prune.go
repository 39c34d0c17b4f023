package backup

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// leftoverAge is how old a file that belongs to no copy must be to be removed: no job runs so long.
const leftoverAge = 24 * time.Hour

// Prune removes copies taken before the retention time, and leftovers. The newest copy whose content still has its hash
// stays whatever its age: failures that nobody saw for a month must not cost the last copy. It returns what it removed.
func (d Directory) Prune(ctx context.Context, retention time.Duration, now time.Time) (removed []string, err error) {
	entries, leftovers, err := d.List()
	if err != nil {
		return nil, err
	}
	old, err := d.outdated(ctx, entries, now.Add(-retention))
	for _, e := range old {
		if err := d.remove(e.Name+databaseSuffix, e.Name+manifestSuffix); err != nil {
			return removed, fmt.Errorf("remove %s: %w", e.Name, err)
		}
		removed = append(removed, e.Name)
	}
	for _, name := range leftovers {
		info, statErr := os.Lstat(filepath.Join(d.Path, name))
		if statErr != nil || now.Sub(info.ModTime()) < leftoverAge {
			continue
		}
		if err := d.remove(name); err != nil {
			return removed, fmt.Errorf("remove %s: %w", name, err)
		}
		removed = append(removed, name)
	}
	return removed, err
}

// outdated returns the copies that may go. Those whose age cannot be told stay.
func (d Directory) outdated(ctx context.Context, entries []Entry, before time.Time) (old []Entry, err error) {
	for _, e := range entries {
		if !e.TakenAt.IsZero() && e.TakenAt.Before(before) {
			old = append(old, e)
		}
	}
	if len(old) == 0 {
		return nil, nil
	}
	keep, err := d.newestGood(ctx, entries)
	if err != nil {
		return nil, err
	}
	kept := old[:0]
	for _, e := range old {
		if e.Name != keep {
			kept = append(kept, e)
		}
	}
	return kept, nil
}

// newestGood returns the name of the newest copy that still has its hash.
func (d Directory) newestGood(ctx context.Context, entries []Entry) (string, error) {
	var said strings.Builder
	for _, e := range entries {
		err := e.Problem
		if err == nil {
			err = e.verifyBytes(ctx, d.file(e.Name, databaseSuffix))
		}
		if err == nil {
			return e.Name, nil
		}
		if ctx.Err() != nil {
			return "", err
		}
		fmt.Fprintf(&said, "; %s: %v", e.Name, err)
	}
	return "", fmt.Errorf("no copy is sound, so none is removed%s", said.String())
}
