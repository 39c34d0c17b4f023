// Command mutate asks whether tests/render would notice a mistake in the templates of detection-api, and writes the answer
// to a Markdown page. It is run in the tests module:
//
//	go run ./cmd/mutate [-n 100] [-o ../docs/mutation.md]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/detection-api/detection-api/tests/chart"
	"github.com/detection-api/detection-api/tests/mutation"
)

const chartDir = "../charts/detection-api"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	sample := flag.Int("n", 0, "try so many mutants, spread over all; 0: all of them")
	page := flag.String("o", "../docs/mutation.md", "where the report goes")
	explained := flag.String("explained", "cmd/mutate/explained.yaml", "why certain survivors may live")
	parallel := flag.Int("parallel", 2, "mutants tried at once")
	timeout := flag.Duration("timeout", 5*time.Minute, "longest time for the tests of one mutant")
	flag.Parse()
	c := mutation.Config{ChartDir: chartDir, Parallel: *parallel, Timeout: *timeout}
	if err := run(ctx, c, *sample, *page, *explained); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, c mutation.Config, sample int, page, explained string) error {
	reasons, err := readReasons(explained)
	if err != nil {
		return err
	}
	loaded, err := chart.Load(chartDir)
	if err != nil {
		return err
	}
	all, err := mutation.Mutants(loaded.Templates())
	if err != nil {
		return err
	}
	mutants := all
	if sample > 0 {
		mutants = mutation.Sample(all, sample)
	}
	dir, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if c.Check, err = compile(ctx, filepath.Join(dir, "render.test")); err != nil {
		return err
	}
	if c.Renders, err = renders(loaded); err != nil {
		return err
	}
	done := 0
	c.Progress = func(r mutation.Result) {
		done++
		fmt.Printf("%d/%d %s %s (%s)\n", done, len(mutants), r.Outcome, r.Mutant, r.Detail)
	}
	start := time.Now()
	report, err := mutation.Run(ctx, c, mutants)
	if len(report) > 0 { // also what an interrupted run found
		fmt.Println(report.Summary())
		facts := facts{report: report, of: len(all), took: time.Since(start), reasons: reasons}
		if writeErr := os.WriteFile(page, []byte(facts.page()), 0o644); writeErr != nil {
			return writeErr
		}
	}
	return err
}

// compile builds the tests of the chart and returns a check that runs them on another copy of it.
func compile(ctx context.Context, binary string) (mutation.Check, error) {
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, "./render")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("compile the tests: %w", err)
	}
	return check(binary), nil
}
