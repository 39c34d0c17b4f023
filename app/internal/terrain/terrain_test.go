package terrain

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/detection-api/detection-api/app/internal/geo"
)

// field is a height above mean sea level as a function of the place, for tiles that tests make.
type field func(lat, lon float64) float64

// hills is smooth at a scale of some kilometres.
func hills(lat, lon float64) float64 {
	return 700 + 400*math.Sin(lat*200)*math.Cos(lon*170) + 60*math.Sin(lat*1300+lon*1700)
}

// hgt is the content of a tile with so many posts along each side.
func hgt(south, west, posts int, f field) []byte {
	var b []byte
	step := 1 / float64(posts-1)
	for row := range posts {
		for column := range posts {
			h := f(float64(south+1)-float64(row)*step, float64(west)+float64(column)*step)
			if math.IsNaN(h) {
				h = voidPost
			}
			b = binary.BigEndian.AppendUint16(b, uint16(int16(math.Round(h))))
		}
	}
	return b
}

// write puts a file into a directory, with the directories above it.
func write(t testing.TB, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t testing.TB, opts Options) *Model {
	t.Helper()
	m, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// msl returns the height above mean sea level; ok is false for unknown ground.
func msl(m *Model, lat, lon float64) (metres float64, ok bool) {
	hae, ok := geo.GroundHAEMetres(m, lat, lon)
	return geo.MSLFromHAE(lat, lon, hae), ok
}

// ascii is an ESRI ASCII grid, which is what GDAL made the files in testdata from.
type ascii struct {
	south, west, dx, dy float64 // of the first pixel's corner
	rows                [][]float64
}

func readASCII(t *testing.T, name string) ascii {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", "gdal", name))
	if err != nil {
		t.Fatal(err)
	}
	var a ascii
	noData := math.NaN()
	for line := range strings.Lines(string(content)) {
		words := strings.Fields(line)
		value, err := strconv.ParseFloat(words[len(words)-1], 64)
		if err != nil {
			t.Fatal(err)
		}
		switch words[0] {
		case "ncols", "nrows":
		case "xllcorner":
			a.west = value
		case "yllcorner":
			a.south = value
		case "cellsize":
			a.dx, a.dy = value, value
		case "dx":
			a.dx = value
		case "dy":
			a.dy = value
		case "NODATA_value":
			noData = value
		default:
			row := make([]float64, len(words))
			for i, word := range words {
				if row[i], err = strconv.ParseFloat(word, 64); err != nil {
					t.Fatal(err)
				}
				if row[i] == noData {
					row[i] = math.NaN()
				}
			}
			a.rows = append(a.rows, row)
		}
	}
	return a
}

// at returns where a post lies.
func (a *ascii) at(row, column int) (lat, lon float64) {
	return a.south + (float64(len(a.rows)-row)-0.5)*a.dy, a.west + (float64(column)+0.5)*a.dx
}

// besideVoid reports whether one of the posts around is a void, but not this one.
func (a *ascii) besideVoid(row, column int) bool {
	for _, line := range a.rows[max(0, row-1):min(len(a.rows), row+2)] {
		if slices.ContainsFunc(line[max(0, column-1):min(len(line), column+2)], math.IsNaN) {
			return !math.IsNaN(a.rows[row][column])
		}
	}
	return false
}

// alone opens one file of testdata/gdal.
func alone(t *testing.T, name string) (*Model, error) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", "gdal", name))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, dir, name, content)
	return Open(Options{Dir: dir, pagePosts: 200})
}

// TestFilesOfGDAL compares each post of each file with the grid that GDAL made it from.
func TestFilesOfGDAL(t *testing.T) {
	for _, tt := range []struct {
		grid  string
		files []string
		datum Datum
	}{
		{"i.asc", []string{"i16.tif", "i16-deflate2.tif", "i16-lzw2-tiled-big.tif", "i16-lzw-bigtiff.tif"}, MSL},
		{"f.asc", []string{
			"f32.tif", "f32-deflate3-tiled.tif", "f32-lzw2-big.tif", "f32-deflate2-point.tif", "f64-deflate3.tif", "sparse.tif",
			"cog.tif", "f32-egm96.tif", "f32-egm2008.tif",
		}, MSL},
		{"f.asc", []string{"f32-hae.tif"}, HAE},
		{"d.asc", []string{"n81w033.dt0"}, MSL},
	} {
		want := readASCII(t, tt.grid)
		for _, name := range tt.files {
			m, err := alone(t, name)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if bad := differences(m, &want, tt.datum); len(bad) > 0 {
				t.Errorf("%s: %d posts differ: %q", name, len(bad), bad[:min(3, len(bad))])
			}
		}
	}
}

