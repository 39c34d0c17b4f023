package geo

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/spatial/r3"
)

// TestJacobian compares the analytic error ellipse with central differences of the intersection itself.
func TestJacobian(t *testing.T) {
	for i, pitch := range []float64{-90, -60, -30, -18, -90, -60, -30, -18} {
		camera := testCamera(-33, 151, 200)
		camera.PitchDeg, camera.RollDeg = pitch, -12
		if i >= 4 {
			camera.Lens = Lens{K1: -0.28, K2: 0.09, P1: 0.008, P2: -0.006, K3: -0.012}
		}
		const u, v, surface = 400.0, 900.0, 20.0
		fix, err := Locate(camera, u, v, surface, DefaultSigmas())
		if err != nil {
			t.Fatal(err)
		}
		w, at := viewOf(t, camera, u, v), FrameAt(fix.Point)
		sigmas := DefaultSigmas().byInput()
		var sum covariance2
		for k := range sigmas {
			const step = 1e-3
			var plus, minus deviations
			plus[k], minus[k] = step*sigmas[k], -step*sigmas[k]
			a, b := w.moved(at, fix.Hit, plus), w.moved(at, fix.Hit, minus)
			sum.add((a.X-b.X)/(2*step), (a.Y-b.Y)/(2*step))
		}
		want := sum.ellipse()
		if math.Abs(fix.Ellipse.SigmaMajorMetres/want.SigmaMajorMetres-1) > 1e-4 ||
			math.Abs(fix.Ellipse.SigmaMinorMetres/want.SigmaMinorMetres-1) > 1e-4 ||
			math.Abs(fix.Ellipse.MajorAzimuthDeg-want.MajorAzimuthDeg) > 0.05 {
			t.Errorf("pitch %v: %+v, differences give %+v", pitch, fix.Ellipse, want)
		}
	}
}

