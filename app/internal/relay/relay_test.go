package relay_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/relay"
)

// pod is a relay between fakes, to be used in a synctest bubble: its hours pass in no time.
type pod struct {
	*relay.Relay
	queue    *memoryQueue
	store    *memoryStore
	tak      *takServer
	registry *prometheus.Registry
}

func newPod(t *testing.T, name string, store *memoryStore, tak *takServer, change ...func(*relay.Options)) *pod {
	t.Helper()
	p := &pod{queue: &memoryQueue{}, store: store, tak: tak, registry: prometheus.NewRegistry()}
	dial := func(context.Context) (relay.Link, error) {
		if err := tak.Send(context.Background(), nil); err != nil {
			return nil, err
		}
		return tak, nil
	}
	if tak == nil {
		dial = nil
	}
	opts := relay.Options{
		Queue: p.queue, Store: store, Owner: name, Dial: dial,
		Encode: func(d detection.Detection, _ time.Time) ([]byte, error) {
			if d.ObjectClass == "poison" {
				return nil, errors.New("cannot be encoded")
			}
			return []byte(d.ID), nil
		},
		Lease: 30 * time.Second, StoreTimeout: time.Second,
		Logger: slog.New(slog.DiscardHandler), Registerer: p.registry, Now: time.Now,
	}
	for _, f := range change {
		f(&opts)
	}
	p.Relay = relay.New(opts)
	return p
}

// accept hands n detections in and fails unless each is answered with want.
func (p *pod) accept(t *testing.T, from, n int, want detection.Durability) {
	t.Helper()
	for i := from; i < from+n; i++ {
		got, err := p.one(t.Context(), detection.Detection{ID: fmt.Sprintf("id-%06d", i)})
		if err != nil || got != want {
			t.Fatalf("accept %d: got %q, %v; want %q", i, got, err, want)
		}
	}
}

// one hands one detection in.
func (p *pod) one(ctx context.Context, d detection.Detection) (detection.Durability, error) {
	committed, err := p.Accept(ctx, []detection.Detection{d})
	if err != nil {
		return "", err
	}
	return committed[0].Durability, nil
}

// settled lets an hour pass and then says what is left.
func (p *pod) settled() (queued int, outbox int) {
	time.Sleep(time.Hour) // in the bubble: every timer that is due in an hour has fired
	synctest.Wait()
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	return len(p.queue.rows), len(p.store.outbox)
}

func stop(t *testing.T, p *pod) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestEverythingArrives(t *testing.T) {
	tests := []struct {
		name    string
		disturb func(store *memoryStore, tak *takServer)
		mend    func(store *memoryStore, tak *takServer)
		outage  time.Duration
		durable detection.Durability // answer to what is accepted during the outage
		second  detection.Durability // answer to the very first one in it
	}{
		{"nothing broken", func(*memoryStore, *takServer) {}, func(*memoryStore, *takServer) {}, 0, detection.InStore, detection.InStore},
		{
			"TAK down for a week",
			func(_ *memoryStore, tak *takServer) { tak.set(func() { tak.down = true }) },
			func(_ *memoryStore, tak *takServer) { tak.set(func() { tak.down = false }) },
			7 * 24 * time.Hour, detection.InStore, detection.InStore,
		},
		{
			"TAK dies in the middle of a window",
			func(_ *memoryStore, tak *takServer) { tak.set(func() { tak.dieAfter = 10 }) },
			func(_ *memoryStore, tak *takServer) { tak.set(func() { tak.down = false }) },
			time.Minute, detection.InStore, detection.InStore,
		},
		{
			"store down for an hour",
			func(store *memoryStore, _ *takServer) { store.set(func() { store.down = true }) },
			func(store *memoryStore, _ *takServer) { store.set(func() { store.down = false }) },
			time.Hour, detection.InPod, detection.InPod,
		},
		{
			"both down",
			func(store *memoryStore, tak *takServer) {
				store.set(func() { store.down = true })
				tak.set(func() { tak.down = true })
			},
			func(store *memoryStore, tak *takServer) {
				tak.set(func() { tak.down = false })
				store.set(func() { store.down = false })
			},
			time.Hour, detection.InPod, detection.InPod,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, tak := newMemoryStore(), &takServer{}
				p := newPod(t, "pod-a", store, tak)
				p.accept(t, 0, 100, detection.InStore)
				synctest.Wait()
				tt.disturb(store, tak)
				p.accept(t, 100, 500, tt.durable)
				time.Sleep(tt.outage)
				tt.mend(store, tak)
				queued, outbox := p.settled()
				if got := tak.unique(); got != 600 || queued != 0 || outbox != 0 || len(store.records) != 600 {
					t.Errorf("TAK has %d, the store %d of 600; %d still queued, %d still owed", got, len(store.records), queued, outbox)
				}
				stop(t, p)
			})
		})
	}
}