// differences lists the posts that are not as expected. Those beside a void lie on the edge of unknown ground.
func differences(m *Model, want *ascii, datum Datum) (bad []string) {
	for row := range want.rows {
		for column, height := range want.rows[row] {
			lat, lon := want.at(row, column)
			got, ok := msl(m, lat, lon)
			if want.besideVoid(row, column) {
				continue
			}
			if datum == HAE {
				got = geo.HAEFromMSL(lat, lon, got)
			}
			if ok == math.IsNaN(height) || ok && math.Abs(got-height) > 8e-3 {
				bad = append(bad, fmt.Sprintf("row %d, column %d at %v, %v: %v, %v instead of %v", row, column, lat, lon, got, ok, height))
			}
		}
	}
	return bad
}

// TestPlacesOfGDAL is the positive control of TestFilesOfGDAL: a hundredth of a post aside, heights differ.
func TestPlacesOfGDAL(t *testing.T) {
	want := readASCII(t, "f.asc")
	want.west += 0.01 * want.dx
	m, err := alone(t, "f32.tif")
	if err != nil {
		t.Fatal(err)
	}
	if bad := differences(m, &want, MSL); len(bad) < 100 {
		t.Errorf("only %d posts differ", len(bad))
	}
}

func TestRefusedFilesOfGDAL(t *testing.T) {
	for name, reason := range map[string]string{
		"utm.tif": "projected coordinates (EPSG:32632); warp the file to EPSG:4326", "zstd.tif": "compression 50000", "i.asc": "not a height model",
	} {
		_, err := alone(t, name)
		if !errors.Is(err, ErrNoTiles) || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: %v, want %q", name, err, reason)
		}
	}
}

func TestOpenNothing(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(Options{Dir: dir}); !errors.Is(err, ErrNoTiles) {
		t.Error(err)
	}
	if _, err := Open(Options{Dir: filepath.Join(dir, "none")}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	write(t, dir, "N46E008.hgt", bytes.Repeat([]byte{0}, 7))
	if _, err := Open(Options{Dir: dir}); !errors.Is(err, ErrNoTiles) || !strings.Contains(err.Error(), "7 bytes") {
		t.Error(err)
	}
	for _, bad := range []Options{{Datum: "egm84"}, {CacheBytes: -1}, {SigmaMetres: -1}, {SigmaMetres: math.NaN()}} {
		bad.Dir = dir
		if _, err := Open(bad); err == nil || errors.Is(err, ErrNoTiles) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestSummary(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "N46E008.hgt", hgt(46, 8, 61, hills))
	write(t, dir, "a/N47E009.hgt", hgt(47, 9, 121, hills))
	write(t, dir, ".hidden/N48E009.hgt", hgt(48, 9, 61, hills))
	write(t, dir, "README.txt", []byte("about"))
	write(t, dir, "N10E010.hgt", []byte("short"))
	if err := os.Symlink(filepath.Join(dir, "none"), filepath.Join(dir, "N11E010.hgt")); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	s := open(t, Options{Dir: link}).Summary()
	if s.Files != 2 || s.Tiles != 2 || s.SouthDeg != 46 || s.NorthDeg != 48 || s.WestDeg != 8 || s.EastDeg != 10 || len(s.Ignored) != 3 {
		t.Errorf("%+v", s)
	}
	for _, part := range []string{"2 files", "latitude 46.0000 to 48.0000", "3 files ignored", "README.txt: not a height model", "5 bytes"} {
		if !strings.Contains(s.String(), part) {
			t.Errorf("%q does not say %q", s, part)
		}
	}
}
