package crashvfs

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// Kind says what an Event is.
type Kind int

// The kinds of events.
const (
	Base         Kind = 1 + iota // a file that was there at the beginning
	Create                       // a file that was made
	Write                        // Data at Offset
	Truncate                     // to Offset bytes
	Sync                         // of the file, and with SyncsDir of the directory
	Delete                       // of the name, and with SyncsDir the directory was synced
	Rewritten                    // all of the file was written again and synced, not by SQLite
	Acknowledged                 // What was acknowledged
)

// Event is an entry of a Log.
type Event struct {
	Kind     Kind
	File     int // number of the file; a name may belong to several one after the other
	Name     string
	Offset   int64
	Data     []byte
	SyncsDir bool
	What     []string

	done   int  // entries in the log when the call returned without error, 0 when it did not
	failed bool // the call returned an error
}

// Log is what was done, in the order in which it began.
type Log []Event

// Acknowledged returns what was acknowledged in the first n entries.
func (l Log) Acknowledged(n int) []string {
	var all []string
	for _, e := range l[:n] {
		all = append(all, e.What...)
	}
	return all
}

// Fate says what becomes of what was not synced.
type Fate struct {
	Rand    *rand.Rand
	Keep    float64 // the probability of each write or piece to be on the disk
	Torn    bool    // pieces of a write have their own luck
	Garbage bool    // where a file grew, there may be garbage instead of what was written
}

// Image is the content of a directory by name.
type Image map[string][]byte

// sectorBytes is what a disk writes as a whole.
const sectorBytes = 512

// Image returns what may be on the disk when the power goes after the first n entries. Files that were there at the
// beginning are there in any case.
func (l Log) Image(n int, fate Fate) Image {
	for n < len(l) && l[n].Kind == Base {
		n++
	}
	files := map[int]*content{}
	image := Image{}
	names := map[string]int{} // name to file; 0 when it is gone
	stuck := map[string]bool{}
	for i, e := range l[:n] {
		switch e.Kind {
		case Base, Create:
			files[e.File] = &content{bytes: append([]byte(nil), e.Data...), fate: fate}
		case Write:
			files[e.File].write(e, l.synced(i, n))
		case Truncate:
			if !e.failed && (l.synced(i, n) || fate.lucky()) {
				files[e.File].truncate(int(e.Offset))
			}
		}
		if isName := e.Kind == Base || e.Kind == Create || e.Kind == Delete && !e.failed; !isName {
			continue
		}
		if durable := l.named(i, n); durable {
			stuck[e.Name] = false
		} else if stuck[e.Name] = stuck[e.Name] || !fate.lucky(); stuck[e.Name] {
			continue // the directory stayed as it was before, and so do later changes of this name
		}
		if names[e.Name] = e.File; e.Kind == Delete {
			names[e.Name] = 0
		}
	}
	for name, file := range names {
		if file != 0 {
			image[name] = files[file].bytes
		}
	}
	return image
}

// synced says that entry i is on the disk for certain when the power goes after n entries.
func (l Log) synced(i, n int) bool {
	e := &l[i]
	for _, later := range l[i:n] {
		if later.Kind == Rewritten && later.File == e.File {
			return true
		}
	}
	if e.done == 0 {
		return false
	}
	for j := e.done; j < n; j++ {
		if s := &l[j]; s.Kind == Sync && s.File == e.File {
			if s.failed {
				return false // what a failed sync has lost does not come back
			}
			if s.done != 0 && s.done <= n {
				return true
			}
		}
	}
	return false
}

// named says the same of the name that entry i made or deleted.
func (l Log) named(i, n int) bool {
	e := &l[i]
	if e.Kind == Base || e.SyncsDir && e.done != 0 && e.done <= n {
		return true
	}
	if e.done == 0 {
		return false
	}
	for j := e.done; j < n; j++ {
		if s := &l[j]; (s.Kind == Sync || s.Kind == Delete) && s.SyncsDir && s.done != 0 && s.done <= n {
			return true
		}
	}
	return false
}

func (f Fate) lucky() bool { return f.Rand.Float64() < f.Keep }

// content is a file of an image while it is built.
type content struct {
	bytes []byte
	fate  Fate
}

func (c *content) truncate(size int) {
	if size < len(c.bytes) {
		c.bytes = c.bytes[:size:size]
	} else {
		c.bytes = append(c.bytes, make([]byte, size-len(c.bytes))...)
	}
}

func (c *content) write(e Event, durable bool) {
	whole := durable || !c.fate.Torn && c.fate.lucky()
	for from := 0; from < len(e.Data); {
		at := int(e.Offset) + from
		to := min(len(e.Data), from+sectorBytes-at%sectorBytes)
		switch {
		case whole || c.fate.Torn && c.fate.lucky():
			c.put(at, e.Data[from:to])
		case c.fate.Garbage && at >= len(c.bytes) && c.fate.lucky():
			junk := make([]byte, to-from)
			for i := range junk {
				junk[i] = byte(c.fate.Rand.Uint32())
			}
			c.put(at, junk)
		}
		from = to
	}
}

func (c *content) put(at int, data []byte) {
	if end := at + len(data); end > len(c.bytes) {
		c.truncate(end)
	}
	copy(c.bytes[at:], data)
}

// WriteTo writes the image into dir, which should be empty.
func (m Image) WriteTo(dir string) error {
	for name, data := range m {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return fmt.Errorf("write crash image: %w", err)
		}
	}
	return nil
}
