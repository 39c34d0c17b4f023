package row

import (
	"context"
	"fmt"
	"time"

	"github.com/detection-api/detection-api/app/bench/measure"
	"github.com/detection-api/detection-api/app/bench/peer"
	"github.com/detection-api/detection-api/app/bench/report"
	"github.com/detection-api/detection-api/app/bench/subject"
)

const (
	claimedPerSecond = 100 // detections a second that the service is asked for
	wantP99          = 2 * time.Second
	mostAtOnce       = 1024 // connections of an open loop
)

func latencyRows() []Row {
	return []Row{
		{"T5", "p99 of `POST` at 100 a second (open loop, from the intended time), against the p99 of fdatasync", report.Target{AtMost: 10}, latencyAgainstDisk},
		{"T6", "`POST` a second on one core at a p99 below 2 s and none refused (open loop), against the 100 that are asked for", report.Target{AtLeast: 10}, oneCore},
		{"", "`POST` latency against offered load, all cores (open loop): the highest load of the steps with none refused, against the 100 that are asked for", report.Target{}, latencyByLoad},
	}
}

func newAPI(ctx context.Context, env *Env) (*subject.API, error) {
	dir, err := env.dir()
	if err != nil {
		return nil, err
	}
	return subject.NewAPI(ctx, dir, "")
}

// p99 is a measure.Window of seconds.
func p99(api *subject.API, perSecond float64) measure.Window {
	return func(ctx context.Context, length time.Duration) (float64, error) {
		seen := measure.Open(ctx, perSecond, length, mostAtOnce, api.Post)
		if seen.Failed > 0 {
			return 0, fmt.Errorf("%d of %d POSTs failed at %v/s", seen.Failed, seen.Failed+len(seen.Took), perSecond)
		}
		return measure.Quantile(seen.Took, 0.99).Seconds(), nil
	}
}

func latencyAgainstDisk(ctx context.Context, env *Env, r *report.Result) ([]report.Chart, error) {
	var open closers
	defer open.closeAll()
	disk, err := peer.NewDisk(env.Dir)
	if err != nil {
		return nil, err
	}
	open.add(disk.Close)
	api, err := newAPI(ctx, env)
	if err != nil {
		return nil, err
	}
	open.add(api.Close)
	syncs := func(_ context.Context, length time.Duration) (float64, error) {
		var took []time.Duration
		for start := time.Now(); time.Since(start) < length; {
			began := time.Now()
			if err := disk.Append(); err != nil {
				return 0, err
			}
			took = append(took, time.Since(began))
		}
		return measure.Quantile(took, 0.99).Seconds(), nil
	}
	if r.Ratio, err = measure.Compare(ctx, measure.Plan{Pairs: env.Plan.Pairs, Length: 5 * env.Plan.Length / 2}, p99(api, claimedPerSecond), syncs); err != nil {
		return nil, err
	}
	r.Figures = fmt.Sprintf("%.3g ms, %.3g ms", 1000*r.Ratio.A, 1000*r.Ratio.B)
	r.Also = condition(r.Ratio.A < wantP99.Seconds(), "below 2 s")
	r.Control, err = checkpointInCommit(ctx, env, api)
	return nil, err
}

// checkpointInCommit compares with a store whose commits carry the log over themselves.
func checkpointInCommit(ctx context.Context, env *Env, api *subject.API) (*report.Condition, error) {
	bad, err := newAPI(ctx, env)
	if err != nil {
		return nil, err
	}
	defer bad.Close()
	if err := bad.Store.CheckpointInCommit(ctx, 1); err != nil {
		return nil, err
	}
	plan := measure.Plan{Pairs: 4, Length: 3 * env.Plan.Length / 2}
	ratio, err := measure.Compare(ctx, plan, p99(bad, claimedPerSecond), p99(api, claimedPerSecond))
	return condition(ratio.Median > 1, "checkpoint in each commit: p99 %.2fx (more than 1)", ratio.Median), err
}

