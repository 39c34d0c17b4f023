//go:build cgo

package crashvfs

/*
#cgo LDFLAGS: -Wl,--unresolved-symbols=ignore-in-object-files
#include "vfs.h"
*/
import "C"

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"runtime/cgo"
	"slices"
	"strings"
	"unsafe"

	_ "github.com/mattn/go-sqlite3" // has the symbols
)

// Record begins to watch the files of dir, which must have no subdirectories of interest. All connections to files of dir
// must be opened after it and closed before Close; there is one Recorder at a time. With skipSync no sync reaches the real
// disk, which makes tests fast and changes nothing about what is recorded.
func Record(dir string, skipSync bool) (*Recorder, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	r := &Recorder{dir: dir, skipSync: skipSync, current: map[string]inode{}, names: []string{""}}
	if err := r.readBase(); err != nil {
		return nil, err
	}
	r.handle = cgo.NewHandle(r)
	if r.vfs = C.crash_register(C.uintptr_t(r.handle)); r.vfs == nil {
		r.handle.Delete()
		return nil, errors.New("SQLite does not take the recording VFS")
	}
	return r, nil
}

// Close ends the recording. The log stays.
func (r *Recorder) Close() {
	C.crash_unregister(r.vfs)
	r.handle.Delete()
}

func (r *Recorder) readBase() error {
	files, err := readFiles(r.dir)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		r.appear(Base, name, files[name])
	}
	return nil
}

// readFiles reads what a power cut may leave of a directory: no shared memory, and nothing of Go's lock files.
func readFiles(dir string) (map[string][]byte, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if !e.Type().IsRegular() || strings.HasSuffix(e.Name(), "-shm") || strings.HasSuffix(e.Name(), ".lock") {
			continue
		}
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// watcher returns the Recorder that the wrapper belongs to.
func watcher(handle C.uintptr_t) *Recorder { return cgo.Handle(handle).Value().(*Recorder) }

//export crashvfsWatches
func crashvfsWatches(handle C.uintptr_t, name *C.char) C.int {
	if watcher(handle).watches(filepath.Dir(C.GoString(name))) {
		return 1
	}
	return 0
}

//export crashvfsOpened
func crashvfsOpened(handle C.uintptr_t, name *C.char) C.int {
	return C.int(watcher(handle).opened(filepath.Base(C.GoString(name))))
}

//export crashvfsCall
func crashvfsCall(handle C.uintptr_t, c *C.crash_call) {
	r := watcher(handle)
	e := Event{File: int(c.file), Offset: int64(c.offset)}
	if c.name != nil {
		e.Name = filepath.Base(C.GoString(c.name))
	}
	if c.data != nil {
		e.Data = C.GoBytes(unsafe.Pointer(c.data), c.bytes)
	}
	e.SyncsDir = c.flag != 0
	failure, ticket := r.begin(Op(c.op), e)
	c.ticket = C.int(ticket)
	if r.skipSync {
		c.skip = 1
	}
	if failure != nil {
		c.code, c.sys_errno, c.part = C.int(failure.Code), C.int(failure.Errno), C.int(failure.Part)
	}
}

//export crashvfsDone
func crashvfsDone(handle C.uintptr_t, ticket, code C.int) {
	watcher(handle).end(int(ticket), code == 0)
}
