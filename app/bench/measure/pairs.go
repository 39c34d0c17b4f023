package measure

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Window measures one thing for about so long and returns the figure: a rate, a time, whatever can be divided.
type Window func(ctx context.Context, length time.Duration) (float64, error)

// Plan says how long a comparison takes: Pairs times twice Length.
type Plan struct {
	Pairs  int
	Length time.Duration
}

// Ratio is the median of the ratios of neighbouring windows, with the 95 % interval of a bootstrap.
type Ratio struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Pairs  int     `json:"pairs"`
	A      float64 `json:"a"` // median of the windows
	B      float64 `json:"b"`
}

// Compare runs the windows in the order A B B A A B B A and returns the ratio of A to B. One short turn of each comes
// first and does not count.
func Compare(ctx context.Context, plan Plan, a, b Window) (Ratio, error) {
	for _, w := range []Window{a, b} {
		if _, err := w(ctx, plan.Length/4); err != nil {
			return Ratio{}, err
		}
	}
	var as, bs []float64
	for i := range plan.Pairs {
		first, second := a, b
		if i%2 == 1 {
			first, second = b, a
		}
		x, err := first(ctx, plan.Length)
		if err != nil {
			return Ratio{}, err
		}
		y, err := second(ctx, plan.Length)
		if err != nil {
			return Ratio{}, err
		}
		if i%2 == 1 {
			x, y = y, x
		}
		as, bs = append(as, x), append(bs, y)
	}
	return RatioOf(as, bs), nil
}

// RatioOf compares figures that were taken in pairs.
func RatioOf(as, bs []float64) Ratio {
	ratios := make([]float64, len(as))
	for i := range as {
		ratios[i] = as[i] / bs[i]
	}
	low, high := bootstrap(ratios)
	return Ratio{Median: Median(ratios), Low: low, High: high, Pairs: len(ratios), A: Median(as), B: Median(bs)}
}

// bootstrap returns the 2.5th and the 97.5th hundredth of the medians of samples drawn with replacement.
func bootstrap(values []float64) (low, high float64) {
	const rounds = 10_000
	random := rand.New(rand.NewPCG(1, 1)) // the same figures give the same interval
	medians, sample := make([]float64, rounds), make([]float64, len(values))
	for i := range medians {
		for j := range sample {
			sample[j] = values[random.IntN(len(values))]
		}
		medians[i] = Median(sample)
	}
	return Quantile(medians, 0.025), Quantile(medians, 0.975)
}

// Median of values; NaN when there are none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// Quantile is the smallest value that at least the share q of the values do not exceed; 0 when there are none.
func Quantile[T cmp.Ordered](values []T, q float64) T {
	if len(values) == 0 {
		var zero T
		return zero
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, max(0, int(math.Ceil(q*float64(len(sorted))))-1))]
}
