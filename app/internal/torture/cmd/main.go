// Command torture runs each endurance test by itself and at length, one after the other, and writes down what they have
// survived. An endurance test is one that calls torture.Budget: it is found by that. `make torture` runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"time"
)

// quotable is how long a run must be for its document to replace the one in docs.
const quotable = time.Hour

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(1)
	}
}

// options are what the flags say.
type options struct {
	total      time.Duration // of all tests
	seed       uint64
	only       *regexp.Regexp // on package/test
	repository string
	buildFlags []string
}

func (o options) work() string { return filepath.Join(o.repository, "build", "torture") }

// document is where the result goes: a short run is no reason to touch docs.
func (o options) document() string {
	if o.total < quotable || o.only.String() != "" {
		return filepath.Join(o.work(), "torture.md")
	}
	return filepath.Join(o.repository, "docs", "torture.md")
}

func parseFlags() (o options, err error) {
	minutes := flag.Float64("minutes", 65, "how long all tests take together, in `minutes`; less than 60 leaves docs/torture.md as it is")
	flag.Uint64Var(&o.seed, "seed", rand.Uint64(), "where random numbers start")
	only := flag.String("only", "", "`expression` for the tests to run, matched with package/test")
	flag.StringVar(&o.repository, "repository", "..", "`directory` of the repository")
	flag.Parse()
	o.buildFlags = flag.Args() // of go test
	o.total = time.Duration(*minutes * float64(time.Minute))
	if o.total <= 0 {
		return o, fmt.Errorf("minutes: want more than 0, got %v", *minutes)
	}
	if o.only, err = regexp.Compile(*only); err != nil {
		return o, fmt.Errorf("only: %w", err)
	}
	o.repository, err = filepath.Abs(o.repository)
	return o, err
}

func run(ctx context.Context) error {
	o, err := parseFlags()
	if err != nil {
		return err
	}
	module := filepath.Join(o.repository, "app")
	tests, err := find(module, o.only)
	if err != nil {
		return err
	}
	if len(tests) == 0 {
		return errors.New("no test calls torture.Budget")
	}
	if err := os.RemoveAll(o.work()); err != nil {
		return err
	}
	r := runner{
		module: module, work: o.work(), seed: o.seed, each: (o.total / time.Duration(len(tests))).Round(time.Second), flags: o.buildFlags,
	}
	where := describeMachine(ctx, o.repository)
	fmt.Printf("%d tests, %v each, seed %d; logs in %s\n", len(tests), r.each, o.seed, r.work)
	began := time.Now()
	outcomes, err := r.runAll(ctx, tests)
	if err != nil {
		return err
	}
	doc := document(summary{machine: where, began: began, took: time.Since(began), each: r.each, seed: o.seed, outcomes: outcomes})
	if err := os.WriteFile(o.document(), []byte(doc), 0o644); err != nil {
		return err
	}
	fmt.Println("the report is", o.document())
	return failures(outcomes)
}
