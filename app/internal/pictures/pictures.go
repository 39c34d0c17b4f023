// Package pictures keeps the pictures of reports in a directory, each under its SHA-256, as many and as long as it is told to.
// They are a courtesy to who investigates: nothing of the service depends on them, and they are not synced to the disk.
package pictures

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// incoming begins the name of a picture that is not whole yet.
const incoming = "incoming-"

// errTooLarge ends a picture that has more bytes than all may have.
var errTooLarge = errors.New("the picture is larger than all pictures may be")

// Options says how many pictures are kept, and how long.
type Options struct {
	MaxBytes int64            // of all pictures; what is older goes first. Required
	MaxAge   time.Duration    // 0: until there is no room
	Now      func() time.Time // nil: time.Now
	// Failed is told why a picture was not kept, or not removed; nil: nobody is told.
	Failed func(err error)
}

// Directory keeps pictures in files. It is safe for concurrent use by one process.
type Directory struct {
	path string
	opts Options

	mu    sync.Mutex
	files []file // the oldest first
	bytes int64
	known map[string]bool
}

type file struct {
	name  string
	bytes int64
	at    time.Time
}

// Open makes the directory if it is missing, takes note of the pictures in it, and removes those that should not be any more.
// Other files it leaves alone.
func Open(path string, opts Options) (*Directory, error) {
	if opts.MaxBytes <= 0 {
		return nil, errors.New("pictures: the number of bytes must be greater than 0")
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("pictures: %w", err)
	}
	d := &Directory{path: path, opts: opts, known: map[string]bool{}}
	if err := d.list(); err != nil {
		return nil, fmt.Errorf("pictures: %w", err)
	}
	d.Prune()
	return d, nil
}

func (d *Directory) list() error {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case isIncoming(entry.Name()):
			if err := os.Remove(filepath.Join(d.path, entry.Name())); err != nil {
				return err
			}
		case info.Mode().IsRegular() && isSum(entry.Name()): // what is not ours stays
			d.add(file{entry.Name(), info.Size(), info.ModTime()})
		}
	}
	slices.SortFunc(d.files, func(a, b file) int { return a.at.Compare(b.at) })
	return nil
}

// isIncoming says whether a name is that of a picture that did not become whole: os.CreateTemp adds digits.
func isIncoming(name string) bool {
	number, found := strings.CutPrefix(name, incoming)
	return found && strings.Trim(number, "0123456789") == ""
}

// isSum says whether a name is one of ours: SHA-256 in lower-case hex.
func isSum(name string) bool {
	outside := func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'f') }
	return len(name) == 2*sha256.Size && !strings.ContainsFunc(name, outside)
}

func (d *Directory) add(f file) {
	d.files, d.known[f.name] = append(d.files, f), true
	d.bytes += f.bytes
}

// PruneEvery prunes again and again until stop is called: where no pictures come any more, they grow old all the same.
func (d *Directory) PruneEvery(interval time.Duration) (stop func() error) {
	ticker, ended := time.NewTicker(interval), make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		for {
			select {
			case <-ticker.C:
				d.Prune()
			case <-ended:
				return
			}
		}
	})
	return sync.OnceValue(func() error {
		ticker.Stop()
		close(ended)
		done.Wait()
		return nil
	})
}

// Prune removes what is too old or too much. It is done with each picture that is kept, too.
func (d *Directory) Prune() {
	d.mu.Lock()
	defer d.mu.Unlock()
	oldest := d.opts.Now().Add(-d.opts.MaxAge)
	gone := 0
	for _, f := range d.files {
		if d.bytes <= d.opts.MaxBytes && (d.opts.MaxAge <= 0 || f.at.After(oldest)) {
			break
		}
		if err := os.Remove(filepath.Join(d.path, f.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			d.failed(fmt.Errorf("remove a picture: %w", err))
			break
		}
		d.bytes -= f.bytes
		delete(d.known, f.name)
		gone++
	}
	d.files = slices.Delete(d.files, 0, gone)
}

// Bytes is the size of what is kept.
func (d *Directory) Bytes() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.bytes
}

func (d *Directory) failed(err error) {
	if d.opts.Failed != nil {
		d.opts.Failed(err)
	}
}

// Writer returns what takes the next picture. Its signature is that of detection.ReadOptions.Pictures.
func (d *Directory) Writer() (detection.PictureWriter, error) {
	f, err := os.CreateTemp(d.path, incoming+"*")
	if err != nil {
		d.failed(fmt.Errorf("keep a picture: %w", err))
		return nil, err
	}
	return &writer{to: d, file: f}, nil
}

// writer is one picture on its way. What it cannot write it forgets.
type writer struct {
	to    *Directory
	file  *os.File
	bytes int64
}

// Write takes some more of the picture.
func (w *writer) Write(p []byte) (n int, err error) {
	if w.bytes+int64(len(p)) > w.to.opts.MaxBytes {
		err = errTooLarge
	} else {
		n, err = w.file.Write(p)
	}
	w.bytes += int64(n)
	if err != nil {
		w.to.failed(fmt.Errorf("keep a picture: %w", err))
	}
	return n, err
}

// Commit gives the picture its name. A picture that is there already stays as it is, and as old.
func (w *writer) Commit(image detection.Image) error {
	err := w.file.Close()
	if err == nil {
		err = w.to.keep(w.file.Name(), file{image.SHA256, w.bytes, w.to.opts.Now()})
	}
	if err != nil {
		err = errors.Join(err, remove(w.file.Name()))
		w.to.failed(fmt.Errorf("keep a picture: %w", err))
		return err
	}
	w.to.Prune()
	return nil
}

// Discard forgets the picture.
func (w *writer) Discard() {
	if err := errors.Join(w.file.Close(), remove(w.file.Name())); err != nil {
		w.to.failed(fmt.Errorf("discard a picture: %w", err))
	}
}

func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (d *Directory) keep(path string, f file) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known[f.name] {
		return remove(path)
	}
	if err := os.Rename(path, filepath.Join(d.path, f.name)); err != nil {
		return err
	}
	d.add(f)
	return nil
}
