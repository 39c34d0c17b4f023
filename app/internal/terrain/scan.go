package terrain

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Why a file is left out.
var (
	errNoModel     = errors.New("not a height model: .hgt (also .zip and .gz), .dt0, .dt1, .dt2, .tif and .tiff are")
	errUnsupported = errors.New("not supported")
	errBroken      = errors.New("broken file")
)

// format reads the header of a file and returns its tiles.
type format func(path string, opts *Options) ([]*tile, error)

// formatOf tells the format by the name, nil if it is none.
func formatOf(name string) format {
	name = strings.ToLower(name)
	for _, suffix := range [...]string{".hgt", ".hgt.gz", ".hgt.zip", ".zip"} {
		if strings.HasSuffix(name, suffix) {
			return openHGT
		}
	}
	switch filepath.Ext(name) {
	case ".dt0", ".dt1", ".dt2":
		return openDTED
	case ".tif", ".tiff":
		return openGeoTIFF
	}
	return nil
}

// scan reads the headers of all files below the directory.
func scan(opts Options) (tiles []*tile, ignored []Ignored, err error) {
	root, err := filepath.EvalSymlinks(opts.Dir) // a directory behind a link is not walked otherwise
	if err != nil {
		return nil, nil, err
	}
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil && path == root:
			return err
		case err != nil:
			ignored = append(ignored, Ignored{Path: path, Reason: err})
			return nil
		case strings.HasPrefix(entry.Name(), ".") && path != root:
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir():
			return nil
		}
		found, err := tilesOf(path, &opts)
		if err != nil {
			ignored = append(ignored, Ignored{Path: path, Reason: err})
		}
		tiles = append(tiles, found...)
		return nil
	})
	return tiles, ignored, err
}

// tilesOf reads the header of one file.
func tilesOf(path string, opts *Options) ([]*tile, error) {
	open := formatOf(path)
	if open == nil {
		return nil, errNoModel
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: not a regular file", errNoModel)
	}
	tiles, err := open(path, opts)
	if err != nil {
		return nil, err
	}
	for _, t := range tiles {
		if t.bytes() > opts.CacheBytes {
			return nil, fmt.Errorf("%w: its posts take %d bytes, more than the cache of %d", errUnsupported, t.bytes(), opts.CacheBytes)
		}
		t.path = path
		if t.sigmaMetres == 0 {
			t.sigmaMetres = opts.SigmaMetres
		}
		t.settle()
	}
	return tiles, nil
}
