package row

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	_ "github.com/mattn/go-sqlite3" // the driver "sqlite3"

	"github.com/detection-api/detection-api/app/bench/measure"
	"github.com/detection-api/detection-api/app/bench/peer"
	"github.com/detection-api/detection-api/app/bench/report"
	"github.com/detection-api/detection-api/app/bench/subject"
	"github.com/detection-api/detection-api/app/internal/cot"
	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/sqlite"
)

const windowItems = 64 // what the relay takes at a time

func queueRows() []Row {
	return []Row{
		{"T11", "queue: put, claim and take off, 64 callers and a relay, against `goqite` with the same DSN", report.Target{AtLeast: 2}, queueMany},
		{"T11 single", "the same with one caller and one item at a time", report.Target{AtLeast: 1}, queueOne},
		{"T12", "time to drain 100,000 queued items against 10,000", report.Target{AtMost: 12}, drainTimes},
		{"T13", "p99 of reading the queue's depth, 100,000 items against 1,000", report.Target{AtMost: 2}, depthTimes},
		{"T14", "bytes on disk of 100,000 queued items against their CoT events", report.Target{AtMost: 2}, queueBytes},
	}
}

func newQueue(ctx context.Context, env *Env) (*sqlite.Queue, string, error) {
	dir, err := env.dir()
	if err != nil {
		return nil, "", err
	}
	q, err := sqlite.OpenQueue(ctx, sqlite.QueueOptions{Options: sqlite.Options{Dir: dir}})
	return q, dir, err
}

// fill queues n items that only the queue has.
func fill(ctx context.Context, q *sqlite.Queue, records *subject.Records, n int) error {
	for ; n > 0; n -= 500 {
		if err := q.Put(ctx, records.Queued(min(n, 500), false)); err != nil {
			return err
		}
	}
	return nil
}

// finish does with up to limit items what the relay does, and returns how many there were.
func finish(ctx context.Context, q *sqlite.Queue, limit int) (int, error) {
	records, _, err := q.Undelivered(ctx, 0, limit)
	if err != nil || len(records) == 0 {
		return 0, err
	}
	ids, done := make([]string, len(records)), make([]detection.Delivery, len(records))
	for i, record := range records {
		ids[i] = record.Detection.ID
		done[i] = detection.Delivery{ID: ids[i], Outcome: detection.Delivered, At: time.Now()}
	}
	if err := q.MarkDelivered(ctx, done); err != nil {
		return 0, err
	}
	if err := q.MarkStored(ctx, ids); err != nil {
		return 0, err
	}
	return len(ids), q.MarkAcknowledged(ctx, ids)
}

// queueSubjects are our queue and the other one, each with a way to put an item and a way to finish some.
type queueSubjects struct {
	put, otherPut       func(context.Context) error
	finish, otherFinish func(context.Context) (int, error)
	closers
}

func newQueueSubjects(ctx context.Context, env *Env) (*queueSubjects, error) {
	s := &queueSubjects{}
	ours, _, err := newQueue(ctx, env)
	if err != nil {
		return nil, err
	}
	s.add(ours.Close)
	other, err := peer.NewGoqite(ctx, env.Dir)
	if err != nil {
		s.closeAll()
		return nil, err
	}
	s.add(other.Close)
	var records subject.Records
	s.put = func(ctx context.Context) error { return ours.Put(ctx, records.Queued(1, false)) }
	s.otherPut = func(ctx context.Context) error {
		record := records.Next()
		body, err := json.Marshal(record)
		if err != nil {
			return err
		}
		return other.Send(ctx, body)
	}
	s.finish = func(ctx context.Context) (int, error) { return finish(ctx, ours, windowItems) }
	s.otherFinish = func(ctx context.Context) (int, error) {
		found, err := other.Finish(ctx)
		if !found {
			return 0, err
		}
		return 1, err
	}
	return s, nil
}

