package terrain

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/detection-api/detection-api/app/internal/geo"
)

// fuzzFile opens whatever the bytes are as a model with a small cache and asks for the ground in all of it. Heights have to
// be finite and below the highest ground whatever the file says.
func fuzzFile(t *testing.T, name string, content []byte) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
		t.Skip(err)
	}
	m, err := Open(Options{Dir: dir, CacheBytes: 1 << 20})
	if err != nil {
		return
	}
	s := m.Summary()
	for y := range 7 {
		for x := range 7 {
			lat := s.SouthDeg + (s.NorthDeg-s.SouthDeg)*float64(y)/6
			lon := s.WestDeg + (s.EastDeg-s.WestDeg)*float64(x)/6
			if lon >= 180 {
				lon -= 360
			}
			p := m.Patch(lat, lon, math.Inf(-1))
			if hae := p.Bilinear.HAEAt(lat, lon); math.IsNaN(hae) || math.IsInf(hae, 0) || hae > geo.HighestGroundHAEMetres {
				t.Fatalf("ground at %v, %v of %v m: %+v", lat, lon, hae, p)
			}
			b := boxOf(&p)
			if !b.contains(lat, lon) {
				t.Fatalf("%v, %v is not in its patch: %+v", lat, lon, p)
			}
			m.Patch(lat, lon, 5000)
		}
	}
}

func FuzzHGT(f *testing.F) {
	f.Add("N46E008.hgt", hgt(46, 8, 4, hills))
	f.Add("S01W180.hgt", hgt(-1, -180, 5, hills))
	f.Add("N89E179.hgt", hgt(89, 179, 2, func(float64, float64) float64 { return math.NaN() }))
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		if _, _, err := hgtCorner(name); err != nil || name != filepath.Base(name) {
			return
		}
		fuzzFile(t, name[:7]+".hgt", content)
	})
}

func FuzzPacked(f *testing.F) {
	content := hgt(46, 8, 4, hills)
	f.Add(false, zipped(f, map[string][]byte{"N46E008.hgt": content}))
	f.Add(true, gzipped(f, content))
	f.Fuzz(func(t *testing.T, gz bool, content []byte) {
		name := "N46E008.hgt.zip"
		if gz {
			name = "N46E008.hgt.gz"
		}
		fuzzFile(t, name, content)
	})
}

func FuzzDTED(f *testing.F) {
	f.Add(dted(46, 8, 4, hills))
	f.Add(dted(-90, -180, 3, func(lat, _ float64) float64 { return lat * 100 }))
	f.Fuzz(func(t *testing.T, content []byte) { fuzzFile(t, "a.dt2", content) })
}

func FuzzGeoTIFF(f *testing.F) {
	for _, content := range corpus(f, "*.tif") {
		f.Add(content)
	}
	f.Add(small().content())
	f.Add(tiff{north: 90, west: -180, step: 45, rows: 4, columns: 8, stripRows: 1, deflate: true, f: hills}.content())
	f.Fuzz(func(t *testing.T, content []byte) { fuzzFile(t, "a.tif", content) })
}
