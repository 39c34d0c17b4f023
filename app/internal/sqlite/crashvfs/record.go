//go:build cgo

package crashvfs

// #include "vfs.h"
import "C"

import (
	"os"
	"path/filepath"
	"runtime/cgo"
	"slices"
	"sync"
	"syscall"
)

// Op is a kind of call that SQLite makes.
type Op int

// The calls that are seen, and may be made to fail. vfs.c has the same numbers.
const (
	OpOpen Op = 1 + iota
	OpRead
	OpWrite
	OpTruncate
	OpSync
	OpDelete
	OpSize
	OpAccess
	OpLock
	OpShmMap
	OpShmLock
)

// String returns the name of the call in SQLite's documentation.
func (o Op) String() string {
	names := []string{"?", "xOpen", "xRead", "xWrite", "xTruncate", "xSync", "xDelete", "xFileSize", "xAccess", "xLock", "xShmMap", "xShmLock"}
	if o < 1 || int(o) >= len(names) {
		return names[0]
	}
	return names[o]
}

// Call is one call that SQLite is about to make.
type Call struct {
	N     int // counted from 1 since Fail
	Op    Op
	Name  string // of the file, without the directory
	Bytes int    // to write
}

// Failure is how a call fails.
type Failure struct {
	Code  int           // extended result code of SQLite
	Errno syscall.Errno // what the system is said to have answered
	Part  int           // bytes of a write that reach the file all the same
}

// Recorder watches one directory. It is safe for concurrent use.
type Recorder struct {
	dir      string
	skipSync bool
	handle   cgo.Handle
	vfs      *C.crash_vfs

	mu      sync.Mutex
	log     Log
	names   []string         // of the files by number
	current map[string]inode // which file has a name now
	fail    func(Call) *Failure
	calls   int
}

type inode struct {
	number int    // as in the log
	system uint64 // as the system has it: another one means that the name was given to a new file
}

// Fail asks f about each call from now on; nil lets it go on. f nil ends it.
func (r *Recorder) Fail(f func(Call) *Failure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail, r.calls = f, 0
}

// Acknowledge notes that the caller was told that what is durable: from here on no power cut may cost it.
func (r *Recorder) Acknowledge(what ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, Event{Kind: Acknowledged, What: what})
}

// Rewritten notes that something other than SQLite has written the file again as it is, and synced it.
func (r *Recorder) Rewritten(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, Event{Kind: Rewritten, File: r.current[name].number, Name: name})
}

// Log returns what was recorded so far.
func (r *Recorder) Log() Log {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.log)
}

// Restart says that the process ended, without a power cut, and that another one goes on: with the directory dir, which gets
// a copy of what the last one would see. Connections to the old directory must not be used any more.
func (r *Recorder) Restart(dir string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	files, err := readFiles(r.dir)
	if err != nil {
		return err
	}
	current := map[string]inode{}
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return err
		}
		if file, known := r.current[name]; known {
			current[name] = inode{file.number, inodeOf(path)}
		}
	}
	r.current = current
	r.dir = dir
	return nil
}

func (r *Recorder) watches(dir string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return dir == r.dir
}

// opened returns the number of the file that has just been opened and notes whether it is new.
func (r *Recorder) opened(name string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.appear(Create, name, nil)
}

func (r *Recorder) appear(kind Kind, name string, data []byte) int {
	system := inodeOf(filepath.Join(r.dir, name))
	if was, known := r.current[name]; known && was.system == system {
		return was.number
	}
	number := len(r.names)
	r.names = append(r.names, name)
	r.current[name] = inode{number, system}
	r.log = append(r.log, Event{Kind: kind, File: number, Name: name, Data: data, done: len(r.log) + 1})
	return number
}

func inodeOf(path string) uint64 {
	info, err := os.Lstat(path)
	if err != nil {
		return 0
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

// begin sees a call before it is made. ticket is 0 when its end does not matter.
func (r *Recorder) begin(op Op, e Event) (failure *Failure, ticket int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.Name == "" {
		e.Name = r.names[e.File]
	}
	if r.fail != nil {
		r.calls++
		failure = r.fail(Call{N: r.calls, Op: op, Name: e.Name, Bytes: len(e.Data)})
	}
	kind, changes := map[Op]Kind{OpWrite: Write, OpTruncate: Truncate, OpSync: Sync, OpDelete: Delete}[op]
	if !changes {
		return failure, 0
	}
	e.Kind = kind
	if failure != nil {
		e.Data, e.failed = e.Data[:min(failure.Part, len(e.Data))], true
	}
	if kind == Delete {
		e.File = r.current[e.Name].number
	}
	r.log = append(r.log, e)
	return failure, len(r.log)
}

// end sees that a call has returned.
func (r *Recorder) end(ticket int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := &r.log[ticket-1]
	if e.failed = !ok; e.failed {
		return
	}
	e.done = len(r.log)
	if e.Kind == Delete {
		delete(r.current, e.Name)
	}
}
