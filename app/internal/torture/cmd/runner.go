package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/detection-api/detection-api/app/internal/torture"
)

// progressEvery is how often a test that runs is mentioned.
const progressEvery = time.Minute

// runner runs tests one after the other.
type runner struct {
	module, work string
	seed         uint64
	each         time.Duration // of one test
	flags        []string      // of go test
}

// outcome is what became of a test.
type outcome struct {
	test    test
	took    time.Duration
	results []torture.Result
	err     error // nil: it passed
	log     string
}

// runAll builds all packages before the first test runs, so that a mistake shows at once.
func (r runner) runAll(ctx context.Context, tests []test) (outcomes []outcome, err error) {
	binaries := map[string]string{}
	for _, t := range tests {
		if binaries[t.dir] == "" {
			if binaries[t.dir], err = r.build(ctx, t.dir); err != nil {
				return nil, err
			}
		}
	}
	for n, t := range tests {
		fmt.Printf("%s begins, %d of %d\n", t, n+1, len(tests))
		o := r.run(ctx, t, binaries[t.dir])
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		said := "passed"
		if o.err != nil {
			said = "FAILED: " + o.err.Error()
		}
		left := time.Duration(len(tests)-n-1) * r.each
		fmt.Printf("%s %s after %v; about %v left\n", t, said, o.took.Round(time.Second), left)
		outcomes = append(outcomes, o)
	}
	return outcomes, nil
}

func (r runner) build(ctx context.Context, dir string) (binary string, err error) {
	binary = filepath.Join(r.work, "bin", strings.ReplaceAll(dir, "/", "-")+".test")
	args := append([]string{"test", "-c", "-o", binary}, r.flags...)
	build := exec.CommandContext(ctx, "go", append(args, "./"+dir)...)
	build.Dir = r.module
	if said, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", dir, err, said)
	}
	return binary, nil
}

// run gives the test much more time than it was told to take: what hangs ends with a dump of its goroutines.
func (r runner) run(ctx context.Context, t test, binary string) (o outcome) {
	o = outcome{test: t, log: filepath.Join(r.work, t.fileName()+".log")}
	report := filepath.Join(r.work, t.fileName()+".jsonl")
	began := time.Now()
	o.err = r.execute(ctx, t, binary, report, o.log)
	o.took = time.Since(began)
	var err error
	o.results, err = readReport(report)
	o.err = errors.Join(o.err, err)
	if o.err == nil && len(o.results) == 0 {
		o.err = errors.New("it has reported nothing")
	}
	for _, result := range o.results {
		if result.Lost > 0 && o.err == nil {
			o.err = fmt.Errorf("%s: %d lost, yet the test passed", result.What, result.Lost)
		}
	}
	return o
}

func (r runner) execute(ctx context.Context, t test, binary, report, logFile string) error {
	log, err := os.Create(logFile)
	if err != nil {
		return err
	}
	defer log.Close()
	limit := 3*r.each + 10*time.Minute // against hangs: some go on until they have done enough
	child := exec.CommandContext(ctx, binary, "-test.run=^"+t.name+"$", "-test.v", "-test.count=1", "-test.timeout="+limit.String())
	child.Dir = filepath.Join(r.module, t.dir)
	child.Stdout, child.Stderr = log, log
	child.Env = append(os.Environ(), "TORTURE_FOR="+r.each.String(), fmt.Sprintf("TORTURE_SEED=%d", r.seed), "TORTURE_REPORT="+report)
	began := time.Now()
	if err := child.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-ticker.C:
			fmt.Printf("  %s: %v of %v\n", t, time.Since(began).Round(time.Second), r.each)
		}
	}
}

func readReport(path string) (results []torture.Result, err error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(bytes.NewReader(content))
	for lines.Scan() {
		var result torture.Result
		if err := json.Unmarshal(lines.Bytes(), &result); err != nil {
			return results, fmt.Errorf("read %s: %w", path, err)
		}
		results = append(results, result)
	}
	return results, lines.Err()
}

// failures joins what went wrong, with the places of the evidence.
func failures(outcomes []outcome) error {
	var all []error
	for _, o := range outcomes {
		if o.err != nil {
			all = append(all, fmt.Errorf("%s failed: %w; see %s", o.test, o.err, o.log))
		}
	}
	return errors.Join(all...)
}
