package terrain

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// small is a GeoTIFF of 20 x 30 posts.
func small() tiff {
	return tiff{north: 46.5, west: 8.5, step: 1. / 1200, rows: 20, columns: 30, stripRows: 6, f: hills}
}

// patched sets the value of a tag, as it stands in the entry.
func patched(t testing.TB, file []byte, tag uint16, value uint32) []byte {
	t.Helper()
	order := binary.LittleEndian
	at := int(order.Uint32(file[4:]))
	for i := range int(order.Uint16(file[at:])) {
		entry := file[at+2+12*i:]
		if order.Uint16(entry) == tag {
			order.PutUint32(entry[8:], value)
			return file
		}
	}
	t.Fatalf("no tag %d", tag)
	return nil
}

func TestGeoTIFFRefusals(t *testing.T) {
	dir := t.TempDir()
	if _, err := openAndLoad(write(t, dir, "good.tif", small().content())); err != nil {
		t.Fatal(err)
	}
	with := func(keys ...uint16) []byte {
		g := small()
		g.keys = keys
		return g.content()
	}
	for reason, file := range map[string][]byte{
		"no TIFF":                           []byte("PNG and more"),
		"it ends before":                    small().content()[:6],
		"TIFF version 44":                   []byte("II\x2c\x00\x08\x00\x00\x00"),
		"EPSG:4277 is not WGS 84":           with(2048, 0, 1, 4277),
		"projected coordinates (EPSG:2056)": with(1024, 0, 1, 1, 3072, 0, 1, 2056),
		"model type 3":                      with(1024, 0, 1, 3),
		"angular unit 9105":                 with(2054, 0, 1, 9105),
		"vertical unit 9036":                with(4099, 0, 1, 9036),
		"compression 34887":                 patched(t, small().content(), tagCompression, 34887),
		"3 bands":                           patched(t, small().content(), tagSamples, 3),
		"format 3 with 16 bits":             patched(t, small().content(), tagBits, 16),
		"0 x 20 posts":                      patched(t, small().content(), tagColumns, 0),
		"tag 256 is 4294967295":             patched(t, small().content(), tagColumns, math.MaxUint32),
		"16777217":                          patched(t, small().content(), tagRows, 1<<24+1),
		"20 blocks, but 4 offsets":          patched(t, small().content(), tagRowsPerStrip, 1),
		"block 0":                           patched(t, small().content(), tagCompression, 8),
		"does not lie on earth":             latitude95(),
	} {
		if _, err := openAndLoad(write(t, dir, "bad.tif", file)); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: %v", reason, err)
		}
	}
}

func latitude95() []byte {
	g := small()
	g.north = 95
	return g.content()
}

// TestHugeClaims: headers that promise far more than the file can hold are refused, or read within the bound of memory.
func TestHugeClaims(t *testing.T) {
	dir := t.TempDir()
	g := small()
	g.rows, g.columns, g.stripRows, g.deflate = 1, 1, 1, true
	for name, file := range map[string][]byte{
		"one strip of 16 million columns": patched(t, g.content(), tagColumns, 1<<24),
		"a block of 4 million rows": patched(t, patched(t, patched(t, g.content(), tagRows, 1<<22), tagRowsPerStrip, 1<<22),
			tagColumns, 1),
	} {
		path := write(t, dir, "huge.tif", file)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := openAndLoad(path)
		runtime.ReadMemStats(&after)
		bytes := after.TotalAlloc - before.TotalAlloc
		if err == nil || bytes > 40<<20 {
			t.Errorf("%s: %v, %d bytes", name, err, bytes)
		}
	}
}

func TestDatumOfKeys(t *testing.T) {
	for _, tt := range []struct {
		codes     map[int]int
		otherwise Datum
		want      Datum
	}{
		{map[int]int{keyGeodetic: 4326}, MSL, MSL},
		{map[int]int{keyGeodetic: 4326}, HAE, HAE},
		{map[int]int{keyGeodetic: 4979}, MSL, HAE},
		{map[int]int{keyGeodetic: 4326, keyVertical: 5773}, HAE, MSL},
		{map[int]int{keyGeodetic: 4326, keyVertical: 3855}, HAE, MSL},
		{map[int]int{keyGeodetic: 4326, keyVertical: 5030}, MSL, HAE},
		{map[int]int{keyGeodetic: 4326, keyVertical: userDefined}, HAE, HAE},
	} {
		keys := geoKeys{codes: tt.codes}
		if got := keys.datum(tt.otherwise); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.codes, got, tt.want)
		}
	}
}

// TestFeet: heights in feet become metres.
func TestFeet(t *testing.T) {
	dir := t.TempDir()
	g := small()
	g.keys = []uint16{keyVertical, 0, 1, 5773, keyVerticalUnit, 0, 1, 9002}
	g.f = func(float64, float64) float64 { return 1000 }
	write(t, dir, "feet.tif", g.content())
	if got, ok := msl(open(t, Options{Dir: dir}), 46.495, 8.51); !ok || math.Abs(got-304.8) > 0.01 {
		t.Errorf("%v, %v", got, ok)
	}
}

// TestPredictors encodes rows by the definitions and decodes them.
func TestPredictors(t *testing.T) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, width := range []int{1, 2, 4, 8} {
			plain, coded := make([]byte, 5*width), make([]byte, 5*width)
			for i := range plain {
				plain[i] = byte(i*i*7 + 3)
			}
			word := func(b []byte) uint64 { // the lowest bits are the first
				var padded [8]byte
				if order == binary.ByteOrder(binary.LittleEndian) {
					copy(padded[:], b[:width])
				} else {
					copy(padded[8-width:], b[:width])
				}
				return order.Uint64(padded[:])
			}
			for i := range 5 {
				difference := word(plain[i*width:])
				if i > 0 {
					difference -= word(plain[(i-1)*width:])
				}
				for b := range width {
					shift := 8 * b
					if order == binary.ByteOrder(binary.BigEndian) {
						shift = 8 * (width - 1 - b)
					}
					coded[i*width+b] = byte(difference >> shift)
				}
			}
			r := raster{directory: &directory{order: order}, predictor: predictHorizontal, sample: sample{bytes: width}}
			if r.unpredict(coded); string(coded) != string(plain) {
				t.Errorf("%v, %d bytes: %v, want %v", order, width, coded, plain)
			}
		}
	}
}

// TestReplacedGeoTIFF: another raster of the same name is an error, not other ground.
func TestReplacedGeoTIFF(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "a.tif", small().content())
	m := open(t, Options{Dir: dir})
	moved := small()
	moved.west += 0.001
	if err := os.WriteFile(path, moved.content(), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, ok := msl(m, 46.495, 8.51); ok {
		t.Error("ground from another raster")
	}
}

// TestTooLargeForCache: a tile that the cache cannot hold is left out, with the numbers.
func TestTooLargeForCache(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "N46E008.hgt", hgt(46, 8, 121, hills))
	_, err := Open(Options{Dir: dir, CacheBytes: 10000})
	if want := "more than the cache of 10000"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

// corpus reads the files of GDAL, as seeds.
func corpus(tb testing.TB, pattern string) (files [][]byte) {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "gdal", pattern))
	if err != nil || len(paths) == 0 {
		tb.Fatal(fmt.Sprint(paths, err))
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		files = append(files, content)
	}
	return files
}
