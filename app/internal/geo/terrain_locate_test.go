package geo

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/spatial/r3"
)

// TestFlatTerrainIsTheEllipsoid holds the march against the closed form, which knows nothing of patches.
func TestFlatTerrainIsTheEllipsoid(t *testing.T) {
	for _, lat := range []float64{-70, -0.01, 33, 60, 85} {
		for _, hae := range []float64{-420, 0, 4000} {
			r := newRelief(lat, 10, 1./120, 120, func(int, int) float64 { return hae })
			for _, pitch := range []float64{-90, -45, -10, -3} {
				camera := testCamera(lat+0.1, 10.1, 40)
				camera.Position.HAEMetres, camera.PitchDeg = hae+500, pitch
				want, err := camera.GroundHit(camera.CxPx, camera.CyPx, hae)
				if err != nil {
					t.Fatal(err)
				}
				got, err := IntersectTerrain(camera.Position, camera.axes().forward, r)
				if err != nil || math.Abs(got.SlantRangeMetres-want.SlantRangeMetres) > 2e-3 ||
					math.Abs(got.GrazingDeg-want.GrazingDeg) > 1e-3 || math.Abs(got.DepressionDeg-want.DepressionDeg) > 1e-9 ||
					HorizontalDistanceMetres(got.Point, want.Point) > 2e-3 {
					t.Errorf("lat %v, surface %v m, pitch %v: %+v, %v; want %+v", lat, hae, pitch, got, err, want)
				}
			}
		}
	}
}

// ridge is level ground at 100 m with a wall of 300 m across the middle.
func ridge() *relief {
	return newRelief(50, 10, 1./3600, 101, func(row, _ int) float64 {
		if row == 50 {
			return 300
		}
		return 100
	})
}

func TestTerrainMisses(t *testing.T) {
	holed := ridge()
	for column := range holed.columns {
		holed.posts[30*holed.columns+column] = math.NaN()
	}
	tests := []struct {
		name       string
		hae, pitch float64
		terrain    Terrain
		want       error
	}{
		{"the wall is hit, looking up", 250, 0.5, ridge(), nil},
		{"over the wall, into the void of the data", 400, -1, ridge(), ErrNoTerrain},
		{"to the sky, out of the data", 350, 2, ridge(), ErrNoGroundIntersection},
		{"to the sky, without data", 500, 10, newRelief(-20, 10, 1./3600, 10, rough(1, 1)), ErrNoGroundIntersection},
		{"upwards into a void, below the highest post", 290, 0.2, holed, ErrNoTerrain},
		{"to the sky, above all mountains", 350, 89, ridge(), ErrNoGroundIntersection},
		{"under the ground", 99.9, -45, ridge(), ErrCameraBelowSurface},
		{"over a void, above all posts, to the wall", 330, -3, holed, nil},
		{"over a void, below the highest post", 290, -2, holed, ErrNoTerrain},
		{"in front of a void", 290, -60, holed, nil},
		{"into a void", 310, -32, holed, ErrNoTerrain},
		{"no data at all", 500, -45, newRelief(-20, 10, 1./3600, 10, rough(1, 1)), ErrNoTerrain},
		{"no data, far above, past the horizon", 100e3, -0.1, newRelief(-20, 10, 1./3600, 10, rough(1, 1)), ErrNoGroundIntersection},
		{"no data, far above, downwards", 100e3, -20, newRelief(-20, 10, 1./3600, 10, rough(1, 1)), ErrTooShallow},
		{"straight down from a satellite", 99e3, -90, ridge(), nil},
		{"too far", 101e3, -90, ridge(), ErrTooShallow},
	}
	for _, tt := range tests {
		camera := testCamera(50+20./3600, 10+50.3/3600, 0)
		camera.Position.HAEMetres, camera.PitchDeg = tt.hae, tt.pitch
		hit, err := IntersectTerrain(camera.Position, camera.axes().forward, tt.terrain)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %+v, %v; want %v", tt.name, hit, err, tt.want)
		}
		if err != nil && hit != (Hit{}) {
			t.Errorf("%s: a hit beside an error: %+v", tt.name, hit)
		}
	}
}

func TestTerrainRefusesBadNumbers(t *testing.T) {
	if _, err := IntersectTerrain(LatLonHAE{LatDeg: math.NaN()}, r3.Vec{Z: -1}, ridge()); !errors.Is(err, ErrInvalidInput) {
		t.Error(err)
	}
	if _, err := IntersectTerrain(LatLonHAE{HAEMetres: 1}, r3.Vec{Z: -2}, ridge()); !errors.Is(err, ErrInvalidInput) {
		t.Error(err)
	}
	if _, err := LocateOnTerrain(Camera{}, 0, 0, ridge(), Sigmas{}); !errors.Is(err, ErrInvalidInput) {
		t.Error(err)
	}
	if _, ok := GroundHAEMetres(ridge(), math.NaN(), 10); ok {
		t.Error("ground at no latitude")
	}
	if hae, ok := GroundHAEMetres(ridge(), 50+50./3600, 10.01); !ok || math.Abs(hae-300) > 1e-6 {
		t.Errorf("ground under the wall: %v, %v", hae, ok)
	}
}