// through is a measure.Window: items that were put and taken off, by so many callers and one that takes off.
func through(callers int, put func(context.Context) error, finish func(context.Context) (int, error)) measure.Window {
	return func(ctx context.Context, length time.Duration) (float64, error) {
		start := time.Now()
		putting := make(chan error, 1)
		go func() {
			_, err := measure.Closed(ctx, callers, length, put)
			putting <- err
		}()
		total := 0
		for ended := false; ; {
			n, err := finish(ctx)
			if err != nil {
				return 0, err
			}
			if total += n; n > 0 {
				continue
			}
			if ended {
				return float64(total) / time.Since(start).Seconds(), nil
			}
			select {
			case err := <-putting:
				if ended = true; err != nil {
					return 0, err
				}
			case <-time.After(100 * time.Microsecond):
			}
		}
	}
}

func queueMany(ctx context.Context, env *Env, r *report.Result) ([]report.Chart, error) {
	s, err := newQueueSubjects(ctx, env)
	if err != nil {
		return nil, err
	}
	defer s.closeAll()
	r.Ratio, err = measure.Compare(ctx, env.Plan, through(callers, s.put, s.finish), through(callers, s.otherPut, s.otherFinish))
	r.Figures = fmt.Sprintf("%.0f items/s, %.0f items/s", r.Ratio.A, r.Ratio.B)
	return nil, err
}

// queueOne is one caller that does one after the other.
func queueOne(ctx context.Context, env *Env, r *report.Result) ([]report.Chart, error) {
	s, err := newQueueSubjects(ctx, env)
	if err != nil {
		return nil, err
	}
	defer s.closeAll()
	one := func(put func(context.Context) error, finish func(context.Context) (int, error)) measure.Window {
		return func(ctx context.Context, length time.Duration) (float64, error) {
			return measure.Closed(ctx, 1, length, func(ctx context.Context) error {
				if err := put(ctx); err != nil {
					return err
				}
				_, err := finish(ctx)
				return err
			})
		}
	}
	r.Ratio, err = measure.Compare(ctx, env.Plan, one(s.put, s.finish), one(s.otherPut, s.otherFinish))
	r.Figures = fmt.Sprintf("%.0f items/s, %.0f items/s", r.Ratio.A, r.Ratio.B)
	return nil, err
}

// drainTime fills a queue and returns the seconds that emptying it takes.
func drainTime(ctx context.Context, env *Env, n int) (float64, error) {
	q, _, err := newQueue(ctx, env)
	if err != nil {
		return 0, err
	}
	defer q.Close()
	var records subject.Records
	if err := fill(ctx, q, &records, n); err != nil {
		return 0, err
	}
	start := time.Now()
	for left := n; left > 0; {
		done, err := finish(ctx, q, windowItems)
		if err != nil || done == 0 {
			return 0, fmt.Errorf("%d items are left of %d: %w", left, n, err)
		}
		left -= done
	}
	return time.Since(start).Seconds(), nil
}

func drainTimes(ctx context.Context, env *Env, r *report.Result) ([]report.Chart, error) {
	small, large := env.size(10_000, 1000), env.size(100_000, 10_000)
	rounds := env.size(3, 1)
	line := report.Line{Name: "measured"}
	for _, n := range []int{small / 10, small / 3, small, large / 3} {
		seconds, err := drainTime(ctx, env, n)
		if err != nil {
			return nil, err
		}
		line.Points = append(line.Points, [2]float64{float64(n), seconds})
	}
	var as, bs []float64
	for range rounds {
		a, err := drainTime(ctx, env, large)
		if err != nil {
			return nil, err
		}
		b, err := drainTime(ctx, env, small)
		if err != nil {
			return nil, err
		}
		as, bs = append(as, a), append(bs, b)
	}
	r.Ratio = measure.RatioOf(as, bs)
	r.Figures = fmt.Sprintf("%.3g s, %.3g s; %.0f µs an item", r.Ratio.A, r.Ratio.B, 1e6*r.Ratio.A/float64(large))
	line.Points = append(line.Points, [2]float64{float64(large), r.Ratio.A})
	linear := report.Line{Name: "if each item took what it takes among 10,000", Dashed: true}
	for _, p := range line.Points {
		linear.Points = append(linear.Points, [2]float64{p[0], r.Ratio.B / float64(small) * p[0]})
	}
	return []report.Chart{{
		Name: "drain", Title: "Time to drain the queue", Lines: []report.Line{line, linear},
		X: report.Axis{Label: "items in the queue", Log: true}, Y: report.Axis{Label: "seconds", Log: true},
	}}, nil
}

