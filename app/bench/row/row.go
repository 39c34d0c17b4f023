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
	Dir   string // on the disk that is measured
	Plan  measure.Plan
	Quick bool
	Log   func(format string, args ...any)
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
