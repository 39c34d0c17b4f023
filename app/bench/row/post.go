package row

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/detection-api/detection-api/app/bench/measure"
	"github.com/detection-api/detection-api/app/bench/report"
	"github.com/detection-api/detection-api/app/bench/subject"
)

func postRows() []Row {
	return []Row{
		{
			"T4", "`POST` over HTTP, 64 clients on the same cores, against the same handler with a store that keeps nothing",
			report.Target{AtLeast: 0.8},
			postAgainstDiscard,
		},
		{"T4 with TAK", "`POST` until each event is on TAK and the store knows it, against the same without TAK", report.Target{}, postWithTAK},
	}
}

// wantPosts a second on two cores.
const wantPosts = 5000

func postAgainstDiscard(ctx context.Context, env *Env, r *report.Result) ([]report.Chart, error) {
	durable, discard, end, err := twoAPIs(ctx, env, "", false)
	defer end()
	if err != nil {
		return nil, err
	}
	r.Ratio, err = measure.Compare(ctx, env.Plan, posts(durable), posts(discard))
	r.Figures = fmt.Sprintf("%.0f POST/s, %.0f POST/s", r.Ratio.A, r.Ratio.B)
	r.Also = condition(r.Ratio.A >= wantPosts, "at least %d POST/s wanted", wantPosts)
	return nil, err
}

func posts(api *subject.API) measure.Window {
	return func(ctx context.Context, length time.Duration) (float64, error) {
		return measure.Closed(ctx, callers, length, api.Post)
	}
}

// twoAPIs starts an API on a disk and another one: on the disk as well, or with a store that keeps nothing. end is never nil.
func twoAPIs(ctx context.Context, env *Env, takAddr string, bothDurable bool) (first, second *subject.API, end func(), err error) {
	var open closers
	end = func() { open.closeAll() }
	start := func(durable bool, takAddr string) (*subject.API, error) {
		dir := ""
		if durable {
			if dir, err = env.dir(); err != nil {
				return nil, err
			}
		}
		api, err := subject.NewAPI(ctx, dir, takAddr)
		if err == nil {
			open.add(api.Close)
		}
		return api, err
	}
	if first, err = start(true, takAddr); err != nil {
		return nil, nil, end, err
	}
	second, err = start(bothDurable, "")
	return first, second, end, err
}

func postWithTAK(ctx context.Context, env *Env, r *report.Result) ([]report.Chart, error) {
	sink, err := subject.NewSink()
	if err != nil {
		return nil, err
	}
	defer sink.Close()
	delivering, alone, end, err := twoAPIs(ctx, env, sink.Addr(), true)
	defer end()
	if err != nil {
		return nil, err
	}
	whole := func(ctx context.Context, length time.Duration) (float64, error) {
		start := time.Now()
		rate, err := measure.Closed(ctx, callers, length, delivering.Post)
		if err != nil {
			return 0, err
		}
		count := rate * time.Since(start).Seconds()
		err = untilSettled(ctx, delivering)
		return count / time.Since(start).Seconds(), err
	}
	r.Ratio, err = measure.Compare(ctx, env.Plan, whole, posts(alone))
	r.Figures = fmt.Sprintf("%.0f detections/s all the way, %.0f POST/s; %d events on TAK", r.Ratio.A, r.Ratio.B, sink.Events.Load())
	return nil, err
}

// untilSettled waits until the store knows that nothing is owed to TAK.
func untilSettled(ctx context.Context, api *subject.API) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		stats, err := api.Store.Stats(ctx)
		if err != nil {
			return err
		}
		if stats.Outbox == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("the outbox does not become empty")
		case <-time.After(2 * time.Millisecond):
		}
	}
}
