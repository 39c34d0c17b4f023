package terrain

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/detection-api/detection-api/app/internal/geo"
)

// tiff is a GeoTIFF that tests write: float32, one strip for so many rows, pixels that are areas.
type tiff struct {
	north, west   float64 // of the first pixel's corner
	step          float64
	rows, columns int
	stripRows     int
	deflate       bool
	keys          []uint16 // more geo keys, four words each
	f             field    // NaN for voids
}

// content returns the file.
func (g tiff) content() []byte {
	order, b := binary.LittleEndian, []byte("II*\x00\x00\x00\x00\x00")
	var offsets, counts []uint32
	for top := 0; top < g.rows; top += g.stripRows {
		strip := g.strip(top, min(top+g.stripRows, g.rows))
		offsets, counts = append(offsets, uint32(len(b))), append(counts, uint32(len(strip)))
		b = append(b, strip...)
	}
	put := func(values ...any) uint32 {
		at := uint32(len(b))
		for _, v := range values {
			b, _ = binary.Append(b, order, v)
		}
		return at
	}
	keys := append([]uint16{1, 1, 0, uint16(2 + len(g.keys)/4), 1024, 0, 1, 2, 2048, 0, 1, 4326}, g.keys...)
	compression := uint32(1)
	if g.deflate {
		compression = 8
	}
	strips := uint32(len(offsets))
	atOffsets, atCounts := put(offsets), put(counts)
	if strips == 1 {
		atOffsets, atCounts = offsets[0], counts[0]
	}
	entries := [][4]uint32{
		{256, 4, 1, uint32(g.columns)},
		{257, 4, 1, uint32(g.rows)},
		{258, 3, 1, 32},
		{259, 3, 1, compression},
		{273, 4, strips, atOffsets},
		{277, 3, 1, 1},
		{278, 4, 1, uint32(g.stripRows)},
		{279, 4, strips, atCounts},
		{339, 3, 1, 3},
		{33550, 12, 3, put(g.step, g.step, 0.)},
		{33922, 12, 6, put(0., 0., 0., g.west, g.north, 0.)},
		{34735, 3, uint32(len(keys)), put(keys)},
		{42113, 2, 4, put([]byte("nan\x00"))},
	}
	entries[12][3] = binary.LittleEndian.Uint32([]byte("nan\x00")) // four bytes fit into the entry
	order.PutUint32(b[4:], uint32(len(b)))
	put(uint16(len(entries)))
	for _, e := range entries {
		put(uint16(e[0]), uint16(e[1]), e[2], e[3])
	}
	put(uint32(0))
	return b
}

func (g tiff) strip(top, bottom int) []byte {
	var b []byte
	for row := top; row < bottom; row++ {
		for column := range g.columns {
			h := float32(g.f(g.north-(float64(row)+0.5)*g.step, g.west+(float64(column)+0.5)*g.step))
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(h))
		}
	}
	if !g.deflate {
		return b
	}
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	_, _ = w.Write(b)
	_ = w.Close()
	return packed.Bytes()
}

// TestAcrossEdges: cut into files or into pages, the ground is the same as in one piece.
func TestAcrossEdges(t *testing.T) {
	whole := tiff{north: 46.3, west: 8.1, step: 1. / 1200, rows: 90, columns: 110, stripRows: 7, deflate: true, f: hills}
	one, four := t.TempDir(), t.TempDir()
	write(t, one, "whole.tif", whole.content())
	for i, part := range [][4]int{{0, 0, 40, 50}, {0, 50, 40, 60}, {40, 0, 50, 50}, {40, 50, 50, 60}} {
		cut := whole
		cut.north -= float64(part[0]) * cut.step
		cut.west += float64(part[1]) * cut.step
		cut.rows, cut.columns = part[2], part[3]
		write(t, four, fmt.Sprintf("%d.tif", i), cut.content())
	}
	want := open(t, Options{Dir: one})
	for name, got := range map[string]*Model{
		"four files": open(t, Options{Dir: four}), "pages": open(t, Options{Dir: one, pagePosts: 500}),
		"pages of one strip": open(t, Options{Dir: one, pagePosts: 1}),
	} {
		if got.Summary().Tiles < 4 {
			t.Errorf("%s: %d tiles", name, got.Summary().Tiles)
		}
		noise := rand.New(rand.NewPCG(2, 2))
		for range 3000 {
			lat, lon := 46.3-90./1200*noise.Float64(), 8.1+110./1200*noise.Float64()
			if noise.IntN(3) == 0 {
				lat = 46.3 - 40./1200 + (noise.Float64()-0.5)/1000 // near an edge
			}
			a, ok := geo.GroundHAEMetres(want, lat, lon)
			b, same := geo.GroundHAEMetres(got, lat, lon)
			if !ok || !same || math.Abs(a-b) > 1e-3 {
				t.Fatalf("%s: %v, %v: %v (%v), want %v (%v)", name, lat, lon, b, same, a, ok)
			}
		}
	}
	if _, ok := geo.GroundHAEMetres(want, 46.3+0.01/1200, 8.15); ok {
		t.Error("ground beyond the edge")
	}
}

