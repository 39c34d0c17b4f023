package row

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/detection-api/detection-api/app/bench/measure"
	"github.com/detection-api/detection-api/app/bench/report"
	"github.com/detection-api/detection-api/app/internal/backup"
	"github.com/detection-api/detection-api/app/internal/sqlite"
)

func startRows() []Row {
	return []Row{
		{"T20", "backup and restore with all checks, against cp and sync of the same file twice", report.Target{AtMost: 5}, drill},
		{"T21", "start to ready after `kill -9`, against the start of an empty store", report.Target{AtMost: 3}, starts},
	}
}

// drill backs up a store under load and restores the copy.
func drill(ctx context.Context, env *Env, r *report.Result) ([]report.Chart, error) {
	w, err := env.largeStore(ctx)
	if err != nil {
		return nil, err
	}
	stats, err := w.store.Stats(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := env.dir()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	target, err := backUpAndRestore(ctx, w.store.Path(), dir)
	if err != nil {
		return nil, err
	}
	took := time.Since(began)
	restored, err := sqlite.Inspect(ctx, target) // the restore has done it, too
	if err != nil {
		return nil, err
	}
	began = time.Now()
	for _, name := range []string{"cp1", "cp2"} {
		if err := copyFile(w.store.Path(), filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	plain := time.Since(began)
	r.Ratio = measure.RatioOf([]float64{took.Seconds()}, []float64{plain.Seconds()})
	r.Figures = fmt.Sprintf("%d rows: %.3g s, %.3g s", stats.Detections, took.Seconds(), plain.Seconds())
	r.Also = condition(restored.Detections == stats.Detections, "%d of %d rows and the audit chain in what was restored",
		restored.Detections, stats.Detections)
	r.Control, err = copyOfALiveFile(ctx, env, w)
	return nil, err
}

// backUpAndRestore returns the restored database.
func backUpAndRestore(ctx context.Context, path, dir string) (string, error) {
	quiet := func(string, ...any) {}
	kept := backup.Directory{Path: filepath.Join(dir, "backups")}
	job := backup.Job{Source: backup.Local{DataDir: filepath.Dir(path), Version: "bench", Now: time.Now}, Directory: kept, Now: time.Now, Progress: quiet}
	if _, err := job.Run(ctx); err != nil {
		return "", fmt.Errorf("back up: %w", err)
	}
	target := filepath.Join(dir, "restored")
	if err := os.MkdirAll(target, 0o750); err != nil {
		return "", err
	}
	restore := backup.Restore{Directory: kept, DataDir: target, Yes: true, Now: time.Now, Tell: quiet}
	if err := restore.Run(ctx); err != nil {
		return "", fmt.Errorf("restore: %w", err)
	}
	return filepath.Join(target, "app.db"), nil
}

// copyOfALiveFile copies the file as it is while callers commit and checkpoints run, and counts the copies that are not
// sound or lack rows that were acknowledged before.
func copyOfALiveFile(ctx context.Context, env *Env, w *storeWindow) (*report.Condition, error) {
	dir, err := env.dir()
	if err != nil {
		return nil, err
	}
	const rounds = 3
	bad := 0
	for i := range rounds {
		path := filepath.Join(dir, fmt.Sprint(i))
		var before int64
		_, err := commitMeanwhile(ctx, w, func(ctx context.Context) error {
			<-time.After(200 * time.Millisecond)
			stats, err := w.store.Stats(ctx)
			before = stats.Detections
			return errors.Join(err, copyFile(w.store.Path(), path))
		})
		if err != nil {
			return nil, err
		}
		census, err := sqlite.Inspect(ctx, path)
		if err != nil || census.Detections < before {
			bad++
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	return condition(bad > 0, "cp of the live file: %d of %d are damaged or lack acknowledged rows", bad, rounds), nil
}

// starts opens what a kill leaves: the files as they are while the store is open, log included.
func starts(ctx context.Context, env *Env, r *report.Result) ([]report.Chart, error) {
	w, err := env.largeStore(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := measure.Closed(ctx, callers, env.length(time.Second), w.commit); err != nil {
		return nil, err
	}
	var full, empty []float64
	var logBytes int64
	for range env.size(5, 2) {
		dir, size, err := killed(env, w.store.Path())
		if err != nil {
			return nil, err
		}
		logBytes = size
		a, err := startTime(ctx, dir)
		if err != nil {
			return nil, err
		}
		fresh, err := env.dir()
		if err != nil {
			return nil, err
		}
		b, err := startTime(ctx, fresh)
		if err != nil {
			return nil, err
		}
		full, empty = append(full, a.Seconds()), append(empty, b.Seconds())
		if err := os.RemoveAll(dir); err != nil {
			return nil, err
		}
	}
	r.Ratio = measure.RatioOf(full, empty)
	stats, err := w.store.Stats(ctx)
	if err != nil {
		return nil, err
	}
	r.Figures = fmt.Sprintf("%d rows and a log file of %d MiB: %.0f ms, %.0f ms", stats.Detections, logBytes>>20, 1000*r.Ratio.A, 1000*r.Ratio.B)
	r.Also = condition(r.Ratio.A < 10, "less than 10 s wanted")
	return nil, nil
}

// killed copies the database and its log to a directory of their own.
func killed(env *Env, path string) (dir string, logBytes int64, err error) {
	if dir, err = env.dir(); err != nil {
		return "", 0, err
	}
	for _, suffix := range []string{"", "-wal", "-head"} {
		if err := copyFile(path+suffix, filepath.Join(dir, filepath.Base(path)+suffix)); err != nil {
			return "", 0, err
		}
	}
	info, err := os.Stat(path + "-wal")
	if err != nil {
		return "", 0, err
	}
	return dir, info.Size(), nil
}

func startTime(ctx context.Context, dir string) (time.Duration, error) {
	began := time.Now()
	store, err := sqlite.OpenStore(ctx, sqlite.StoreOptions{Options: sqlite.Options{Dir: dir}})
	if err != nil {
		return 0, err
	}
	err = store.Ready(ctx)
	took := time.Since(began)
	return took, errors.Join(err, store.Close())
}
