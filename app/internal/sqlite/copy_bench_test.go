package sqlite

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// BenchmarkCopy measures what a copy costs those who commit: 64 callers in pairs of windows, one as long as a copy takes and
// one as long without, in turns. "x-rate" is the median of the pairs' ratios of committed rows, "x-p99" that of the slowest
// hundredth of the commits.
func BenchmarkCopy(b *testing.B) {
	const rows = 30_000
	s, err := OpenStore(b.Context(), StoreOptions{Options: Options{Dir: b.TempDir()}})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	var next atomic.Int64
	for next.Load() < rows {
		records := make([]detection.Record, 500)
		for i := range records {
			records[i] = record(int(next.Add(1)))
		}
		if err := s.Commit(b.Context(), records); err != nil {
			b.Fatal(err)
		}
	}
	var rates, slowest, took []float64
	for b.Loop() {
		with := commits(b, s, &next, func() {
			c, err := s.Copy(b.Context())
			if err != nil {
				b.Error(err)
				return
			}
			took = append(took, c.Took.Seconds())
			c.Close()
		})
		without := commits(b, s, &next, func() { <-time.After(time.Duration(took[len(took)-1] * float64(time.Second))) })
		rates = append(rates, with.rate/without.rate)
		slowest = append(slowest, with.p99.Seconds()/without.p99.Seconds())
	}
	b.ReportMetric(median(rates), "x-rate")
	b.ReportMetric(slices.Min(rates), "x-rate-worst")
	b.ReportMetric(median(slowest), "x-p99")
	b.ReportMetric(median(took), "s/copy")
	b.ReportMetric(float64(sizeOf(s.file.path))/(1<<20)/median(took), "MiB/s")
	b.ReportMetric(0, "ns/op")
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

type window struct {
	rate float64
	p99  time.Duration
}

// commits runs callers for as long as meanwhile takes.
func commits(b *testing.B, s *Store, next *atomic.Int64, meanwhile func()) window {
	b.Helper()
	stop := make(chan struct{})
	var all sync.WaitGroup
	var mu sync.Mutex
	var times []time.Duration
	began := time.Now()
	for range 64 {
		all.Go(func() {
			var own []time.Duration
			for {
				select {
				case <-stop:
					mu.Lock()
					defer mu.Unlock()
					times = append(times, own...)
					return
				default:
				}
				start := time.Now()
				if err := s.Commit(context.Background(), []detection.Record{record(int(next.Add(1)))}); err != nil {
					b.Error(err)
				}
				own = append(own, time.Since(start))
			}
		})
	}
	meanwhile()
	close(stop)
	all.Wait()
	slices.Sort(times)
	return window{rate: float64(len(times)) / time.Since(began).Seconds(), p99: times[len(times)*99/100]}
}
