package terrain

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
)

// Tags: TIFF 6.0 (Adobe, 1992), its supplements for compression and the floating point predictor, OGC 19-008r4 (GeoTIFF 1.1),
// and the GDAL documentation of its GeoTIFF driver.
const (
	tagColumns        = 256
	tagRows           = 257
	tagBits           = 258
	tagCompression    = 259
	tagStripOffsets   = 273
	tagSamples        = 277
	tagRowsPerStrip   = 278
	tagStripBytes     = 279
	tagPredictor      = 317
	tagTileColumns    = 322
	tagTileRows       = 323
	tagTileOffsets    = 324
	tagTileBytes      = 325
	tagFormat         = 339
	tagScale          = 33550
	tagTiepoint       = 33922
	tagTransformation = 34264
	tagGeoKeys        = 34735
	tagGeoDoubles     = 34736
	tagMetadata       = 42112
	tagNoData         = 42113
)

// directory is the first image of a TIFF file; the others are overviews and masks.
type directory struct {
	file    io.ReaderAt
	size    int64
	order   binary.ByteOrder
	big     bool // BigTIFF
	entries map[uint16]entry
}

// entry is a tag. What it holds is at an offset in the file.
type entry struct {
	kind   uint16
	count  uint64
	offset int64
}

// widths are the bytes of each type of field, 0 for those that do not exist.
var widths = [...]uint64{1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}

// parseTIFF reads the header and the first directory.
func parseTIFF(file io.ReaderAt, size int64) (*directory, error) {
	d := &directory{file: file, size: size, entries: map[uint16]entry{}}
	header, err := d.bytes(0, 8)
	if err != nil {
		return nil, err
	}
	switch string(header[:2]) {
	case "II":
		d.order = binary.LittleEndian
	case "MM":
		d.order = binary.BigEndian
	default:
		return nil, fmt.Errorf("%w: no TIFF", errBroken)
	}
	at := int64(d.order.Uint32(header[4:]))
	switch version := d.order.Uint16(header[2:]); version {
	case 42:
	case 43:
		d.big = true
		if header, err = d.bytes(8, 8); err != nil {
			return nil, err
		}
		at = int64(d.order.Uint64(header))
	default:
		return nil, fmt.Errorf("%w: TIFF version %d", errBroken, version)
	}
	return d, d.read(at)
}

// read reads the entries of a directory.
func (d *directory) read(at int64) error {
	head, length := int64(2), int64(12)
	if d.big {
		head, length = 8, 20
	}
	field, err := d.bytes(at, head)
	if err != nil {
		return err
	}
	count := uint64(0)
	if d.big {
		count = d.order.Uint64(field)
	} else {
		count = uint64(d.order.Uint16(field))
	}
	if count > 4096 {
		return fmt.Errorf("%w: directory of %d entries", errBroken, count)
	}
	fields, err := d.bytes(at+head, int64(count)*length)
	if err != nil {
		return err
	}
	for i := range int64(count) {
		if err := d.add(fields[i*length:], at+head+i*length); err != nil {
			return err
		}
	}
	return nil
}

// add reads one entry, which lies at an offset in the file.
func (d *directory) add(field []byte, at int64) error {
	e := entry{kind: d.order.Uint16(field[2:])}
	inline := uint64(4)
	if d.big {
		inline, e.count, e.offset = 8, d.order.Uint64(field[4:]), at+12
	} else {
		e.count, e.offset = uint64(d.order.Uint32(field[4:])), at+8
	}
	if int(e.kind) >= len(widths) || widths[e.kind] == 0 {
		return nil // readers have to skip types that they do not know
	}
	width := widths[e.kind]
	if e.count > uint64(d.size)/width {
		return fmt.Errorf("%w: tag %d has %d values", errBroken, d.order.Uint16(field), e.count)
	}
	if e.count*width > inline {
		if d.big {
			e.offset = int64(d.order.Uint64(field[12:]))
		} else {
			e.offset = int64(d.order.Uint32(field[8:]))
		}
	}
	d.entries[d.order.Uint16(field)] = e
	return nil
}

// bytes reads a part of the file.
func (d *directory) bytes(at, count int64) ([]byte, error) {
	if at < 0 || count < 0 || count > d.size || at > d.size-count {
		return nil, fmt.Errorf("%w: it ends before byte %d", errBroken, uint64(at)+uint64(count))
	}
	b := make([]byte, count)
	if _, err := d.file.ReadAt(b, at); err != nil {
		return nil, fmt.Errorf("%w: %w", errBroken, err)
	}
	return b, nil
}

// raw returns the bytes that a tag holds, none if it is absent.
func (d *directory) raw(tag uint16) ([]byte, entry, error) {
	e, ok := d.entries[tag]
	if !ok {
		return nil, e, nil
	}
	b, err := d.bytes(e.offset, int64(e.count*widths[e.kind]))
	return b, e, err
}

// integers returns the values of a tag, none if it is absent.
func (d *directory) integers(tag uint16) ([]uint64, error) {
	b, e, err := d.raw(tag)
	if err != nil || b == nil {
		return nil, err
	}
	values := make([]uint64, e.count)
	for i := range values {
		switch e.kind {
		case 1, 7:
			values[i] = uint64(b[i])
		case 3:
			values[i] = uint64(d.order.Uint16(b[2*i:]))
		case 4, 13:
			values[i] = uint64(d.order.Uint32(b[4*i:]))
		case 16, 18:
			values[i] = d.order.Uint64(b[8*i:])
		default:
			return nil, fmt.Errorf("%w: tag %d is of type %d", errBroken, tag, e.kind)
		}
	}
	return values, nil
}

// integer returns the first value of a tag.
func (d *directory) integer(tag uint16, otherwise int) (int, error) {
	values, err := d.integers(tag)
	if err != nil || len(values) == 0 {
		return otherwise, err
	}
	if values[0] > math.MaxInt32 {
		if tag == tagRowsPerStrip {
			return math.MaxInt32, nil // 2^32-1: all of them
		}
		return 0, fmt.Errorf("%w: tag %d is %d", errBroken, tag, values[0])
	}
	return int(values[0]), nil
}

// doubles returns the values of a tag, none if it is absent.
func (d *directory) doubles(tag uint16) ([]float64, error) {
	b, e, err := d.raw(tag)
	if err != nil || b == nil {
		return nil, err
	}
	if e.kind != 12 {
		return nil, fmt.Errorf("%w: tag %d is of type %d", errBroken, tag, e.kind)
	}
	values := make([]float64, e.count)
	for i := range values {
		values[i] = math.Float64frombits(d.order.Uint64(b[8*i:]))
	}
	return values, nil
}

// text returns what a tag says, "" if it is absent.
func (d *directory) text(tag uint16) (string, error) {
	b, _, err := d.raw(tag)
	return strings.TrimSpace(strings.TrimRight(string(b), "\x00")), err
}
