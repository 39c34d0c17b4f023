package row

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/detection-api/detection-api/app/bench/measure"
	"github.com/detection-api/detection-api/app/bench/report"
	"github.com/detection-api/detection-api/app/bench/subject"
)

// slowPerSecond is what the store of the overload commits: little enough that the clients do not run out of processor.
const slowPerSecond = 200

func overloadRows() []Row {
	return []Row{{"T17", "`POST` accepted within 2 s at five times what a slow store commits, against the same at once that", report.Target{AtLeast: 0.9}, overload}}
}

// accepted is a measure.Window: detections a second that were accepted in time. silent counts refusals that do not say
// when to come back.
func accepted(api *subject.API, perSecond float64, silent *int) measure.Window {
	return func(ctx context.Context, length time.Duration) (float64, error) {
		inTime := 0
		seen := measure.Open(ctx, perSecond, length, mostAtOnce, func(ctx context.Context) error {
			err := api.Post(ctx)
			if refused := new(subject.RefusedError); errors.As(err, &refused) && refused.RetryAfter == "" {
				return errSilent
			}
			return err
		})
		for _, took := range seen.Took {
			if took < wantP99 {
				inTime++
			}
		}
		*silent += seen.Errors[errSilent]
		return seen.Answered * float64(inTime) / max(1, float64(len(seen.Took))), nil
	}
}

var errSilent = errors.New("refused without Retry-After")

func overload(ctx context.Context, env *Env, r *report.Result) ([]report.Chart, error) {
	plan := measure.Plan{Pairs: env.size(3, 1), Length: env.length(10 * time.Second)}
	limited, err := subject.NewSlowAPI(ctx, slowPerSecond, 500*time.Millisecond)
	if err != nil {
		return nil, err
	}
	defer limited.Close()
	silent := 0
	before := residentBytes()
	if r.Ratio, err = measure.Compare(ctx, plan, accepted(limited, 5*slowPerSecond, &silent), accepted(limited, slowPerSecond*0.95, &silent)); err != nil {
		return nil, err
	}
	r.Figures = fmt.Sprintf("%.0f/s, %.0f/s; resident memory of service and clients %.2fx", r.Ratio.A, r.Ratio.B, residentBytes()/before)
	r.Also = condition(silent == 0, "%d refusals without Retry-After", silent)
	unlimited, err := subject.NewSlowAPI(ctx, slowPerSecond, 0)
	if err != nil {
		return nil, err
	}
	defer unlimited.Close()
	none := 0
	rate, err := accepted(unlimited, 5*slowPerSecond, &none)(ctx, env.length(6*time.Second))
	r.Control = condition(rate < 0.5*r.Ratio.B, "without the limit: %.0f/s in time", rate)
	return nil, err
}

func residentBytes() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, err := strconv.ParseFloat(strings.Fields(string(text))[1], 64)
	if err != nil {
		return 0
	}
	return pages * float64(os.Getpagesize())
}
