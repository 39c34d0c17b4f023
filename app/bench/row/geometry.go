package row

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/bench/measure"
	"github.com/detection-api/detection-api/app/bench/report"
	"github.com/detection-api/detection-api/app/internal/geo"
)

func geometryRows() []Row {
	return []Row{{"T29", "p99 of the geolocation of one pixel with its error, against the 5 ms that were claimed", report.Target{AtMost: 0.05}, geolocation}}
}

// claimedGeolocation is what the original of this service promises for one pixel.
const claimedGeolocation = 5 * time.Millisecond

func geolocation(_ context.Context, env *Env, r *report.Result) ([]report.Chart, error) {
	camera := geo.CameraForImage(1920, 1080, 1000)
	camera.Position, camera.PitchDeg = geo.LatLonHAE{LatDeg: 48, LonDeg: 11, HAEMetres: 120}, -45
	sigmas := geo.DefaultSigmas()
	locate := func() error {
		_, err := geo.Locate(camera, 960, 540, 20, sigmas)
		return err
	}
	var tooks []float64
	for range env.Plan.Pairs {
		took, err := slowest(locate)(nil, 100*time.Millisecond)
		if err != nil {
			return nil, err
		}
		tooks = append(tooks, took)
	}
	claims := make([]float64, len(tooks))
	for i := range claims {
		claims[i] = claimedGeolocation.Seconds()
	}
	r.Ratio = measure.RatioOf(tooks, claims)
	allocations := testing.AllocsPerRun(100, func() { _ = locate() })
	mean := 1e6 / measure.Median(rates(locate))
	r.Figures = fmt.Sprintf("p99 %.2g µs, mean %.2g µs, %.0f allocations", 1e6*r.Ratio.A, mean, allocations)
	r.Also = condition(mean < 10 && allocations == 0, "less than 10 µs and no allocation wanted")
	return nil, nil
}

// rates are calls a second in some short windows.
func rates(call func() error) (rates []float64) {
	for range 5 {
		start, n := time.Now(), 0
		for ; n < 10_000; n++ {
			_ = call() // it has been seen to work
		}
		rates = append(rates, float64(n)/time.Since(start).Seconds())
	}
	return rates
}
