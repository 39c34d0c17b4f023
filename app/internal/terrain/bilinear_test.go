package terrain

import (
	"math"
	"testing"

	"github.com/detection-api/detection-api/app/internal/geo"
)

// ripples is the field of TestBilinearOfGDAL by row and column of a tile with posts each 3 seconds of arc.
func ripples(lat, lon float64) float64 {
	row, column := math.Round((47-lat)*1200), math.Round((lon-8)*1200)
	return math.Trunc(700 + 400*math.Sin(row/60)*math.Cos(column/70) + 60*math.Sin((row+1.3*column)/9))
}

// TestBilinearOfGDAL compares heights between posts with those of GDAL 3.6.2 for the same tile:
//
//	gdalwarp -r bilinear -t_srs EPSG:4326 -te 8.3 46.3 8.302 46.302 -ts 4 4 -ot Float64 -et 0 N46E008.hgt w.tif
//	gdal_translate -of XYZ w.tif w.xyz
//
// GDAL weighs posts with the precision of float32.
func TestBilinearOfGDAL(t *testing.T) {
	want := [4][4]float64{ // from 46.30175 N and from 8.30025 E on, each 0.0005 degrees
		{901, 908.20001220703125, 914.95001220703125, 921.5},
		{904.45001220703125, 911.3499755859375, 917.75, 923.95001220703125},
		{907.77001953125, 914.30999755859375, 920.4000244140625, 926.28997802734375},
		{910.59002685546875, 916.77001953125, 922.79998779296875, 928.6300048828125},
	}
	for name, content := range map[string][]byte{"N46E008.hgt": hgt(46, 8, 1201, ripples), "n46.dt1": dted(46, 8, 1201, ripples)} {
		dir := t.TempDir()
		write(t, dir, name, content)
		m := open(t, Options{Dir: dir})
		for i := range want {
			for j, height := range want[i] {
				lat, lon := 46.30175-float64(i)/2000, 8.30025+float64(j)/2000
				if got, ok := msl(m, lat, lon); !ok || math.Abs(got-height) > 0.01 {
					t.Errorf("%s at %v, %v: %v, %v; GDAL has %v", name, lat, lon, got, ok, height)
				}
			}
		}
	}
}

var sink geo.Fix

// rolling is farm land: slopes of up to 6 %, and 2 m of ups and downs within half a kilometre.
func rolling(lat, lon float64) float64 {
	return 300 + 80*math.Sin(lat*70)*math.Cos(lon*50) + 2*math.Sin(lat*1300+lon*1700)
}

// BenchmarkLocate is the way of a detection over a tile with posts each second of arc, once it is in memory: over farm land,
// where the error is linear, and over hills so steep that it has to be sampled.
func BenchmarkLocate(b *testing.B) {
	dir := b.TempDir()
	write(b, dir, "N46E008.hgt", hgt(46, 8, 3601, hills))
	write(b, dir, "N46E009.hgt", hgt(46, 9, 3601, rolling))
	m := open(b, Options{Dir: dir})
	for _, bb := range []struct {
		name               string
		lon, pitch, height float64
	}{
		{"farmland/300m", 9.5, -45, 200},
		{"farmland/5km", 9.5, -20, 1720},
		{"farmland/20km", 9.5, -13, 4400},
		{"hills/400m", 8.5, -45, 350},
		{"hills/5km", 8.5, -12, 860},
		{"hills/30km", 8.5, -5, 2500},
	} {
		b.Run(bb.name, func(b *testing.B) {
			camera := geo.CameraForImage(1920, 1080, 1200)
			camera.Position = geo.LatLonHAE{LatDeg: 46.5, LonDeg: bb.lon}
			ground, ok := geo.GroundHAEMetres(m, 46.5, bb.lon)
			if !ok {
				b.Fatal("no ground")
			}
			camera.Position.HAEMetres, camera.HeadingDeg, camera.PitchDeg = ground+bb.height, 190, bb.pitch
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if sink, err = geo.LocateOnTerrain(camera, 960, 540, m, geo.DefaultSigmas()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(sink.SlantRangeMetres, "m/slant")
			b.Logf("%s, CE90 %.0f m, grazing %.0f degrees", sink.Method, sink.CE90Metres, sink.GrazingDeg)
		})
	}
}
