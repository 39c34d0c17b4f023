package terrain

import (
	"archive/zip"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// packed is a file that may be in a zip archive or in gzip.
type packed struct {
	io.Reader
	name  string // of what is inside
	size  int64  // unpacked, as the archive states it
	close []io.Closer
}

// Close closes the file and all around it.
func (p *packed) Close() error {
	var errs []error
	for _, c := range p.close {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

func openPacked(path string) (*packed, error) {
	switch lower := strings.ToLower(path); {
	case strings.HasSuffix(lower, ".zip"):
		return openZip(path)
	case strings.HasSuffix(lower, ".gz"):
		return openGzip(path)
	}
	file, err := openSized(path)
	if err != nil {
		return nil, err
	}
	return &packed{Reader: file, name: path, size: file.size, close: []io.Closer{file}}, nil
}

// openZip opens the one .hgt in an archive.
func openZip(path string) (*packed, error) {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBroken, err)
	}
	var inside *zip.File
	for _, file := range archive.File {
		if !strings.HasSuffix(strings.ToLower(file.Name), ".hgt") {
			continue
		}
		if inside != nil {
			return nil, errors.Join(fmt.Errorf("%w: the archive holds several .hgt", errUnsupported), archive.Close())
		}
		inside = file
	}
	if inside == nil {
		return nil, errors.Join(fmt.Errorf("%w: the archive holds no .hgt", errNoModel), archive.Close())
	}
	content, err := inside.Open()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", errBroken, err), archive.Close())
	}
	return &packed{
		Reader: content, name: inside.Name, size: int64(inside.UncompressedSize64), close: []io.Closer{content, archive},
	}, nil
}

// openGzip takes the size from the last four bytes (RFC 1952, section 2.3.1).
func openGzip(path string) (*packed, error) {
	file, err := openSized(path)
	if err != nil {
		return nil, err
	}
	var tail [4]byte
	_, err = file.ReadAt(tail[:], file.size-int64(len(tail)))
	var content *gzip.Reader
	if err == nil {
		content, err = gzip.NewReader(file)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", errBroken, err), file.Close())
	}
	size := int64(binary.LittleEndian.Uint32(tail[:]))
	return &packed{Reader: content, name: strings.TrimSuffix(path, ".gz"), size: size, close: []io.Closer{content, file}}, nil
}
