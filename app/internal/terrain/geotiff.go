package terrain

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// pagePosts is about how many posts of a GeoTIFF are read at once, so that a country in one file does not have to fit into
// memory.
const pagePosts = 1 << 20

// raster is a GeoTIFF of heights: how its blocks, strips or tiles, are stored, and what its numbers mean.
type raster struct {
	*directory
	rows, columns           int
	blockRows, blockColumns int
	across, down            int // blocks
	offsetsTag, bytesTag    uint16
	compression, predictor  int
	sample                  sample
	metresPerUnit           float64
	placement               placement
	datum                   Datum
}

// openGeoTIFF reads the header.
func openGeoTIFF(path string, opts *Options) ([]*tile, error) {
	file, err := openSized(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	r, err := parseRaster(file, file.size, opts.Datum)
	if err != nil {
		return nil, err
	}
	pages, err := r.pages(opts.pagePosts)
	if err != nil {
		return nil, err
	}
	first := *r
	first.directory = nil // the file is closed
	for _, p := range pages {
		p.tile.load = func() (*grid, error) { return loadPage(path, p, &first) }
	}
	tiles := make([]*tile, len(pages))
	for i, p := range pages {
		tiles[i] = p.tile
	}
	return tiles, nil
}

// parseRaster reads the first directory of a file as heights.
func parseRaster(file io.ReaderAt, size int64, otherwise Datum) (*raster, error) {
	d, err := parseTIFF(file, size)
	if err != nil {
		return nil, err
	}
	r := &raster{directory: d}
	if err := firstError(r.parseLayout(), r.parseSample()); err != nil {
		return nil, err
	}
	keys, err := d.geoKeys()
	if err != nil {
		return nil, err
	}
	if err := keys.check(); err != nil {
		return nil, err
	}
	if r.metresPerUnit, err = keys.metresPerUnit(); err != nil {
		return nil, err
	}
	r.datum = keys.datum(otherwise)
	r.placement, err = d.place(&keys, r.rows, r.columns)
	return r, err
}

// parseLayout reads how the image is cut into blocks.
func (r *raster) parseLayout() error {
	var errs [6]error
	r.columns, errs[0] = r.integer(tagColumns, 0)
	r.rows, errs[1] = r.integer(tagRows, 0)
	r.blockColumns, errs[2] = r.integer(tagTileColumns, r.columns)
	r.blockRows, errs[3] = r.integer(tagTileRows, 0)
	r.offsetsTag, r.bytesTag = tagTileOffsets, tagTileBytes
	if _, tiled := r.entries[tagTileColumns]; !tiled {
		r.blockRows, errs[3] = r.integer(tagRowsPerStrip, r.rows)
		r.blockRows = min(r.blockRows, r.rows)
		r.offsetsTag, r.bytesTag = tagStripOffsets, tagStripBytes
	}
	r.compression, errs[4] = r.integer(tagCompression, 1)
	r.predictor, errs[5] = r.integer(tagPredictor, 1)
	if err := firstError(errs[:]...); err != nil {
		return err
	}
	const longest = 1 << 24
	for _, n := range [...]int{r.columns, r.rows, r.blockColumns, r.blockRows} {
		if n < 1 || n > longest {
			return fmt.Errorf("%w: %d x %d posts in blocks of %d x %d", errBroken, r.columns, r.rows, r.blockColumns, r.blockRows)
		}
	}
	r.across, r.down = (r.columns+r.blockColumns-1)/r.blockColumns, (r.rows+r.blockRows-1)/r.blockRows
	blocks := uint64(r.across) * uint64(r.down)
	if r.entries[r.offsetsTag].count != blocks || r.entries[r.bytesTag].count != blocks {
		return fmt.Errorf("%w: %d blocks, but %d offsets", errBroken, blocks, r.entries[r.offsetsTag].count)
	}
	return nil
}

// parseSample reads what a number is.
func (r *raster) parseSample() error {
	var errs [3]error
	var bits, format, samples int
	bits, errs[0] = r.integer(tagBits, 1)
	format, errs[1] = r.integer(tagFormat, 1)
	samples, errs[2] = r.integer(tagSamples, 1)
	if err := firstError(errs[:]...); err != nil {
		return err
	}
	if samples != 1 {
		return fmt.Errorf("%w: %d bands; heights are one", errUnsupported, samples)
	}
	var ok bool
	if r.sample, ok = sampleOf(format, bits); !ok {
		return fmt.Errorf("%w: numbers of format %d with %d bits", errUnsupported, format, bits)
	}
	if err := checkCoding(r.compression, r.predictor, r.sample); err != nil {
		return err
	}
	if metadata, err := r.text(tagMetadata); err != nil || strings.Contains(metadata, `role="scale"`) || strings.Contains(metadata, `role="offset"`) {
		return firstError(err, fmt.Errorf("%w: numbers with a scale or an offset", errUnsupported))
	}
	text, err := r.text(tagNoData)
	if err != nil {
		return err
	}
	r.sample.noData = math.NaN()
	if text != "" {
		if r.sample.noData, err = strconv.ParseFloat(text, 64); err != nil {
			return fmt.Errorf("%w: GDAL_NODATA is %q", errBroken, text)
		}
	}
	return nil
}

// page is a rectangle of whole blocks.
type page struct {
	tile                *tile
	row, column         int // of the first post
	firstDown, lastDown int // blocks
	firstAcross         int
	lastAcross          int
}

// pages cuts the raster into pages of about so many posts.
func (r *raster) pages(posts int) ([]*page, error) {
	side := int(math.Sqrt(float64(posts)))
	across := max(1, min(r.across, side/r.blockColumns))
	down := max(1, posts/(min(r.columns, across*r.blockColumns)*r.blockRows))
	if count := ((r.across + across - 1) / across) * ((r.down + down - 1) / down); count > 1<<16 {
		return nil, fmt.Errorf("%w: it would be read in %d pages; cut it into several files", errUnsupported, count)
	}
	var pages []*page
	for y := 0; y < r.down; y += down {
		for x := 0; x < r.across; x += across {
			p := &page{firstDown: y, lastDown: min(y+down, r.down), firstAcross: x, lastAcross: min(x+across, r.across)}
			p.row, p.column = y*r.blockRows, x*r.blockColumns
			at := r.placement
			at.northDeg, at.westDeg = r.placement.lat(p.row), r.placement.lon(p.column)
			at.rows = min(p.lastDown*r.blockRows, r.rows) - p.row
			at.columns = min(p.lastAcross*r.blockColumns, r.columns) - p.column
			p.tile = &tile{placement: at, datum: r.datum, wide: r.sample.wide() || r.metresPerUnit != 1}
			pages = append(pages, p)
		}
	}
	return pages, nil
}

// loadPage reads the posts of a page.
func loadPage(path string, p *page, first *raster) (*grid, error) {
	file, err := openSized(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	r, err := parseRaster(file, file.size, first.datum)
	if err != nil {
		return nil, err
	}
	if r.placement != first.placement || r.blockRows != first.blockRows || r.blockColumns != first.blockColumns ||
		r.metresPerUnit != first.metresPerUnit || r.sample.wide() != first.sample.wide() || r.datum != first.datum {
		return nil, fmt.Errorf("%w: it is not the raster that it was at the start", errBroken)
	}
	return r.read(p)
}