// TestVanishedPodIsAdopted holds that another pod delivers what a pod that is gone had only in the store.
func TestVanishedPodIsAdopted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, tak := newMemoryStore(), &takServer{}
		for i := range 300 {
			record := detection.Record{Detection: detection.Detection{ID: fmt.Sprintf("gone-%03d", i)}, Deliver: true, Owner: "gone"}
			if err := store.Commit(t.Context(), []detection.Record{record}); err != nil {
				t.Fatal(err)
			}
		}
		store.set(func() { store.alive["gone"] = true })
		p := newPod(t, "pod-b", store, tak)
		time.Sleep(time.Minute)
		if got := tak.unique(); got != 0 {
			t.Errorf("%d events of a live pod were delivered by another", got)
		}
		store.set(func() { delete(store.alive, "gone") }) // the lease has ended
		if queued, outbox := p.settled(); tak.unique() != 300 || queued != 0 || outbox != 0 {
			t.Errorf("TAK has %d of 300, %d queued, %d owed", tak.unique(), queued, outbox)
		}
		stop(t, p)
	})
}

// TestStopHandsOver holds that a pod that stops while TAK is down leaves everything to the others at once.
func TestStopHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, tak := newMemoryStore(), &takServer{down: true}
		store.down = true
		p := newPod(t, "pod-a", store, tak)
		p.accept(t, 0, 500, detection.InPod)
		store.set(func() { store.down = false })
		stop(t, p)
		if len(store.records) != 500 || store.alive["pod-a"] {
			t.Errorf("the store has %d of 500, lease held: %v", len(store.records), store.alive["pod-a"])
		}
		tak.set(func() { tak.down = false })
		heir := newPod(t, "pod-b", store, tak)
		heir.settled()
		if tak.unique() != 500 {
			t.Errorf("TAK has %d of 500", tak.unique())
		}
		stop(t, heir)
	})
}

func TestRefusals(t *testing.T) {
	tests := []struct {
		name                       string
		storeDown, storeFull, full bool
		want                       error
	}{
		{"the store's disk is full", false, true, false, detection.ErrFull},
		{"store away and queue full", true, false, true, detection.ErrFull},
		{"queue full, store there", false, false, true, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, tak := newMemoryStore(), &takServer{down: true}
				store.down, store.full = tt.storeDown, tt.storeFull
				p := newPod(t, "pod-a", store, tak)
				p.queue.set(func() { p.queue.full = tt.full })
				if _, err := p.one(t.Context(), detection.Detection{ID: "one"}); !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
				store.set(func() { store.down = false })
				stop(t, p)
			})
		})
	}
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, tak := newMemoryStore(), &takServer{down: true}
		p := newPod(t, "pod-a", store, tak)
		p.accept(t, 0, 1000, detection.InStore)
		time.Sleep(10 * time.Minute)
		value := func(name string) float64 { return metric(t, p.registry, name) }
		if got := value("offline_queue_depth"); got != 1000 {
			t.Errorf("offline_queue_depth is %v, want 1000", got)
		}
		// The alert TAKPushFailure needs more than 10 a minute during an outage with a backlog.
		if got := value("tak_push_failure_total"); got < 100 {
			t.Errorf("tak_push_failure_total is %v after ten minutes, want at least 100", got)
		}
		tak.set(func() { tak.down = false })
		p.settled()
		for name, want := range map[string]float64{"offline_queue_depth": 0, "tak_push_success_total": 1000, "offline_queue_sync_total": 1000} {
			if got := value(name); got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
		if problems, err := testutil.GatherAndLint(p.registry); err != nil || len(problems) > 0 {
			t.Errorf("lint of the metrics: %v %v", problems, err)
		}
		stop(t, p)
	})
}

func metric(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			m := family.GetMetric()[0]
			return m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}
