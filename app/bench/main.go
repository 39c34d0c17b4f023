// Command bench measures the service beside what it is compared with and writes the table, the plots and the figures into
// the documentation. It is run by `make bench`.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/detection-api/detection-api/app/bench/measure"
	"github.com/detection-api/detection-api/app/bench/report"
	"github.com/detection-api/detection-api/app/bench/row"
	"github.com/detection-api/detection-api/app/internal/server"
)

// notMeasured is what a reader might look for in the table.
var notMeasured = []string{
	"real power cuts, disks that lie about syncs, real clusters' disks: one virtual machine with one disk of its own",
	"clients elsewhere: those of all rows share the cores with the service, and loopback is no network",
	"the store role over HTTP between pods; PostgreSQL and message brokers, as the service has neither",
}

func main() {
	server.CollectLess() // as the program does
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are what the flags say.
type options struct {
	quick    bool
	only     string
	dir      string
	out      string
	document string
}

func run(ctx context.Context) error {
	var o options
	flag.BoolVar(&o.quick, "quick", false, "short windows: to see that all works, not to be quoted")
	flag.StringVar(&o.only, "only", "", "`expression` for the rows to measure")
	flag.StringVar(&o.dir, "dir", "", "`directory` on the disk to measure; empty: the one for temporary files")
	flag.StringVar(&o.out, "out", "", "`directory` for run.json and the plots; empty: the table goes to the standard output")
	flag.StringVar(&o.document, "document", "", "Markdown `file` whose table is replaced")
	flag.Parse()
	only, err := regexp.Compile(o.only)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(o.dir, "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	began := time.Now()
	r := report.Report{
		Machine: machine(), Commit: commit(ctx), Started: began.UTC().Format("2006-01-02 15:04 UTC"),
		LoadBefore: loadAverage(), Quick: o.quick, NotMeasured: notMeasured,
	}
	env := environment(dir, o.quick)
	measureAll(ctx, &r, only, env)
	if err := env.Close(); err != nil {
		return err
	}
	r.LoadAfter, r.Took = loadAverage(), time.Since(began).Round(time.Second).String()
	if o.out == "" {
		fmt.Print(r.Markdown("."))
		return ctx.Err()
	}
	return r.Write(o.out, o.document)
}

func environment(dir string, quick bool) *row.Env {
	env := &row.Env{Root: dir, Quick: quick, Plan: measure.Plan{Pairs: 7, Length: 2 * time.Second}}
	if quick {
		env.Plan = measure.Plan{Pairs: 2, Length: 300 * time.Millisecond}
	}
	env.Log = func(format string, args ...any) { fmt.Fprintf(os.Stderr, "   "+format+"\n", args...) }
	return env
}

// measureAll goes on after a row that fails: its error is its result.
func measureAll(ctx context.Context, r *report.Report, only *regexp.Regexp, env *row.Env) {
	for _, measured := range row.All() {
		if !only.MatchString(measured.ID+" "+measured.What) || ctx.Err() != nil {
			continue
		}
		began := time.Now()
		fmt.Fprintf(os.Stderr, "== %s %s\n", measured.ID, measured.What)
		result := report.Result{ID: measured.ID, What: measured.What, Target: measured.Target, Load: loadAverage()}
		env.Dir = filepath.Join(env.Root, fmt.Sprint(len(r.Results)))
		err := os.Mkdir(env.Dir, 0o750)
		if err == nil {
			var charts []report.Chart
			charts, err = measured.Run(ctx, env, &result)
			r.Charts = append(r.Charts, charts...)
		}
		if err != nil {
			result.Error = err.Error()
		}
		_ = os.RemoveAll(env.Dir) // the whole directory goes at the end
		r.Results = append(r.Results, result)
		fmt.Fprintf(os.Stderr, "   %.3g (%.3g to %.3g) in %.0f s, load %s: %s %s\n", result.Ratio.Median, result.Ratio.Low, result.Ratio.High,
			time.Since(began).Seconds(), result.Load, result.Figures, result.Error)
	}
}

// machine says what it runs on.
func machine() string {
	model := "unknown processor"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, found := strings.Cut(string(text), "model name\t: "); found {
			model, _, _ = strings.Cut(rest, "\n")
		}
	}
	return fmt.Sprintf("%d cores (%s), %s/%s, %s", runtime.NumCPU(), model, runtime.GOOS, runtime.GOARCH, runtime.Version())
}

func commit(ctx context.Context) string {
	id, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(id))
}

func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	fields := strings.Fields(string(text))
	return strings.Join(fields[:3], " ")
}
