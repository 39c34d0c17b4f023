package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// Options are what Store and Queue have in common. Zero values mean the defaults.
type Options struct {
	// Dir holds the database and is made when it is missing. Required.
	Dir string
	// MinFreeBytes is what must stay free on the disk: below it new records are refused with detection.ErrFull, while
	// acknowledgements go on. Default 64 MiB; negative means no limit.
	MinFreeBytes int64
	// MaxPages limits the database to so many pages of 4 KiB; 0 means no limit.
	MaxPages int64
	// Now is the clock of leases and audit entries. Default time.Now.
	Now func() time.Time
	// Logger. Default: none.
	Logger *slog.Logger
	// Fatal is told when the disk failed in a way after which nothing can be trusted. It must end the process. It is
	// called once, from a goroutine of this package. Default: log the error and exit with status 1.
	Fatal func(error)
	// FreeBytes tells how much room dir's file system has. Default: ask the system.
	FreeBytes func(dir string) (int64, error)

	// AllowNetworkFileSystem lets the database be on one, where SQLite's locks and syncs may not hold.
	AllowNetworkFileSystem bool

	// Tests weaken these to prove that they would notice.
	synchronous string // syncFull
	unlocked    bool   // does not take the lock file
	unfenced    bool   // does not look at the epoch
	fileSystem  func(dir string) (magic uint32, err error)
}