func viewOf(t *testing.T, camera Camera, u, v float64) view {
	t.Helper()
	w, err := newView(camera, u, v)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// moved returns where the ray of a camera whose inputs deviate meets the ground, without any derivative.
func (w *view) moved(at Frame, hit Hit, d deviations) r3.Vec {
	camera := w.camera
	camera.HeadingDeg += degrees(d[inputHeading])
	camera.PitchDeg += degrees(d[inputPitch])
	camera.RollDeg += degrees(d[inputRoll])
	camera.FxPx *= 1 + d[inputFocal]
	camera.FyPx *= 1 + d[inputFocal]
	origin := w.frame.ECEF(r3.Vec{X: d[inputEast], Y: d[inputNorth], Z: d[inputUp]})
	ray, err := camera.Ray(w.u+d[inputU], w.v+d[inputV])
	if err != nil {
		return r3.Vec{X: math.Inf(1)}
	}
	direction := w.frame.rotateToECEF(ray)
	slant, _, ok := slantToSurface(origin, direction, hit.Point.HAEMetres+d[inputGround])
	if !ok {
		return r3.Vec{X: math.Inf(1)}
	}
	return at.ENU(r3.Add(origin, r3.Scale(slant, direction)))
}

// TestDefaultSigmasAgreeWithTheField: 12.0 and 17.3 m were measured (see DefaultSigmas) at slant ranges of 56 to 255 m.
func TestDefaultSigmasAgreeWithTheField(t *testing.T) {
	for _, slant := range []float64{56, 100, 150, 255} {
		camera := testCamera(34, -84, 0)
		camera.Position.HAEMetres = slant * math.Sqrt2 / 2
		fix, err := Locate(camera, camera.CxPx, camera.CyPx, 0, DefaultSigmas())
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("slant %3.0f m: CE90 %.1f m, LE90 %.1f m", slant, fix.CE90Metres, fix.LE90Metres)
		if !(fix.CE90Metres > 12 && fix.CE90Metres < 20) {
			t.Errorf("slant %v m: CE90 %v m, want 12 to 20", slant, fix.CE90Metres)
		}
	}
}

// TestSampledAgreesWithLinear runs both methods where both hold: near, and so far away in the north that bearings at the
// fix are more than a degree and a half from those at the camera.
func TestSampledAgreesWithLinear(t *testing.T) {
	near, far := testCamera(5, 5, 300), testCamera(80, 5, 60)
	near.PitchDeg, far.PitchDeg, far.Position.HAEMetres = -40, -16, 12000
	exact := DefaultSigmas()
	exact.PitchDeg, exact.RollDeg, exact.FocalRatio = 0.1, 0.1, 0.001
	for _, camera := range []Camera{near, far} {
		fix, err := Locate(camera, 700, 500, 0, exact)
		if err != nil || fix.Method != Linear {
			t.Fatal(fix, err)
		}
		w := viewOf(t, camera, 700, 500)
		ce90, ellipse, err := w.sampledEllipse(fix.Hit, exact.byInput())
		if err != nil || math.Abs(ce90/fix.CE90Metres-1) > 0.02 || math.Abs(ellipse.CE90Metres()/ce90-1) > 1e-9 ||
			math.Abs(ellipse.MajorAzimuthDeg-fix.Ellipse.MajorAzimuthDeg) > 1.5 {
			t.Errorf("sampled %v %+v (%v), linear %v %+v", ce90, ellipse, err, fix.CE90Metres, fix.Ellipse)
		}
		if turned := w.spread(fix.Hit, &deviations{}).convergenceDeg; camera == far && turned < 1.6 {
			t.Errorf("bearings turn by only %v degrees", turned)
		}
	}
}

func TestSampledIsDeterministic(t *testing.T) {
	camera := testCamera(5, 5, 300)
	camera.PitchDeg = -7
	first, err := Locate(camera, 960, 540, 0, DefaultSigmas())
	if err != nil || first.Method != Sampled {
		t.Fatal(first, err)
	}
	if again, _ := Locate(camera, 960, 540, 0, DefaultSigmas()); again != first {
		t.Errorf("%+v, then %+v", first, again)
	}
	if exact, err := Locate(camera, 960, 540, 0, Sigmas{}); err != nil || exact.CE90Metres > 1e-6 {
		t.Errorf("without sensor errors: %+v, %v", exact, err)
	}
}

func TestNth(t *testing.T) {
	noise := rand.New(rand.NewPCG(3, 3))
	for size := 1; size < 40; size++ {
		for index := range size {
			numbers := make([]float64, size)
			for i := range numbers {
				numbers[i] = float64(noise.IntN(10))
			}
			sorted := slices.Sorted(slices.Values(numbers))
			if got := nth(numbers, index); got != sorted[index] {
				t.Fatalf("number %d of %v is %v, want %v", index, sorted, got, sorted[index])
			}
		}
	}
}

// FuzzLocate looks for numbers that panic, or that give a position which is not one.
func FuzzLocate(f *testing.F) {
	f.Add(48.0, 11.0, 100.0, 0.0, 30.0, -45.0, 0.0, 1200.0, 10.0, 10.0)
	f.Add(90.0, 180.0, 1e5, -1e4, 720.0, -90.0, 180.0, 1e-300, 1e300, -1e300)
	f.Add(-90.0, -180.0, 1e300, 1e299, 0.0, -0.5, 0.0, 1e300, 0.0, 0.0)
	f.Add(0.0, 0.0, 1.0, -7e6, 0.0, -1.0, 0.0, 1.0, 0.0, 0.0)
	f.Add(0.0, 0.0, math.NaN(), 0.0, 0.0, math.Inf(-1), 0.0, 1.0, 0.0, 0.0)
	f.Add(0.0, 0.0, 3.0, 0.0, 0.0, -3.0, 0.0, 1000.0, 0.0, 0.0)
	f.Fuzz(func(t *testing.T, lat, lon, hae, surface, heading, pitch, roll, focal, u, v float64) {
		camera := CameraForImage(1920, 1080, focal)
		camera.Position = LatLonHAE{LatDeg: lat, LonDeg: lon, HAEMetres: hae}
		camera.HeadingDeg, camera.PitchDeg, camera.RollDeg = heading, pitch, roll
		fix, err := Locate(camera, u, v, surface, DefaultSigmas())
		if err != nil {
			if fix != (Fix{}) {
				t.Errorf("a position beside an error: %+v, %v", fix, err)
			}
			return
		}
		for _, x := range []float64{
			fix.CE90Metres, fix.LE90Metres, fix.Ellipse.SigmaMajorMetres, fix.Ellipse.SigmaMinorMetres,
			fix.Ellipse.MajorAzimuthDeg, fix.DepressionDeg, fix.GrazingDeg,
		} {
			if !isFinite(x) || x < 0 {
				t.Errorf("%g in %+v", x, fix)
			}
		}
		if !fix.Point.Valid() || !(fix.SlantRangeMetres > 0 && fix.SlantRangeMetres <= MaxSlantRangeMetres) ||
			!(fix.GrazingDeg >= MinGrazingDeg) {
			t.Errorf("no position: %+v", fix)
		}
	})
}

// FuzzCamera looks for a camera that sees a hit in another pixel than the one it came from.
func FuzzCamera(f *testing.F) {
	f.Add(48.0, 11.0, 100.0, 30.0, -45.0, 0.0, 1200.0, 10.0, 10.0, -0.3, 0.05)
	f.Add(-89.9999, 180.0, 5000.0, 720.0, -90.0, 180.0, 300.0, 1900.0, 1000.0, 0.2, -0.1)
	f.Add(0.0, -180.0, 40.0, -1.0, -3.0, -90.0, 3000.0, 960.0, 540.0, 0.0, 0.0)
	f.Fuzz(func(t *testing.T, lat, lon, hae, heading, pitch, roll, focal, u, v, k1, k2 float64) {
		if !(focal >= 10 && focal < 1e6 && math.Abs(u) < 1e5 && math.Abs(v) < 1e5 && math.Abs(heading) < 1e4 && math.Abs(pitch) < 1e4 && math.Abs(roll) < 1e4) {
			return // beyond, a double has not the digits for a pixel
		}
		camera := CameraForImage(1920, 1080, focal)
		camera.Position = LatLonHAE{LatDeg: lat, LonDeg: lon, HAEMetres: hae}
		camera.HeadingDeg, camera.PitchDeg, camera.RollDeg = heading, pitch, roll
		camera.Lens = Lens{K1: k1, K2: k2}
		hit, err := camera.GroundHit(u, v, 0)
		if err != nil {
			if hit != (Hit{}) {
				t.Errorf("a hit beside an error: %+v, %v", hit, err)
			}
			return
		}
		backU, backV, err := camera.Project(hit.Point)
		sharp := focal * (1 + 1/hit.SlantRangeMetres) // a micrometre seen from so near, in pixels
		if err != nil && !errors.Is(err, ErrOutsideLens) || err == nil && !(math.Hypot(backU-u, backV-v) < 1e-5+1e-6*sharp) {
			t.Errorf("pixel %v, %v came back as %v, %v (%v); %+v of %+v", u, v, backU, backV, err, hit, camera)
		}
	})
}

func BenchmarkGroundHit(b *testing.B) {
	camera := testCamera(48, 11, 30)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := camera.GroundHit(700, 300, 20); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLocateThroughLens(b *testing.B) {
	camera, sigmas := testCamera(48, 11, 30), DefaultSigmas()
	camera.Lens = testLens()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Locate(camera, 1700, 300, 20, sigmas); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLocateLinear(b *testing.B) { benchmarkLocate(b, -45, Linear) }

func BenchmarkLocateSampled(b *testing.B) { benchmarkLocate(b, -7, Sampled) }

func benchmarkLocate(b *testing.B, pitch float64, method Method) {
	camera, sigmas := testCamera(48, 11, 30), DefaultSigmas()
	camera.PitchDeg = pitch
	b.ReportAllocs()
	for b.Loop() {
		if fix, err := Locate(camera, 960, 540, 20, sigmas); err != nil || fix.Method != method {
			b.Fatal(fix, err)
		}
	}
}

func BenchmarkGeoidUndulation(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_ = GeoidUndulationMetres(48.1, 11.2)
	}
}

// TestHotPathDoesNotAllocate keeps the benchmark's promise in every test run.
func TestHotPathDoesNotAllocate(t *testing.T) {
	camera, sigmas := testCamera(48, 11, 30), DefaultSigmas()
	shallow, bent := camera, camera
	shallow.PitchDeg = -7
	bent.Lens = testLens()
	for name, locate := range map[string]func(){
		"ground hit": func() { _, _ = camera.GroundHit(700, 300, 20) },
		"linear":     func() { _, _ = Locate(camera, 700, 300, 20, sigmas) },
		"sampled":    func() { _, _ = Locate(shallow, 960, 540, 20, sigmas) },
		"lens":       func() { _, _ = Locate(bent, 700, 300, 20, sigmas) },
		"geoid":      func() { _ = HAEFromMSL(48, 11, 500) },
		"magnetic":   func() { _, _ = MagneticFieldAt(camera.Position, 2026) },
	} {
		if n := testing.AllocsPerRun(20, locate); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