// hillside rises by 0.4 to the north and falls by 0.2 to the east.
func hillside() *relief {
	const spacing = 1. / 3600
	r := newRelief(46, 7, spacing, 400, func(row, column int) float64 {
		return 0.4*float64(row)*spacing*111.15e3 - 0.2*float64(column)*spacing*77.47e3 + 1000
	})
	r.sigma = 4
	return r
}

// overHillside looks at it, from the middle of it.
func overHillside(heading, pitch, height float64) Camera {
	camera := testCamera(46.05, 7.05, heading)
	ground, _ := GroundHAEMetres(hillside(), 46.05, 7.05)
	camera.Position.HAEMetres, camera.PitchDeg = ground+height, pitch
	return camera
}

// TestTerrainErrorAgainstDifferences compares CE90 and LE90 on a slope with central differences of the march itself.
func TestTerrainErrorAgainstDifferences(t *testing.T) {
	r, sigmas := hillside(), DefaultSigmas()
	for heading := 0.0; heading < 360; heading += 60 {
		camera := overHillside(heading, -50, 150)
		fix, err := LocateOnTerrain(camera, camera.CxPx, camera.CyPx, r, sigmas)
		if err != nil || fix.Method != Linear {
			t.Fatal(fix, err)
		}
		sigmas.GroundHeightMetres = r.sigma
		sum, climb := differences(t, r, camera, fix.Hit, sigmas.byInput())
		want := sum.ellipse()
		if math.Abs(fix.Ellipse.SigmaMajorMetres/want.SigmaMajorMetres-1) > 1e-3 ||
			math.Abs(fix.Ellipse.SigmaMinorMetres/want.SigmaMinorMetres-1) > 1e-3 ||
			math.Abs(fix.LE90Metres/(le90Factor*climb)-1) > 1e-3 {
			t.Errorf("heading %v: %+v, differences give %+v and LE90 %v", heading, fix, want, le90Factor*climb)
		}
		if heading == 180 && fix.LE90Metres < 1.1*le90Factor*r.sigma {
			t.Errorf("LE90 %v m does not know of the slope that falls away", fix.LE90Metres)
		}
	}
}

// differences moves the camera and the ground by a little and marches again.
func differences(t *testing.T, r *relief, camera Camera, hit Hit, sigmas deviations) (horizontal covariance2, climb float64) {
	t.Helper()
	const step = 1e-2
	at, frame := FrameAt(hit.Point), FrameAt(camera.Position)
	end := func(k int, d float64) r3.Vec {
		var dev deviations
		dev[k] = d
		c := camera
		c.HeadingDeg += degrees(dev[inputHeading])
		c.PitchDeg += degrees(dev[inputPitch])
		c.RollDeg += degrees(dev[inputRoll])
		c.FxPx, c.FyPx = c.FxPx*(1+dev[inputFocal]), c.FyPx*(1+dev[inputFocal])
		a := c.axes()
		ray := r3.Add(a.forward, r3.Add(r3.Scale(dev[inputU]/c.FxPx, a.right), r3.Scale(dev[inputV]/c.FyPx, a.down)))
		m := march{
			terrain: r, liftMetres: dev[inputGround], near: anchorAt(frame.origin), direction: frame.rotateToECEF(r3.Unit(ray)),
			origin: frame.ECEF(r3.Vec{X: dev[inputEast], Y: dev[inputNorth], Z: dev[inputUp]}),
		}
		slant, _, err := m.run()
		if err != nil {
			t.Fatal(err)
		}
		return at.ENU(r3.Add(m.origin, r3.Scale(slant, m.direction)))
	}
	for k, sigma := range sigmas {
		d := r3.Scale(1/(2*step), r3.Sub(end(k, step*sigma), end(k, -step*sigma)))
		horizontal.add(d.X, d.Y)
		climb += d.Z * d.Z
	}
	return horizontal, math.Sqrt(climb)
}

// TestTerrainCoverage is the promise of the CE90 and the LE90 on slopes, and on rough ground at shallow angles, where only
// the sampled method sees the ridges.
func TestTerrainCoverage(t *testing.T) {
	hills := newRelief(46, 7, 1./3600, 400, rough(3, 20))
	hills.sigma, hills.bounded = 4, true
	tests := []struct {
		name          string
		terrain       *relief
		pitch, height float64
		heading       float64
		method        Method
		count         int
		low, high     float64 // %
	}{
		{"slope, facing", hillside(), -40, 120, 0, Linear, 3000, 88, 92},
		{"slope, falling away", hillside(), -60, 120, 180, Linear, 3000, 88, 92},
		{"slope, across", hillside(), -35, 120, 90, Linear, 3000, 88, 92},
		{"hills, shallow", hills, -7, 250, 30, Sampled, 600, 84, 95},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			camera := testCamera(46.05, 7.05, tt.heading)
			ground, _ := GroundHAEMetres(tt.terrain, 46.05, 7.05)
			camera.Position.HAEMetres, camera.PitchDeg = ground+tt.height, tt.pitch
			circle, height := terrainCoverage(t, tt.terrain, camera, tt.method, tt.count, rand.New(rand.NewPCG(uint64(i), 9)))
			t.Logf("%.1f %% within CE90, %.1f %% within LE90", circle, height)
			if circle < tt.low || circle > tt.high || height < tt.low || height > tt.high {
				t.Errorf("%.1f %% of the truths lie within CE90 and %.1f %% within LE90, want %v to %v", circle, height, tt.low, tt.high)
			}
		})
	}
}

