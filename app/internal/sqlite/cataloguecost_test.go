package sqlite

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection/storetest"
)

// committing is a store that 64 callers commit to, one detection at a time.
type committing struct {
	store *Store
	next  atomic.Int64
}

func (c *committing) rate(b *testing.B, during time.Duration) float64 {
	var all sync.WaitGroup
	from, began := c.next.Load(), time.Now()
	for range 64 {
		all.Go(func() {
			for time.Since(began) < during {
				n := int(c.next.Add(1))
				if err := c.store.Commit(context.Background(), storetest.Records(n, n+1, "pod-a")); err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
	return float64(c.next.Load()-from) / time.Since(began).Seconds()
}

// BenchmarkCatalogue commits with 64 callers to a store with the catalogue and to one without, in turns, and reports the
// middle ratio of their rates: what the catalogue leaves of the commits of the schema before.
func BenchmarkCatalogue(b *testing.B) {
	open := func(opts StoreOptions) *committing {
		opts.Dir = b.TempDir()
		s, err := OpenStore(b.Context(), opts)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = s.Close() })
		return &committing{store: s}
	}
	now, before := open(StoreOptions{}), open(StoreOptions{uncatalogued: true})
	var ratios, rates []float64
	for b.Loop() {
		const turn = 250 * time.Millisecond
		var with, without float64
		for range 2 {
			without += before.rate(b, turn)
			with += now.rate(b, 2*turn)
			without += before.rate(b, turn)
		}
		ratios, rates = append(ratios, with*2/without), append(rates, with/2)
	}
	slices.Sort(ratios)
	slices.Sort(rates)
	b.ReportMetric(ratios[len(ratios)/2], "of-the-rate-before")
	b.ReportMetric(rates[len(rates)/2], "rows/s")
}