func oneCore(ctx context.Context, env *Env, r *report.Result) ([]report.Chart, error) {
	restore, err := pinToOneCore()
	if err != nil {
		return nil, err
	}
	defer restore()
	api, err := newAPI(ctx, env)
	if err != nil {
		return nil, err
	}
	defer api.Close()
	steps, err := climb(ctx, env, api, []float64{100, 250, 500, 1000, 1500, 2000, 3000, 4000})
	if err != nil {
		return nil, err
	}
	best := steps.best()
	r.Ratio = measure.RatioOf([]float64{best.Offered}, []float64{claimedPerSecond})
	r.Figures = fmt.Sprintf("%.0f POST/s with p50 %s, p99 %s, clients on the same core", best.Offered,
		milliseconds(measure.Quantile(best.Took, 0.5)), milliseconds(measure.Quantile(best.Took, 0.99)))
	last := steps[len(steps)-1]
	r.Control = condition(!good(last), "at %.0f/s: %d of %d refused, p99 %s", last.Offered, last.Failed,
		last.Failed+len(last.Took), milliseconds(measure.Quantile(last.Took, 0.99)))
	return nil, nil
}

// steps are the loads that were offered, rising; only the last may be too much.
type steps []measure.Latencies

func (s steps) best() (best measure.Latencies) {
	for _, step := range s {
		if good(step) {
			best = step
		}
	}
	return best
}

// good says that all were answered, fast enough and as fast as they came.
func good(seen measure.Latencies) bool {
	return seen.Failed == 0 && seen.Answered >= 0.95*seen.Offered && measure.Quantile(seen.Took, 0.99) < wantP99
}

// climb offers more and more until it is too much.
func climb(ctx context.Context, env *Env, api *subject.API, loads []float64) (steps, error) {
	var seen steps
	for _, load := range loads {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		step := measure.Open(ctx, load, env.Plan.Length, mostAtOnce, api.Post)
		env.Log("%5.0f/s offered: %.0f/s answered, %d failed, p50 %s, p99 %s", load, step.Answered, step.Failed,
			milliseconds(measure.Quantile(step.Took, 0.5)), milliseconds(measure.Quantile(step.Took, 0.99)))
		if seen = append(seen, step); !good(step) {
			break
		}
	}
	return seen, nil
}

func latencyByLoad(ctx context.Context, env *Env, r *report.Result) ([]report.Chart, error) {
	api, err := newAPI(ctx, env)
	if err != nil {
		return nil, err
	}
	defer api.Close()
	steps, err := climb(ctx, env, api, []float64{100, 250, 500, 1000, 1500, 2000, 3000, 4000, 5000, 6000})
	if err != nil {
		return nil, err
	}
	lines := []report.Line{{Name: "p50"}, {Name: "p99"}, {Name: "p99.9", Dashed: true}}
	for _, step := range steps {
		for i, q := range []float64{0.5, 0.99, 0.999} {
			took := measure.Quantile(step.Took, q)
			lines[i].Points = append(lines[i].Points, [2]float64{step.Offered, 1000 * took.Seconds()})
		}
	}
	best, last := steps.best(), steps[len(steps)-1]
	r.Ratio = measure.RatioOf([]float64{best.Offered}, []float64{claimedPerSecond})
	r.Figures = fmt.Sprintf("%.0f POST/s with p50 %s, p99 %s; at %.0f/s %d of %d refused", best.Offered,
		milliseconds(measure.Quantile(best.Took, 0.5)), milliseconds(measure.Quantile(best.Took, 0.99)),
		last.Offered, last.Failed, last.Failed+len(last.Took))
	return []report.Chart{{
		Name: "post-latency", Title: "POST latency against offered load, open loop", Lines: lines,
		X: report.Axis{Label: "offered POST/s", Log: true}, Y: report.Axis{Label: "ms from the intended time", Log: true},
	}}, nil
}
