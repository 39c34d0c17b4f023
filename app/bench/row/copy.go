package row

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	sqlite3 "github.com/mattn/go-sqlite3"

	"github.com/detection-api/detection-api/app/bench/measure"
	"github.com/detection-api/detection-api/app/bench/report"
	"github.com/detection-api/detection-api/app/bench/subject"
	"github.com/detection-api/detection-api/app/internal/sqlite"
)

func copyRows() []Row {
	return []Row{{"T19", "rows a second in the store while a copy is made, against without, 64 callers", report.Target{AtLeast: 0.9}, ingestDuringCopy}}
}

// fillStore commits n records.
func fillStore(ctx context.Context, store *sqlite.Store, records *subject.Records, n int) error {
	for ; n > 0; n -= 500 {
		if err := store.Commit(ctx, records.Take(min(n, 500))); err != nil {
			return err
		}
	}
	return nil
}

// turn is what callers saw in a window.
type turn struct {
	rate float64
	p99  time.Duration
	took time.Duration
}

// commitMeanwhile keeps callers committing for as long as meanwhile runs.
func commitMeanwhile(ctx context.Context, w *storeWindow, meanwhile func(context.Context) error) (turn, error) {
	busy, stop := context.WithCancel(ctx)
	defer stop()
	failure := make(chan error, 1)
	go func() {
		defer stop()
		failure <- meanwhile(ctx)
	}()
	start, lists := time.Now(), make(chan []time.Duration, w.callers)
	for range w.callers {
		go func() {
			var took []time.Duration
			for busy.Err() == nil {
				began := time.Now()
				if err := w.commit(ctx); err != nil {
					break
				}
				took = append(took, time.Since(began))
			}
			lists <- took
		}()
	}
	var all []time.Duration
	for range w.callers {
		all = append(all, <-lists...)
	}
	took := time.Since(start)
	return turn{float64(len(all)) / took.Seconds(), measure.Quantile(all, 0.99), took}, <-failure
}

func ingestDuringCopy(ctx context.Context, env *Env, r *report.Result) ([]report.Chart, error) {
	w, err := newStoreWindow(ctx, env, "", callers)
	if err != nil {
		return nil, err
	}
	defer w.store.Close()
	if err := fillStore(ctx, w.store, w.records, env.size(100_000, 10_000)); err != nil {
		return nil, err
	}
	var with, without, slowWith, slowWithout []float64
	copyNow := func(ctx context.Context) error {
		c, err := w.store.Copy(ctx)
		if err != nil {
			return err
		}
		return c.Close()
	}
	last := time.Second
	pause := func(context.Context) error {
		<-time.After(last)
		return nil
	}
	for range env.Plan.Pairs {
		a, err := commitMeanwhile(ctx, w, copyNow)
		if err != nil {
			return nil, err
		}
		last = a.took
		b, err := commitMeanwhile(ctx, w, pause)
		if err != nil {
			return nil, err
		}
		with, without = append(with, a.rate), append(without, b.rate)
		slowWith, slowWithout = append(slowWith, a.p99.Seconds()), append(slowWithout, b.p99.Seconds())
	}
	r.Ratio = measure.RatioOf(with, without)
	slow := measure.RatioOf(slowWith, slowWithout)
	r.Figures = fmt.Sprintf("%.0f rows/s, %.0f rows/s; the last copy took %.2g s", r.Ratio.A, r.Ratio.B, last.Seconds())
	r.Also = condition(slow.Median <= 3, "p99 %.2fx (%.2f to %.2f), at most 3x wanted", slow.Median, slow.Low, slow.High)
	if r.Control, err = restarts(ctx, env, w); err != nil {
		return nil, err
	}
	chart, err := chartCopy(ctx, env, w, copyNow)
	return []report.Chart{chart}, err
}

// restarts copies in small steps on another connection while callers commit, as the online backup is often used: each
// commit sends it back to the beginning.
func restarts(ctx context.Context, env *Env, w *storeWindow) (*report.Condition, error) {
	path, err := env.dir()
	if err != nil {
		return nil, err
	}
	back, done := 0, false
	_, err = commitMeanwhile(ctx, w, func(ctx context.Context) error {
		back, done, err = stepwise(ctx, w.store.Path(), filepath.Join(path, "copy.db"), env.length(10*time.Second))
		return err
	})
	return condition(back > 0, "incremental backup on a connection of its own: %d times back to the beginning in %v, complete: %v",
		back, env.length(10*time.Second), done), err
}

// stepwise copies 100 pages at a time for at most that long, and counts how often it had to start again.
func stepwise(ctx context.Context, from, to string, most time.Duration) (back int, done bool, err error) {
	err = connected(ctx, from, func(source *sqlite3.SQLiteConn) error {
		return connected(ctx, to, func(target *sqlite3.SQLiteConn) error {
			b, err := target.Backup("main", source, "main")
			if err != nil {
				return err
			}
			defer b.Close()
			left := 1 << 30
			for start := time.Now(); !done && time.Since(start) < most; {
				if done, err = b.Step(100); err != nil {
					return err
				}
				if b.Remaining() > left {
					back++
				}
				left = b.Remaining()
				<-time.After(time.Millisecond)
			}
			return nil
		})
	})
	return back, done, err
}

func connected(ctx context.Context, path string, use func(*sqlite3.SQLiteConn) error) error {
	db, err := sql.Open("sqlite3", "file:"+path+"?_timeout=5000")
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(c any) error { return use(c.(*sqlite3.SQLiteConn)) })
}

// chartCopy plots rows a second over time with one copy in the middle.
func chartCopy(ctx context.Context, env *Env, w *storeWindow, copyNow func(context.Context) error) (report.Chart, error) {
	quiet := env.length(5 * time.Second)
	var began, ended time.Duration
	var rows atomic.Int64
	ticking, stopTicks := context.WithCancel(ctx)
	line := report.Line{Name: "rows a second"}
	start, counted := time.Now(), make(chan struct{})
	go func() {
		defer close(counted)
		const step = 250 * time.Millisecond
		for last := int64(0); ticking.Err() == nil; {
			<-time.After(step)
			now := rows.Load()
			line.Points = append(line.Points, [2]float64{time.Since(start).Seconds(), float64(now-last) / step.Seconds()})
			last = now
		}
	}()
	counting := *w
	busy, stop := context.WithCancel(ctx)
	defer stop()
	failure := make(chan error, 1)
	go func() {
		defer stop()
		<-time.After(quiet)
		began = time.Since(start)
		err := copyNow(ctx)
		ended = time.Since(start)
		<-time.After(quiet)
		failure <- err
	}()
	_, err := measure.Closed(ctx, counting.callers, time.Hour, func(ctx context.Context) error {
		if busy.Err() != nil {
			return io.EOF // the end
		}
		rows.Add(1)
		return counting.commit(ctx)
	})
	stopTicks()
	<-counted
	if errors.Is(err, io.EOF) {
		err = nil
	}
	most := 0.0
	for _, p := range line.Points {
		most = max(most, p[1])
	}
	span := report.Line{Name: "from the begin of the copy to its end", Points: [][2]float64{{began.Seconds(), most * 1.05}, {ended.Seconds(), most * 1.05}}}
	return report.Chart{
		Name: "ingest-while-copying", Title: "Rows a second in the store while a copy is made", Lines: []report.Line{line, span},
		X: report.Axis{Label: "seconds"}, Y: report.Axis{Label: "rows a second"},
	}, errors.Join(err, <-failure)
}

// copyFile is cp with a sync at the end.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}
