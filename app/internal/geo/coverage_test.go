package geo

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/spatial/r3"
)

// What the CE90 promises is that the truth lies within it in 90 % of the cases. Both readings of that are tested, with
// errors that come from another generator than the points of the sampled method and through none of its shortcuts: the
// truths that one report may have, which is what the CE90 of a report says something about, and the reports that one truth
// may cause. At shallow angles these differ: who measured a pitch too steep also gets a CE90 too small, and a report whose
// errors would leave the position without a bound is refused, so that those that remain are a choice.
const (
	coverageLow, coverageHigh = 88.0, 92.0 // %, of the truths
	reportsLow, reportsHigh   = 87.5, 93.0 // %, of the reports that got a position
	mostRefused               = 10.0       // %, of the reports, above which the rest is too choice a set to promise something of
)

// pose is a camera over level ground.
type pose struct {
	heightMetres, pitchDeg, rollDeg float64
	u, v                            float64
	heading                         float64
	lens                            bool
}

func (p pose) String() string {
	lens := "pinhole"
	if p.lens {
		lens = "lens"
	}
	return fmt.Sprintf("%g down from %g m, heading %g, roll %g, pixel %g,%g, %s", -p.pitchDeg, p.heightMetres, p.heading, p.rollDeg, p.u, p.v, lens)
}

func (p pose) camera() Camera {
	c := testCamera(52, 13, p.heading)
	c.Position.HAEMetres, c.PitchDeg, c.RollDeg = p.heightMetres, p.pitchDeg, p.rollDeg
	if p.lens {
		c.Lens = testLens()
	}
	return c
}

// testLens is that of a wide-angle camera: a barrel that pulls the corners in by a sixth.
func testLens() Lens { return Lens{K1: -0.28, K2: 0.09, P1: 0.0008, P2: -0.0006, K3: -0.012} }

// coveragePoses run from nadir to 3 degrees of depression, to all sides, with and without a lens.
func coveragePoses() []pose {
	heights := map[float64]float64{-90: 120, -75: 60, -60: 120, -45: 80, -30: 100, -20: 40, -14: 120, -10.5: 300, -9: 60, -8: 120, -6: 60, -5: 120, -4: 1000, -3: 2000}
	var poses []pose
	for _, pitch := range []float64{-90, -75, -60, -45, -30, -20, -14, -10.5, -9, -8, -6, -5, -4, -3} {
		for i, heading := range []float64{0, 71, 137, 250} {
			p := pose{heightMetres: heights[pitch], pitchDeg: pitch, heading: heading, u: 960, v: 540, lens: i%2 == 1}
			if i >= 2 { // 150 px right of the middle, a little below it, and rolled
				p.u, p.v, p.rollDeg = 1110, 560, 8
			}
			poses = append(poses, p)
		}
	}
	return poses
}

func TestCoverageOfTruths(t *testing.T) {
	least, most := 100.0, 0.0
	for i, p := range coveragePoses() {
		noise := rand.New(rand.NewPCG(uint64(i), 11))
		fix, percent := coverageOfTruths(t, p, DefaultSigmas(), DefaultSigmas(), noise)
		t.Logf("%5.1f %%, %s: %s", percent, fix.Method, p)
		if percent < coverageLow || percent > coverageHigh {
			t.Errorf("%s: %.1f %% of the truths lie within the CE90", p, percent)
		}
		least, most = min(least, percent), max(most, percent)
	}
	t.Logf("%.1f to %.1f %%", least, most)
}

// TestCoverageNoticesWrongSigmas is the positive control: a CE90 from sigmas that are a fifth too small or too large has
// to be caught in each of the poses.
func TestCoverageNoticesWrongSigmas(t *testing.T) {
	for i, p := range coveragePoses() {
		for _, factor := range []float64{0.8, 1.25} {
			noise := rand.New(rand.NewPCG(uint64(i), 11))
			if _, percent := coverageOfTruths(t, p, scaled(DefaultSigmas(), factor), DefaultSigmas(), noise); percent >= coverageLow && percent <= coverageHigh {
				t.Errorf("%s: with sigmas stated %g times too large the coverage is still %.1f %%", p, factor, percent)
			}
		}
	}
}