func (o *Options) setDefaults() {
	if o.MinFreeBytes == 0 {
		o.MinFreeBytes = defaultMinFreeBytes
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.FreeBytes == nil {
		o.FreeBytes = freeBytes
	}
	if o.fileSystem == nil {
		o.fileSystem = fileSystemOf
	}
	if o.synchronous == "" {
		o.synchronous = syncFull
	}
	if o.Fatal == nil {
		log := o.Logger
		o.Fatal = func(err error) {
			log.Error("the database cannot be trusted any more; exiting", "error", err)
			os.Exit(1)
		}
	}
}

// file is one open database: its lock, its writer, its readers and its checkpointer.
type file struct {
	path         string
	space        *spaceGuard
	writer       *writer
	writers      *sql.DB // has the connections of writer and checkpointer
	readers      *sql.DB
	checkpointer *checkpointer
	closers      []io.Closer // in the order of opening
	failed       error       // of the disk, while the file was opened
}

// closeFunc is a function as an io.Closer.
type closeFunc func() error

func (f closeFunc) Close() error { return f() }

// openFile locks and opens the database dir/name, brings its schema up to date and starts its goroutines. first runs
// while the lock is held and before SQLite sees the file.
func openFile(ctx context.Context, opts Options, name string, s session, first func(path string) error) (_ *file, err error) {
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	if err := opts.checkFileSystem(dir); err != nil {
		return nil, err
	}
	f := &file{
		path:  filepath.Join(dir, name),
		space: &spaceGuard{dir: dir, minBytes: opts.MinFreeBytes, free: opts.FreeBytes, now: opts.Now},
	}
	defer func() {
		if err != nil {
			if isFatal(err) {
				f.failed = err
			}
			_ = f.close() // err says why
		}
	}()
	if err := f.begin(opts, first); err != nil {
		return nil, err
	}
	if err := f.open(ctx, opts, name, s); err != nil {
		return nil, fmt.Errorf("open %s: %w", f.path, err)
	}
	return f, nil
}

// begin takes the lock and runs first.
func (f *file) begin(opts Options, first func(path string) error) error {
	if opts.unlocked {
		return first(f.path)
	}
	lock, err := lockFile(f.path)
	if err != nil {
		return err
	}
	f.closers = append(f.closers, lock)
	if err := writeLogAgain(f.path); err != nil {
		return err
	}
	if err := first(f.path); err != nil {
		return err
	}
	noteBoot(f.path, lock)
	return nil
}

// open runs in an order that matters for closing: last in, first out.
func (f *file) open(ctx context.Context, opts Options, name string, s session) error {
	log := opts.Logger.With("database", name)
	f.writers = openWriters(f.path, opts.synchronous)
	f.closers = append(f.closers, closeFunc(f.closeWriters))
	own, err := pin(ctx, f.writers, opts.synchronous)
	if err != nil {
		return err
	}
	if err := f.settle(ctx, own, s, opts, name); err != nil {
		return errors.Join(err, own.Close())
	}
	aside, err := pin(ctx, f.writers, opts.synchronous)
	if err != nil {
		return errors.Join(err, own.Close())
	}
	f.writer, err = newWriter(ctx, own, s, log, func(err error) {
		markFailed(f.path, err)
		opts.Fatal(err)
	})
	if err != nil {
		return errors.Join(err, own.Close(), aside.Close())
	}
	f.checkpointer = startCheckpointer(aside, f.writer, log)
	f.closers = append(f.closers, closeFunc(f.checkpointer.close), closeFunc(f.writer.close))
	f.readers = openReaders(f.path, 4)
	f.closers = append(f.closers, f.readers)
	return f.readers.PingContext(ctx)
}

// closeWriters leaves the connections alone when the disk has failed: SQLite carries the log over and deletes it when the last
// one is closed, and if a sync of the log has failed, the database would get what the log on the disk may not have. After a
// power cut that older log would be played over the newer database. The process must end anyway.
func (f *file) closeWriters() error {
	failed := f.failed
	if f.writer != nil {
		failed = errors.Join(failed, f.writer.alive())
	}
	if failed != nil && !errors.Is(failed, errSuperseded) {
		markFailed(f.path, failed)
		return nil
	}
	return f.writers.Close()
}

// settle makes the schema and everything about the file's existence durable before anybody relies on it: SQLite deletes
// a log that it finds beside an empty database.
func (f *file) settle(ctx context.Context, conn *sql.Conn, s session, opts Options, name string) error {
	if err := migrate(ctx, conn, f.path, name[:len(name)-len(filepath.Ext(name))]); err != nil {
		return err
	}
	if err := s.own(ctx, conn); err != nil {
		return err
	}
	if _, _, err := checkpoint(ctx, conn, "TRUNCATE"); err != nil {
		return fmt.Errorf("first checkpoint: %w", err)
	}
	if err := syncDir(f.path); err != nil {
		return fmt.Errorf("sync data directory: %w", err)
	}
	return limitPages(ctx, conn, opts.MaxPages)
}

// limitPages sets the size of the database in pages; 0 means no limit. It holds for conn only, which is the one that
// makes the file grow. SQLite never goes below the present size.
func limitPages(ctx context.Context, conn *sql.Conn, pages int64) error {
	const most = 4294967294 // https://sqlite.org/limits.html, item 13
	if pages <= 0 {
		pages = most
	}
	_, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages))
	return err
}

// setMaxPages changes the limit while the database is open.
func (f *file) setMaxPages(ctx context.Context, pages int64) error {
	return f.writer.do(ctx, &op{rows: 1, run: func() error {
		return limitPages(context.Background(), f.writer.conn, pages)
	}})
}

// ready returns nil while records can be written and read.
func (f *file) ready(ctx context.Context) error {
	if err := f.writer.alive(); err != nil {
		return err
	}
	if err := f.space.check(); err != nil {
		return err
	}
	var one int
	return f.readers.QueryRowContext(ctx, "SELECT 1 FROM sqlite_schema LIMIT 1").Scan(&one)
}

// orphaned says that there is a log without the database it belongs to. SQLite would delete the log, and with it what
// was acknowledged.
func orphaned(path string) bool { return sizeOf(path) == 0 && sizeOf(path+"-wal") > 0 }

// close ends in the reverse order of opening and empties the log.
func (f *file) close() error {
	var errs []error
	for i := len(f.closers) - 1; i >= 0; i-- {
		errs = append(errs, f.closers[i].Close())
	}
	f.closers = nil
	return errors.Join(errs...)
}