// terrainCoverage measures a true pose over true ground many times; the model's ground is too high or too low each time.
func terrainCoverage(t *testing.T, r *relief, truth Camera, method Method, count int, noise *rand.Rand) (circle, height float64) {
	t.Helper()
	frame, s := FrameAt(truth.Position), DefaultSigmas()
	within, level, other := 0, 0, 0
	for range count {
		actual := march{
			terrain: r, liftMetres: r.sigma * noise.NormFloat64(), near: anchorAt(frame.origin),
			origin: truth.Position.ECEF(), direction: frame.rotateToECEF(truth.axes().forward),
		}
		slant, _, err := actual.run()
		if err != nil {
			t.Fatal(err)
		}
		target := LatLonHAEFromECEF(r3.Add(actual.origin, r3.Scale(slant, actual.direction)))
		camera := truth
		camera.Position = LatLonHAEFromECEF(frame.ECEF(r3.Vec{
			X: s.CameraHorizontalMetres * noise.NormFloat64(), Y: s.CameraHorizontalMetres * noise.NormFloat64(),
			Z: s.CameraVerticalMetres * noise.NormFloat64(),
		}))
		camera.HeadingDeg += s.HeadingDeg * noise.NormFloat64()
		camera.PitchDeg += s.PitchDeg * noise.NormFloat64()
		camera.RollDeg += s.RollDeg * noise.NormFloat64()
		fix, err := LocateOnTerrain(camera, camera.CxPx+s.PixelPx*noise.NormFloat64(), camera.CyPx+s.PixelPx*noise.NormFloat64(), r, s)
		if err != nil {
			continue
		}
		if fix.Method != method {
			other++
		}
		if HorizontalDistanceMetres(fix.Point, target) <= fix.CE90Metres {
			within++
		}
		if math.Abs(fix.Point.HAEMetres-target.HAEMetres) <= fix.LE90Metres {
			level++
		}
	}
	t.Logf("%d of %d by another method", other, count)
	return 100 * float64(within) / float64(count), 100 * float64(level) / float64(count)
}

var terrainSink Fix

func BenchmarkLocateOnTerrain(b *testing.B) {
	r := newRelief(46, 7, 1./3600, 400, rough(3, 20))
	r.sigma, r.bounded = 4, true
	for _, bb := range []struct {
		name          string
		pitch, height float64
	}{{"5km", -12, 1100}, {"5kmPlainMarch", -12, 1100}, {"5kmSampled", -4, 370}} {
		b.Run(bb.name, func(b *testing.B) {
			r.bounded = bb.name != "5kmPlainMarch"
			camera := testCamera(46.02, 7.02, 40)
			camera.Position.HAEMetres, camera.PitchDeg = bb.height, bb.pitch
			b.ReportAllocs()
			for b.Loop() {
				fix, err := LocateOnTerrain(camera, camera.CxPx, camera.CyPx, r, DefaultSigmas())
				if err != nil {
					b.Fatal(err)
				}
				terrainSink = fix
			}
			b.ReportMetric(terrainSink.SlantRangeMetres, "m/slant")
		})
	}
}

// TestAnchorAndOneIteration hold the shortcuts of the march against what they stand for.
func TestAnchorAndOneIteration(t *testing.T) {
	noise := rand.New(rand.NewPCG(5, 5))
	for range 20000 {
		start := LatLonHAE{LatDeg: 180*noise.Float64() - 90, LonDeg: 360*noise.Float64() - 180}
		p := LatLonHAE{LatDeg: start.LatDeg + noise.NormFloat64(), LonDeg: start.LonDeg + 3*noise.NormFloat64(), HAEMetres: min(100e3, 30e3*noise.ExpFloat64()-400)}
		p.LatDeg = max(-90, min(90, p.LatDeg))
		a := anchorAt(start.ECEF())
		got, want := a.path(p.ECEF(), r3.Vec{X: 1}), LatLonHAEFromECEF(p.ECEF())
		east := math.Remainder(got.lonDeg-want.LonDeg, 360) * math.Cos(radians(p.LatDeg))
		if math.Abs(got.latDeg-want.LatDeg) > 1e-8 || math.Abs(east) > 1e-8 || math.Abs(got.haeMetres-want.HAEMetres) > 1e-4 {
			t.Fatalf("from %+v: %+v, want %+v", start, got, want)
		}
		if !(got.lonDeg >= -180 && got.lonDeg < 180) {
			t.Fatalf("longitude %v is not in [-180, 180)", got.lonDeg)
		}
	}
}
