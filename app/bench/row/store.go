package row

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/detection-api/detection-api/app/bench/measure"
	"github.com/detection-api/detection-api/app/bench/peer"
	"github.com/detection-api/detection-api/app/bench/report"
	"github.com/detection-api/detection-api/app/bench/subject"
	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/sqlite"
)

const callers = 64

func storeRows() []Row {
	return []Row{
		{"T1", "durable rows a second in the store, 64 callers, against 4 KiB appends with fdatasync", report.Target{AtLeast: 10}, storeAgainstDisk},
		{"T2", "the same with `synchronous=FULL` against `NORMAL`", report.Target{AtLeast: 0.7}, fullAgainstNormal},
		{"T3", "the same against prepared INSERTs of the same rows, all in one transaction", report.Target{AtLeast: 0.4}, storeAgainstInserts},
	}
}

// storeWindow is a store that is measured, with its records.
type storeWindow struct {
	store   *sqlite.Store
	records *subject.Records
	callers int
}

// newStoreWindow opens a store of its own; synchronous is empty for the level the service has.
func newStoreWindow(ctx context.Context, env *Env, synchronous string, callers int) (*storeWindow, error) {
	dir, err := env.dir()
	if err != nil {
		return nil, err
	}
	opts := sqlite.Options{Dir: dir}
	if synchronous != "" {
		opts.Weaken(synchronous)
	}
	store, err := sqlite.OpenStore(ctx, sqlite.StoreOptions{Options: opts})
	return &storeWindow{store: store, records: &subject.Records{}, callers: callers}, err
}

// rate is a measure.Window. What it leaves in the log it carries over itself, within its own time.
func (w *storeWindow) rate(ctx context.Context, length time.Duration) (float64, error) {
	start := time.Now()
	rate, err := measure.Closed(ctx, w.callers, length, w.commit)
	if err != nil {
		return 0, err
	}
	rows := rate * time.Since(start).Seconds()
	if err := w.store.Checkpoint(ctx); err != nil {
		return 0, err
	}
	return rows / time.Since(start).Seconds(), nil
}

func (w *storeWindow) commit(ctx context.Context) error {
	return w.store.Commit(ctx, []detection.Record{w.records.Next()})
}

func storeAgainstDisk(ctx context.Context, env *Env, r *report.Result) ([]report.Chart, error) {
	var open closers
	defer open.closeAll()
	disk, err := peer.NewDisk(env.Dir)
	if err != nil {
		return nil, err
	}
	open.add(disk.Close)
	many, err := newStoreWindow(ctx, env, "", callers)
	if err != nil {
		return nil, err
	}
	open.add(many.store.Close)
	if r.Ratio, err = measure.Compare(ctx, env.Plan, many.rate, disk.Rate); err != nil {
		return nil, err
	}
	r.Figures = fmt.Sprintf("%.0f rows/s, %.0f fdatasync/s", r.Ratio.A, r.Ratio.B)
	one := &storeWindow{store: many.store, records: many.records, callers: 1}
	alone, err := measure.Compare(ctx, measure.Plan{Pairs: 3, Length: env.Plan.Length / 2}, one.rate, disk.Rate)
	if err != nil {
		return nil, err
	}
	r.Control = condition(alone.Median <= 1.2, "one caller, so no group commit: %.2fx (at most 1.2)", alone.Median)
	chart, err := chartCallers(ctx, env, many, disk)
	return []report.Chart{chart}, err
}

// chartCallers plots rows a second against callers, with the disk's rate of the same moments.
func chartCallers(ctx context.Context, env *Env, w *storeWindow, disk *peer.Disk) (report.Chart, error) {
	rows, syncs := report.Line{Name: "durable rows in the store"}, report.Line{Name: "4 KiB appends with fdatasync", Dashed: true}
	length := env.Plan.Length / 2
	for n := 1; n <= 256; n *= 2 {
		w.callers = n
		rate, err := w.rate(ctx, length)
		if err != nil {
			return report.Chart{}, err
		}
		raw, err := disk.Rate(ctx, length/2)
		if err != nil {
			return report.Chart{}, err
		}
		rows.Points, syncs.Points = append(rows.Points, [2]float64{float64(n), rate}), append(syncs.Points, [2]float64{float64(n), raw})
	}
	return report.Chart{
		Name: "rows-by-callers", Title: "Durable rows a second against callers", Lines: []report.Line{rows, syncs},
		X: report.Axis{Label: "callers at a time", Log: true}, Y: report.Axis{Label: "per second", Log: true},
	}, nil
}

func fullAgainstNormal(ctx context.Context, env *Env, r *report.Result) ([]report.Chart, error) {
	var open closers
	defer open.closeAll()
	full, err := newStoreWindow(ctx, env, "", callers)
	if err != nil {
		return nil, err
	}
	open.add(full.store.Close)
	normal, err := newStoreWindow(ctx, env, "NORMAL", callers)
	if err != nil {
		return nil, err
	}
	open.add(normal.store.Close)
	r.Ratio, err = measure.Compare(ctx, env.Plan, full.rate, normal.rate)
	r.Figures = fmt.Sprintf("%.0f rows/s, %.0f rows/s with NORMAL", r.Ratio.A, r.Ratio.B)
	return nil, err
}

func storeAgainstInserts(ctx context.Context, env *Env, r *report.Result) ([]report.Chart, error) {
	var open closers
	defer open.closeAll()
	store, err := newStoreWindow(ctx, env, "", callers)
	if err != nil {
		return nil, err
	}
	open.add(store.store.Close)
	inserts, err := peer.NewInserts(ctx, env.Dir)
	if err != nil {
		return nil, err
	}
	open.add(inserts.Close)
	var records subject.Records
	var failure error
	next := func() peer.Row {
		record := records.Next()
		body, err := json.Marshal(record.Detection)
		failure = err
		return peer.Row{
			ID: record.Detection.ID, At: record.Detection.ReceivedAt.UnixMicro(), Body: body,
			Note: "sha256:0000000000000000000000000000000000000000000000000000000000000000",
		}
	}
	plain := func(ctx context.Context, length time.Duration) (float64, error) {
		return inserts.Rate(ctx, length, next)
	}
	if r.Ratio, err = measure.Compare(ctx, env.Plan, store.rate, plain); err != nil {
		return nil, err
	}
	r.Figures = fmt.Sprintf("%.0f rows/s, %.0f rows/s inserted", r.Ratio.A, r.Ratio.B)
	return nil, failure
}
