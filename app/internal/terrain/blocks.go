package terrain

import (
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"golang.org/x/image/tiff/lzw"
)

// Compressions and predictors of blocks.
const (
	codingNone        = 1
	codingLZW         = 5
	codingDeflate     = 8
	codingDeflateOld  = 32946
	predictNone       = 1
	predictHorizontal = 2
	predictFloat      = 3
)

// largestBlock bounds the bytes that are unpacked at once: what one strip of a whole tile of SRTM takes, and more.
const largestBlock = 128 << 20

// A byte of deflate becomes 1032 at most (zlib, technical details), one of LZW 2730: 12 bits are a string of 4096 - 258 bytes
// at the end of a table. A file that claims more is not unpacked.
const (
	mostUnpacked  = 2730
	slackUnpacked = 1 << 16
)

func checkCoding(compression, predictor int, s sample) error {
	switch compression {
	case codingNone, codingLZW, codingDeflate, codingDeflateOld:
	default:
		return fmt.Errorf("%w: compression %d; none, LZW (5) and deflate (8) are", errUnsupported, compression)
	}
	if compression == codingNone || predictor == predictNone || predictor == predictHorizontal ||
		predictor == predictFloat && s.format == formatFloat {
		return nil
	}
	return fmt.Errorf("%w: predictor %d for numbers of format %d", errUnsupported, predictor, s.format)
}

// read reads the blocks of a page.
func (r *raster) read(p *page) (*grid, error) {
	offsets, err := r.integers(r.offsetsTag)
	if err != nil {
		return nil, err
	}
	counts, err := r.integers(r.bytesTag)
	if err != nil {
		return nil, err
	}
	bytes := int64(r.blockRows) * int64(r.blockColumns) * int64(r.sample.bytes)
	if bytes > largestBlock {
		return nil, fmt.Errorf("%w: blocks of %d bytes; %d are the most", errUnsupported, bytes, largestBlock)
	}
	g, block := newGrid(p.tile), []byte(nil)
	for y := p.firstDown; y < p.lastDown; y++ {
		for x := p.firstAcross; x < p.lastAcross; x++ {
			i := y*r.across + x
			if offsets[i] == 0 && counts[i] == 0 {
				continue // sparse: all of it is void
			}
			if uint64(bytes) > mostUnpacked*min(counts[i], largestBlock)+slackUnpacked {
				return nil, fmt.Errorf("%w: block %d: %d bytes cannot hold %d", errBroken, i, counts[i], bytes)
			}
			if block == nil {
				block = make([]byte, bytes)
			}
			if err := r.unpack(block, offsets[i], counts[i], y); err != nil {
				return nil, fmt.Errorf("%w: block %d: %w", errBroken, i, err)
			}
			r.copy(g, p, block, y, x)
		}
	}
	g.finish(p.tile)
	return g, nil
}

// unpack reads a block. The last strip may hold fewer rows than the others.
func (r *raster) unpack(block []byte, offset, count uint64, y int) error {
	if offset > uint64(r.size) || count > uint64(r.size)-offset {
		return fmt.Errorf("it lies beyond the end of the file")
	}
	line := r.blockColumns * r.sample.bytes
	rows := r.blockRows
	if r.offsetsTag == tagStripOffsets {
		rows = min(rows, r.rows-y*r.blockRows)
	}
	block = block[:rows*line]
	var in io.Reader = io.NewSectionReader(r.file, int64(offset), int64(count))
	switch r.compression {
	case codingLZW:
		unpacker := lzw.NewReader(in, lzw.MSB, 8)
		defer unpacker.Close()
		in = unpacker
	case codingDeflate, codingDeflateOld:
		unpacker, err := zlib.NewReader(in)
		if err != nil {
			return err
		}
		defer unpacker.Close()
		in = unpacker
	}
	if _, err := io.ReadFull(in, block); err != nil {
		return err
	}
	if r.compression != codingNone {
		for start := 0; start < len(block); start += line {
			r.unpredict(block[start : start+line])
		}
	}
	return nil
}

// unpredict turns differences into numbers, for one row (TIFF 6.0, section 14; TIFF Technical Note 3, Adobe, 2005).
func (r *raster) unpredict(row []byte) {
	width := r.sample.bytes
	switch r.predictor {
	case predictHorizontal:
		for i := width; i < len(row); i += width {
			now, before := row[i:], row[i-width:]
			switch width {
			case 1:
				now[0] += before[0]
			case 2:
				r.order.PutUint16(now, r.order.Uint16(now)+r.order.Uint16(before))
			case 4:
				r.order.PutUint32(now, r.order.Uint32(now)+r.order.Uint32(before))
			case 8:
				r.order.PutUint64(now, r.order.Uint64(now)+r.order.Uint64(before))
			}
		}
	case predictFloat:
		for i := 1; i < len(row); i++ {
			row[i] += row[i-1]
		}
		planes, columns := append([]byte(nil), row...), len(row)/width
		for i := range columns {
			for b := range width { // the plane of the highest bytes is the first
				at := b
				if r.order == binary.ByteOrder(binary.LittleEndian) {
					at = width - 1 - b
				}
				row[i*width+at] = planes[b*columns+i]
			}
		}
	}
}

// copy puts the posts of a block into a page.
func (r *raster) copy(g *grid, p *page, block []byte, y, x int) {
	top, left := y*r.blockRows, x*r.blockColumns
	for row := top; row < min(top+r.blockRows, r.rows); row++ {
		line := block[(row-top)*r.blockColumns*r.sample.bytes:]
		for column := left; column < min(left+r.blockColumns, r.columns); column++ {
			value := r.sample.value(r.order, line[(column-left)*r.sample.bytes:])
			g.set(row-p.row, column-p.column, value*r.metresPerUnit) // NaN stays a void
		}
	}
}

// Sample formats.
const (
	formatUnsigned = 1
	formatSigned   = 2
	formatFloat    = 3
)

// sample is how a number is stored.
type sample struct {
	format, bytes int
	noData        float64 // NaN if none
}

func sampleOf(format, bits int) (s sample, ok bool) {
	s = sample{format: format, bytes: bits / 8}
	switch bits {
	case 8, 16:
		return s, format == formatUnsigned || format == formatSigned
	case 32:
		return s, format == formatUnsigned || format == formatSigned || format == formatFloat
	case 64:
		return s, format == formatFloat
	}
	return s, false
}

// wide reports whether posts take 4 bytes in memory.
func (s sample) wide() bool { return s.format == formatFloat || s.bytes > 2 }

// value reads a number, NaN for a void.
func (s sample) value(order binary.ByteOrder, b []byte) float64 {
	var v float64
	switch {
	case s.format == formatFloat && s.bytes == 4:
		v = float64(math.Float32frombits(order.Uint32(b)))
		if float32(v) == float32(s.noData) { // the tag is decimal, so it has more digits
			return math.NaN()
		}
	case s.format == formatFloat:
		v = math.Float64frombits(order.Uint64(b))
	default:
		v = s.integer(order, b)
	}
	if v == s.noData {
		return math.NaN()
	}
	return v
}

func (s sample) integer(order binary.ByteOrder, b []byte) float64 {
	signed := s.format == formatSigned
	switch {
	case s.bytes == 1 && signed:
		return float64(int8(b[0]))
	case s.bytes == 1:
		return float64(b[0])
	case s.bytes == 2 && signed:
		return float64(int16(order.Uint16(b)))
	case s.bytes == 2:
		return float64(order.Uint16(b))
	case signed:
		return float64(int32(order.Uint32(b)))
	}
	return float64(order.Uint32(b))
}