func depthTimes(ctx context.Context, env *Env, r *report.Result) ([]report.Chart, error) {
	var open closers
	defer open.closeAll()
	large := env.size(100_000, 20_000)
	var reads, counts [2]measure.Window
	for i, n := range []int{large, 1000} {
		q, dir, err := newQueue(ctx, env)
		if err != nil {
			return nil, err
		}
		open.add(q.Close)
		var records subject.Records
		if err := fill(ctx, q, &records, n); err != nil {
			return nil, err
		}
		db, err := sql.Open("sqlite3", "file:"+filepath.Join(dir, "queue.db")+"?mode=ro")
		if err != nil {
			return nil, err
		}
		open.add(db.Close)
		reads[i] = slowest(func() error {
			q.Depth()
			return nil
		})
		counts[i] = slowest(func() error {
			var n int
			return db.QueryRowContext(ctx, "SELECT count(*) FROM items WHERE state = 0").Scan(&n)
		})
	}
	var err error
	if r.Ratio, err = measure.Compare(ctx, measure.Plan{Pairs: env.Plan.Pairs, Length: 300 * time.Millisecond}, reads[0], reads[1]); err != nil {
		return nil, err
	}
	r.Figures = fmt.Sprintf("%.3g µs, %.3g µs", 1e6*r.Ratio.A, 1e6*r.Ratio.B)
	count, err := measure.Compare(ctx, measure.Plan{Pairs: 3, Length: 300 * time.Millisecond}, counts[0], counts[1])
	r.Control = condition(count.Median > 2, "count(*): %.0fx (more than 2)", count.Median)
	return nil, err
}

// slowest is a measure.Window: the 99th hundredth of the seconds that a call takes.
func slowest(call func() error) measure.Window {
	return func(_ context.Context, length time.Duration) (float64, error) {
		var took []time.Duration
		for start := time.Now(); time.Since(start) < length; {
			began := time.Now()
			if err := call(); err != nil {
				return 0, err
			}
			took = append(took, time.Since(began))
		}
		return measure.Quantile(took, 0.99).Seconds(), nil
	}
}

func queueBytes(ctx context.Context, env *Env, r *report.Result) ([]report.Chart, error) {
	n := env.size(100_000, 10_000)
	q, dir, err := newQueue(ctx, env)
	if err != nil {
		return nil, err
	}
	var records, same subject.Records
	if err := fill(ctx, q, &records, n); err != nil {
		return nil, err
	}
	if err := q.Close(); err != nil { // carries the log over, so that the file has all
		return nil, err
	}
	info, err := os.Stat(filepath.Join(dir, "queue.db"))
	if err != nil {
		return nil, err
	}
	events := 0
	for range n {
		event, err := cot.Encoder{}.Encode(same.Next().Detection, time.Now())
		if err != nil {
			return nil, err
		}
		events += len(event)
	}
	r.Ratio = measure.RatioOf([]float64{float64(info.Size())}, []float64{float64(events)})
	mebibytes := float64(info.Size()) / (1 << 20)
	r.Figures = fmt.Sprintf("%.0f MiB, %.0f MiB; %d bytes an item", mebibytes, float64(events)/(1<<20), info.Size()/int64(n))
	r.Also = condition(info.Size() <= int64(n)*2500, "at most 250 MB for 100,000")
	return nil, nil
}