// TestOverlaps: the finest tile that knows the ground counts, wherever the answer comes from.
func TestOverlaps(t *testing.T) {
	dir := t.TempDir()
	flat := func(h float64) field { return func(float64, float64) float64 { return h } }
	write(t, dir, "N46E008.hgt", hgt(46, 8, 121, flat(100)))
	fine := tiff{north: 46.6, west: 8.4, step: 1. / 3600, rows: 400, columns: 400, stripRows: 400, f: func(lat, lon float64) float64 {
		if math.Hypot(lat-46.55, lon-8.45) < 0.01 {
			return math.NaN()
		}
		return 500
	}}
	write(t, dir, "fine.tif", fine.content())
	m := open(t, Options{Dir: dir})
	for _, tt := range []struct{ lat, lon, want float64 }{
		{46.55, 8.41, 500}, {46.5999, 8.4001, 500}, {46.55, 8.45, 100}, {46.7, 8.45, 100}, {46.55, 8.3999, 100}, {46.4, 8.4, 100},
	} {
		if got, ok := msl(m, tt.lat, tt.lon); !ok || math.Abs(got-tt.want) > 0.01 {
			t.Errorf("%v, %v: %v, %v; want %v", tt.lat, tt.lon, got, ok, tt.want)
		}
	}
	checkPatches(t, m, box{south: 46.3, north: 46.7, west: 8.2, east: 8.7})
}

// checkPatches holds patches of random points to what they promise: the ground inside them is as they say.
func checkPatches(t *testing.T, m *Model, area box) {
	t.Helper()
	noise := rand.New(rand.NewPCG(3, 3))
	random := func(b box) (lat, lon float64) {
		return b.south + (b.north-b.south)*noise.Float64(), b.west + (b.east-b.west)*noise.Float64()
	}
	kinds := map[geo.PatchKind]int{}
	for range 4000 {
		lat, lon := random(area)
		p := m.Patch(lat, lon, 1500*noise.Float64())
		kinds[p.Kind]++
		b := boxOf(&p)
		if !b.contains(lat, lon) {
			t.Fatalf("%v, %v is not in its patch %+v", lat, lon, p)
		}
		for range 20 {
			y, x := random(b)
			ground, ok := geo.GroundHAEMetres(m, y, x)
			switch {
			case p.Kind == geo.Bounded && (!ok || ground > p.CeilingHAEMetres):
				t.Fatalf("%v, %v: ground at %v, %v of %v (%v) in %+v", lat, lon, y, x, ground, ok, p)
			case p.Kind == geo.Surface && (!ok || math.Abs(ground-p.Bilinear.HAEAt(y, x)) > 1e-6):
				t.Fatalf("%v, %v: ground at %v, %v of %v (%v), not %v, in %+v", lat, lon, y, x, ground, ok, p.Bilinear.HAEAt(y, x), p)
			case p.Kind == geo.Unknown && ok:
				t.Fatalf("%v, %v: ground at %v, %v is known in %+v", lat, lon, y, x, p)
			}
		}
	}
	if kinds[geo.Bounded] < 400 || kinds[geo.Surface] < 400 {
		t.Errorf("too few of a kind: %v", kinds)
	}
}

// TestPatches has tiles of three sizes with voids, and gaps between them.
func TestPatches(t *testing.T) {
	dir := t.TempDir()
	holed := func(lat, lon float64) float64 {
		if math.Sin(lat*900)*math.Sin(lon*800) > 0.97 {
			return math.NaN()
		}
		return hills(lat, lon)
	}
	write(t, dir, "N46E008.hgt", hgt(46, 8, 601, holed))
	write(t, dir, "N46E009.hgt", hgt(46, 9, 301, hills))
	write(t, dir, "a.tif", tiff{north: 46.8, west: 8.9, step: 1. / 1200, rows: 150, columns: 200, stripRows: 11, f: holed}.content())
	m := open(t, Options{Dir: dir, pagePosts: 5000})
	checkPatches(t, m, box{south: 46, north: 47, west: 8, east: 10})
}

