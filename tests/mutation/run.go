package mutation

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Outcome is what became of a mutant.
type Outcome string

// The outcomes. Only killed and survived ones count for the score.
const (
	// Killed: the check failed, as it should.
	Killed Outcome = "killed"
	// Survived: the check passed although the renders differ.
	Survived Outcome = "survived"
	// Equivalent: the check passed, and over all sets of values the renders are those of the original.
	Equivalent Outcome = "equivalent"
	// TimedOut: the check did not end in time.
	TimedOut Outcome = "timed out"
)

// Check tries the chart in a directory and says whether it found something wrong, and what.
type Check func(ctx context.Context, chartDir string) (killed bool, detail string, err error)

// Renders returns what a chart's templates give over all sets of values: one text for each set, an error's text where the
// chart refuses to render. It is asked with some templates replaced, by the names of their files.
type Renders func(replaced map[string][]byte) ([]string, error)

// Config says how mutants are tried.
type Config struct {
	// ChartDir is the chart. Checks get a copy of it.
	ChartDir string
	// Renders and Check judge a mutant. Without Renders none is equivalent.
	Renders Renders
	Check   Check
	// Parallel is the number of mutants tried at once; 2 when zero.
	Parallel int
	// Timeout is the longest time for one check; 5 minutes when zero.
	Timeout time.Duration
	// Progress, when not nil, is called after each mutant.
	Progress func(Result)
}

// Result is a mutant and what became of it.
type Result struct {
	Mutant
	Outcome Outcome
	// Detail is what the check said.
	Detail string
}

// Run tries every mutant. When ctx ends, the results so far are returned with its error. The chart itself has to pass the
// check: else nothing that follows would mean anything.
func Run(ctx context.Context, c Config, mutants []Mutant) (Report, error) {
	r, err := newRunner(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("run mutants: %w", err)
	}
	results := make([]*Result, len(mutants))
	errs := make([]error, len(mutants))
	next := make(chan int)
	var workers sync.WaitGroup
	for range max(1, r.Parallel) {
		workers.Go(func() {
			for i := range next {
				results[i], errs[i] = r.try(ctx, mutants[i])
			}
		})
	}
	for i := range mutants {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	workers.Wait()
	var report Report
	for _, result := range results {
		if result != nil {
			report = append(report, *result)
		}
	}
	if err := errors.Join(append(errs, ctx.Err())...); err != nil {
		return report, fmt.Errorf("run mutants: %w", err)
	}
	return report, nil
}

type runner struct {
	Config
	original []string
	progress sync.Mutex
}

func newRunner(ctx context.Context, c Config) (*runner, error) {
	if c.Parallel == 0 {
		c.Parallel = 2
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Minute
	}
	r := &runner{Config: c}
	if c.Renders != nil {
		var err error
		if r.original, err = c.Renders(nil); err != nil {
			return nil, fmt.Errorf("render the original: %w", err)
		}
	}
	killed, detail, err := c.Check(ctx, c.ChartDir)
	if err != nil {
		return nil, fmt.Errorf("check the original: %w", err)
	}
	if killed {
		return nil, fmt.Errorf("the original does not pass the check: %s", detail)
	}
	return r, nil
}

// try checks one mutant. Only one that the check lets pass is rendered over all sets of values, as that takes long.
func (r *runner) try(ctx context.Context, m Mutant) (*Result, error) {
	dir, err := r.copy(m)
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(filepath.Dir(dir)) }() // what is left over is in the system's directory for such files
	limited, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	killed, detail, err := r.Check(limited, dir)
	result := &Result{Mutant: m, Outcome: Survived, Detail: detail}
	switch {
	case ctx.Err() != nil:
		return nil, nil
	case limited.Err() != nil:
		result.Outcome = TimedOut
	case err != nil:
		return nil, fmt.Errorf("check %s: %w", m, err)
	case killed:
		result.Outcome = Killed
	default:
		equivalent, err := r.equivalent(m)
		if err != nil {
			return nil, fmt.Errorf("render %s: %w", m, err)
		}
		if equivalent {
			result.Outcome = Equivalent
		}
	}
	r.report(*result)
	return result, nil
}

func (r *runner) report(result Result) {
	if r.Progress != nil {
		r.progress.Lock()
		defer r.progress.Unlock()
		r.Progress(result)
	}
}

func (r *runner) equivalent(m Mutant) (bool, error) {
	if r.Renders == nil {
		return false, nil
	}
	renders, err := r.Renders(map[string][]byte{m.Template: []byte(m.Text)})
	if err != nil || len(renders) != len(r.original) {
		return false, err
	}
	for i := range renders {
		if renders[i] != r.original[i] {
			return false, nil
		}
	}
	return true, nil
}

// copy makes a copy of the chart with the mutant in it.
func (r *runner) copy(m Mutant) (string, error) {
	parent, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return "", err
	}
	dir := filepath.Join(parent, filepath.Base(r.ChartDir))
	if err := os.CopyFS(dir, os.DirFS(r.ChartDir)); err != nil {
		return "", errors.Join(err, os.RemoveAll(parent))
	}
	if err := os.WriteFile(filepath.Join(dir, m.Template), []byte(m.Text), 0o644); err != nil {
		return "", errors.Join(err, os.RemoveAll(parent))
	}
	return dir, nil
}
