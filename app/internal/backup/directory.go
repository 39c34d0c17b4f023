package backup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Directory holds copies.
type Directory struct{ Path string }

// Entry is one copy of a directory.
type Entry struct {
	Manifest
	Problem error // why it cannot be used, as far as a look at names and sizes tells
}

func (d Directory) file(name, suffix string) string { return filepath.Join(d.Path, name+suffix) }

// List returns the copies, newest first, and the names of the files that belong to no copy.
func (d Directory) List() (entries []Entry, leftovers []string, err error) {
	files, err := os.ReadDir(d.Path)
	if err != nil {
		return nil, nil, fmt.Errorf("list copies: %w", err)
	}
	for _, f := range files {
		name, suffix := split(f.Name())
		switch {
		case !namePattern.MatchString(name):
		case suffix == databaseSuffix:
			entries = append(entries, d.entry(name))
		case suffix != manifestSuffix || !exists(d.file(name, databaseSuffix)):
			leftovers = append(leftovers, f.Name())
		}
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(b.Name, a.Name) })
	return entries, leftovers, nil
}

// split cuts a file's name at its first dot.
func split(file string) (name, suffix string) {
	name, _, _ = strings.Cut(file, ".")
	return name, file[len(name):]
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func (d Directory) entry(name string) Entry {
	m, err := readManifest(d.file(name, manifestSuffix))
	if err != nil {
		return Entry{Manifest: Manifest{Name: name}, Problem: err}
	}
	info, err := os.Stat(d.file(name, databaseSuffix))
	if err == nil && info.Size() != m.Bytes {
		err = fmt.Errorf("it has %d bytes, its manifest has %d", info.Size(), m.Bytes)
	}
	return Entry{Manifest: m, Problem: err}
}

// Find returns the copy with the name, which may be the name or path of one of its files; with an empty name the newest
// that looks usable.
func (d Directory) Find(name string) (Entry, error) {
	entries, _, err := d.List()
	if err != nil {
		return Entry{}, err
	}
	wanted, _ := split(filepath.Base(name))
	for _, e := range entries {
		if name == "" && e.Problem == nil || name != "" && e.Name == wanted {
			return e, nil
		}
	}
	if name == "" {
		return Entry{}, fmt.Errorf("there is no verified copy in %s", d.Path)
	}
	return Entry{}, fmt.Errorf("there is no copy %s in %s", wanted, d.Path)
}

// reserve takes a name for a copy that is about to be made, by its manifest under its .partial name. Another run of the same
// second, or what is left of one, keeps its own: a run that fails removes what has its name.
func (d Directory) reserve(at time.Time) (name string, err error) {
	for range 60 {
		name = nameAt(at)
		at = at.Add(time.Second)
		if exists(d.file(name, databaseSuffix)) || exists(d.file(name, manifestSuffix)) {
			continue
		}
		f, err := os.OpenFile(d.file(name, manifestSuffix+partialSuffix), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		return name, f.Close()
	}
	return "", errors.New("the names of a whole minute are taken")
}

// room returns an error unless so many bytes can be written.
func (d Directory) room(bytes int64) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(d.Path, &s); err != nil {
		return nil // writing finds out
	}
	const keep = 1 << 20 // the manifest, the directory
	if free := int64(s.Bavail) * int64(s.Bsize); free < bytes+keep {
		return fmt.Errorf("the copy needs %d bytes more, %d are free in %s", bytes, free, d.Path)
	}
	return nil
}

// sync makes the names durable.
func (d Directory) sync() error {
	dir, err := os.Open(d.Path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// remove removes files by their names in the directory.
func (d Directory) remove(names ...string) error {
	var errs []error
	for _, name := range names {
		if err := os.Remove(filepath.Join(d.Path, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, d.sync())...)
}
