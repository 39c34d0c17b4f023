package row

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/detection-api/detection-api/app/bench/measure"
	"github.com/detection-api/detection-api/app/bench/report"
)

// Row is one measurement.
type Row struct {
	ID     string
	What   string // and against what
	Target report.Target
	// Run fills in what was measured, and may return plots.
	Run func(ctx context.Context, env *Env, result *report.Result) ([]report.Chart, error)
}

// Env is what all rows are given.
type Env struct {
	Root  string // on the disk that is measured
	Dir   string // of the present row, below Root
	Plan  measure.Plan
	Quick bool
	Log   func(format string, args ...any)

	large *storeWindow
}

// Close closes what rows shared.
func (e *Env) Close() error {
	if e.large == nil {
		return nil
	}
	return e.large.store.Close()
}

// largeStore is a store of a million rows that several rows of the table use.
func (e *Env) largeStore(ctx context.Context) (*storeWindow, error) {
	if e.large != nil {
		return e.large, nil
	}
	w, err := newStoreWindow(ctx, &Env{Dir: e.Root}, "", 8)
	if err != nil {
		return nil, err
	}
	e.large = w
	n := e.size(1_000_000, 20_000)
	for filled := 0; filled < n; filled += n / 10 {
		e.Log("a store of %d rows: %d so far", n, filled)
		if err := fillStore(ctx, w.store, w.records, n/10); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// All returns the rows in the order of the table.
func All() []Row {
	var all []Row
	for _, part := range [][]Row{geometryRows(), storeRows(), postRows(), latencyRows(), overloadRows(), queueRows(), decodeRows(), copyRows(), startRows()} {
		all = append(all, part...)
	}
	return all
}

// size is a number of rows or items, smaller in a quick run.
func (e *Env) size(full, quick int) int {
	if e.Quick {
		return quick
	}
	return full
}

// length is a time, shorter in a quick run.
func (e *Env) length(full time.Duration) time.Duration {
	if e.Quick {
		return full / 10
	}
	return full
}

// dir makes an empty directory for one subject. Its end is that of the run's directory.
func (e *Env) dir() (string, error) { return os.MkdirTemp(e.Dir, "row-") }

// closers are closed in the reverse order. Their errors are of no use to a measurement that is over.
type closers []func() error

func (c *closers) add(close func() error) { *c = append(*c, close) }

func (c *closers) closeAll() {
	for i := len(*c) - 1; i >= 0; i-- {
		_ = (*c)[i]()
	}
}

func condition(holds bool, format string, args ...any) *report.Condition {
	return &report.Condition{Says: fmt.Sprintf(format, args...), Holds: holds}
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.3g ms", float64(d.Microseconds())/1000)
}