// TestMarchWithoutCeilings: the ceilings save time and change nothing.
func TestMarchWithoutCeilings(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "N46E008.hgt", hgt(46, 8, 601, hills))
	write(t, dir, "a.tif", tiff{north: 46.6, west: 8.3, step: 1. / 3600, rows: 300, columns: 300, stripRows: 32, f: hills}.content())
	m := open(t, Options{Dir: dir, pagePosts: 20000})
	noise := rand.New(rand.NewPCG(4, 4))
	hits := 0
	for range 300 {
		camera := geo.CameraForImage(1920, 1080, 1200)
		camera.Position = geo.LatLonHAE{LatDeg: 46.45 + 0.2*noise.Float64(), LonDeg: 8.25 + 0.2*noise.Float64()}
		ground, _ := geo.GroundHAEMetres(m, camera.Position.LatDeg, camera.Position.LonDeg)
		camera.Position.HAEMetres = ground + 10 + 500*noise.Float64()
		camera.HeadingDeg, camera.PitchDeg = 360*noise.Float64(), 1-15*noise.ExpFloat64()
		got, err := geo.LocateOnTerrain(camera, 960, 540, m, geo.Sigmas{})
		want, plain := geo.LocateOnTerrain(camera, 960, 540, unbounded{m}, geo.Sigmas{})
		if fmt.Sprint(err) != fmt.Sprint(plain) || math.Abs(got.SlantRangeMetres-want.SlantRangeMetres) > 0.03 {
			t.Errorf("%+v: %v m (%v), without ceilings %v m (%v)", camera, got.SlantRangeMetres, err, want.SlantRangeMetres, plain)
		}
		if err == nil {
			hits++
		}
	}
	if hits < 200 {
		t.Errorf("only %d of 300 rays hit", hits)
	}
}

// unbounded never answers with a ceiling.
type unbounded struct{ *Model }

func (u unbounded) Patch(lat, lon, _ float64) geo.Patch { return u.Model.Patch(lat, lon, math.Inf(-1)) }

// TestAroundTheWorld: a model that goes around it, from 0 to 360, has no seam, and tiles on both sides of the antimeridian
// meet there.
func TestAroundTheWorld(t *testing.T) {
	wave := func(lat, lon float64) float64 {
		return 500 + 300*math.Sin(lon*math.Pi/180*3)*math.Cos(lat*math.Pi/180)
	}
	world, date := t.TempDir(), t.TempDir()
	write(t, world, "world.tif", tiff{north: 90, west: 0, step: 1, rows: 180, columns: 360, stripRows: 20, f: wave}.content())
	write(t, date, "N10E179.hgt", hgt(10, 179, 61, wave))
	write(t, date, "N10W180.hgt", hgt(10, -180, 61, wave))
	for name, m := range map[string]*Model{"world": open(t, Options{Dir: world, pagePosts: 3000}), "tiles": open(t, Options{Dir: date})} {
		for _, lon := range []float64{179.2, 179.999, 180, -180, -179.999, -179.1} {
			got, ok := msl(m, 10.5, lon)
			if want := wave(10.5, lon); !ok || math.Abs(got-want) > 2 {
				t.Errorf("%s, longitude %v: %v, %v; want %v", name, lon, got, ok, want)
			}
		}
		camera := geo.CameraForImage(1920, 1080, 1200)
		camera.Position, camera.HeadingDeg, camera.PitchDeg = geo.LatLonHAE{LatDeg: 10.5, LonDeg: 179.99, HAEMetres: 1500}, 90, -10
		fix, err := geo.LocateOnTerrain(camera, 960, 540, m, geo.Sigmas{})
		if err != nil || !(fix.Point.LonDeg > -180 && fix.Point.LonDeg < -179) {
			t.Errorf("%s: over the antimeridian: %+v, %v", name, fix, err)
		}
	}
	m := open(t, Options{Dir: world})
	for _, lat := range []float64{90, 89.9, -89.9, -90} {
		for _, lon := range []float64{-180, -90.5, 0, 0.2, 179.9} {
			if got, ok := msl(m, lat, lon); !ok || math.Abs(got-500) > 10 {
				t.Errorf("%v, %v: %v, %v", lat, lon, got, ok)
			}
		}
	}
}