// TestCoverageOfOtherSigmas lets one input after the other dominate, some of them by more than first order can follow.
func TestCoverageOfOtherSigmas(t *testing.T) {
	for name, sigmas := range map[string]Sigmas{
		"camera":   {CameraHorizontalMetres: 8, CameraVerticalMetres: 15, HeadingDeg: 1, PitchDeg: 0.2, RollDeg: 0.2, PixelPx: 2, GroundHeightMetres: 1},
		"gimbal":   {CameraHorizontalMetres: 3, CameraVerticalMetres: 5, HeadingDeg: 2, PitchDeg: 3, RollDeg: 3, PixelPx: 2, GroundHeightMetres: 5},
		"compass":  {CameraHorizontalMetres: 1, CameraVerticalMetres: 1, HeadingDeg: 25, PitchDeg: 0.5, RollDeg: 0.5, PixelPx: 2, GroundHeightMetres: 1},
		"ground":   {CameraHorizontalMetres: 1, CameraVerticalMetres: 1, HeadingDeg: 1, PitchDeg: 0.2, RollDeg: 0.2, PixelPx: 2, GroundHeightMetres: 20},
		"circle":   {CameraHorizontalMetres: 10, CameraVerticalMetres: 0.1, HeadingDeg: 0.1, PitchDeg: 0.1, RollDeg: 0.1, PixelPx: 1, GroundHeightMetres: 0.1},
		"line":     {PitchDeg: 1},
		"detector": {CameraHorizontalMetres: 1, CameraVerticalMetres: 1, HeadingDeg: 0.5, PitchDeg: 0.5, RollDeg: 0.5, PixelPx: 60, FocalRatio: 0.05, GroundHeightMetres: 1},
	} {
		least, most, refused := 100.0, 0.0, 0
		for i, p := range coveragePoses() {
			if i%3 != 0 { // a third of the poses has all angles, headings and lenses among them
				continue
			}
			fix, percent := coverageOfTruths(t, p, sigmas, sigmas, rand.New(rand.NewPCG(uint64(i), 5)))
			if fix == (Fix{}) {
				refused++
				continue
			}
			if percent < coverageLow || percent > coverageHigh {
				t.Errorf("%s, %s: %.1f %% of the truths lie within the CE90 (%s)", name, p, percent, fix.Method)
			}
			least, most = min(least, percent), max(most, percent)
		}
		t.Logf("%-8s %.1f to %.1f %%, %d poses refused", name, least, most, refused)
	}
}

// coverageOfTruths draws truths around a report; the sigmas that are stated need not be the real ones. Of a report that is
// refused because its errors have no bound, the fix is zero and the coverage 100 %.
func coverageOfTruths(t *testing.T, p pose, stated, truth Sigmas, noise *rand.Rand) (Fix, float64) {
	t.Helper()
	camera, spread := p.camera(), truth.byInput()
	fix, err := Locate(camera, p.u, p.v, 0, stated)
	if errors.Is(err, ErrUnbounded) {
		return Fix{}, 100
	}
	if err != nil {
		t.Fatalf("%s: %v", p, err)
	}
	w, at := viewOf(t, camera, p.u, p.v), FrameAt(fix.Point)
	const truths = 8000
	within := 0
	for range truths {
		var d deviations
		for k := range d {
			d[k] = spread[k] * noise.NormFloat64()
		}
		if truth := w.moved(at, fix.Hit, d); math.Hypot(truth.X, truth.Y) <= fix.CE90Metres {
			within++
		}
	}
	return fix, 100 * float64(within) / truths
}

func scaled(s Sigmas, factor float64) Sigmas {
	return Sigmas{
		CameraHorizontalMetres: factor * s.CameraHorizontalMetres, CameraVerticalMetres: factor * s.CameraVerticalMetres,
		HeadingDeg: factor * s.HeadingDeg, PitchDeg: factor * s.PitchDeg, RollDeg: factor * s.RollDeg,
		PixelPx: factor * s.PixelPx, FocalRatio: factor * s.FocalRatio, GroundHeightMetres: factor * s.GroundHeightMetres,
	}
}

func TestCoverageOfReports(t *testing.T) {
	for i, p := range coveragePoses() {
		percent, refused := coverageOfReports(t, p, rand.New(rand.NewPCG(uint64(i), 7)))
		t.Logf("%5.1f %%, %4.1f %% refused: %s", percent, refused, p)
		if refused <= mostRefused && (percent < reportsLow || percent > reportsHigh) {
			t.Errorf("%s: the CE90 of %.1f %% of the reports holds the truth", p, percent)
		}
	}
}

// coverageOfReports measures a true pose many times.
func coverageOfReports(t *testing.T, p pose, noise *rand.Rand) (percent, refused float64) {
	t.Helper()
	truth, s := p.camera(), DefaultSigmas()
	hit, err := truth.GroundHit(p.u, p.v, 0)
	if err != nil {
		t.Fatal(err)
	}
	const reports = 3000
	within, stated := 0, 0
	for range reports {
		camera := measured(truth, s, noise)
		fix, err := Locate(camera, p.u+s.PixelPx*noise.NormFloat64(), p.v+s.PixelPx*noise.NormFloat64(), s.GroundHeightMetres*noise.NormFloat64(), s)
		if err != nil {
			continue
		}
		stated++
		if HorizontalDistanceMetres(fix.Point, hit.Point) <= fix.CE90Metres {
			within++
		}
	}
	return 100 * float64(within) / float64(stated), 100 * (1 - float64(stated)/reports)
}

// measured is a camera as its sensors report it.
func measured(truth Camera, s Sigmas, noise *rand.Rand) Camera {
	camera := truth
	camera.Position = LatLonHAEFromECEF(FrameAt(truth.Position).ECEF(r3.Vec{
		X: s.CameraHorizontalMetres * noise.NormFloat64(),
		Y: s.CameraHorizontalMetres * noise.NormFloat64(),
		Z: s.CameraVerticalMetres * noise.NormFloat64(),
	}))
	camera.HeadingDeg += s.HeadingDeg * noise.NormFloat64()
	camera.PitchDeg += s.PitchDeg * noise.NormFloat64()
	camera.RollDeg += s.RollDeg * noise.NormFloat64()
	focal := 1 + s.FocalRatio*noise.NormFloat64()
	camera.FxPx, camera.FyPx = camera.FxPx*focal, camera.FyPx*focal
	return camera
}
