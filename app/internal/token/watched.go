package token

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// DefaultEvery is how often files are looked at when Options leaves it 0.
	DefaultEvery = 5 * time.Second
	// maxFileBytes bounds what is read of one file.
	maxFileBytes = 1 << 20
	// maxFiles bounds a directory.
	maxFiles = 64
)

// Options says how files are followed.
type Options struct {
	// Every is how long what was read is good at least; 0: DefaultEvery. Files are looked at when they are needed, by one of
	// those who need them.
	Every time.Duration
	// Changed is told, once for each change of the files, that the new ones are in use (nil) or why they are not: then the old
	// ones still are. nil: nobody is told.
	Changed func(err error)
}

// state is what was made of the files.
type state[T any] struct{ value T }

// watched is a value that is made of a file, or of a directory of files, and made anew when they change.
type watched[T any] struct {
	path    string
	opts    Options
	parse   func(files map[string]string, directory bool) (T, error)
	current atomic.Pointer[state[T]]
	next    atomic.Int64 // when to look again, Unix nanoseconds; 0: at once

	mu     sync.Mutex
	files  map[string]string // as they were last, good or bad
	failed string            // why they could not be read, empty: they could
}

func (w *watched[T]) open(path string, opts Options, parse func(map[string]string, bool) (T, error)) error {
	w.path, w.opts, w.parse = path, opts, parse
	if w.opts.Every <= 0 {
		w.opts.Every = DefaultEvery
	}
	files, directory, err := readFiles(path)
	if err != nil {
		return err
	}
	value, err := parse(files, directory)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	w.files = files
	w.current.Store(&state[T]{value})
	return nil
}

// get returns the value, after a look at the files when it is time for one. The first look is due one interval after the
// first use.
func (w *watched[T]) get(now time.Time) (value T, ok bool) {
	if w.parse != nil && w.due(now) {
		w.look()
	}
	s := w.current.Load()
	if s == nil {
		return value, false
	}
	return s.value, true
}

// due is true for one caller in each interval. A clock that was set back makes it due.
func (w *watched[T]) due(now time.Time) bool {
	at, next := now.UnixNano(), w.next.Load()
	every := w.opts.Every.Nanoseconds()
	if next != 0 && at < next && at >= next-every {
		return false
	}
	return w.next.CompareAndSwap(next, at+every) && next != 0
}

// look reads the files and takes them over if they are others and good. It compares what is in them: their times may be as
// they were.
func (w *watched[T]) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	files, directory, err := readFiles(w.path)
	if err != nil {
		if text := err.Error(); text != w.failed {
			w.failed = text
			w.tell(err)
		}
		return
	}
	unreadable := w.failed != ""
	w.failed = ""
	if maps.Equal(files, w.files) && !unreadable {
		return
	}
	w.files = files
	value, err := w.parse(files, directory)
	if err != nil {
		w.tell(fmt.Errorf("%s: %w", w.path, err))
		return
	}
	w.current.Store(&state[T]{value})
	w.tell(nil)
}

func (w *watched[T]) tell(err error) {
	if w.opts.Changed != nil {
		w.opts.Changed(err)
	}
}

// readFiles returns what is in the file, under the name "", or in the files of the directory.
func readFiles(path string) (files map[string]string, directory bool, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, false, err
	}
	files = map[string]string{}
	if !info.IsDir() {
		files[""], err = readFile(path)
		return files, false, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, true, err
	}
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, ".") {
			continue
		}
		if len(files) == maxFiles {
			return nil, true, fmt.Errorf("%s: more than %d files", path, maxFiles)
		}
		if files[name], err = readFile(filepath.Join(path, name)); err != nil {
			return nil, true, err
		}
	}
	return files, true, nil
}

func readFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err == nil && len(text) > maxFileBytes {
		err = fmt.Errorf("%s: larger than %d bytes", path, maxFileBytes)
	}
	return string(text), err
}
