package geo

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/spatial/r3"
	"gonum.org/v1/gonum/stat/distuv"
)

// testCamera looks 45 degrees down from 100 m above the ellipsoid.
func testCamera(lat, lon, heading float64) Camera {
	c := CameraForImage(1920, 1080, 1200)
	c.Position = LatLonHAE{LatDeg: lat, LonDeg: lon, HAEMetres: 100}
	c.HeadingDeg, c.PitchDeg = heading, -45
	return c
}

func rayOf(t *testing.T, camera Camera, u, v float64) r3.Vec {
	t.Helper()
	ray, err := camera.Ray(u, v)
	if err != nil {
		t.Fatal(err)
	}
	return ray
}

func TestECEFRoundTrip(t *testing.T) {
	for _, lat := range []float64{-90, -89.9999999, -45, -1e-9, 0, 33, 89.9999, 90} {
		for _, lon := range []float64{-180, -179.9999999, -1, 0, 77, 179.9999999} {
			for _, hae := range []float64{-10000, -1, 0, 8848, 100e3, 1000e3} {
				want := LatLonHAE{LatDeg: lat, LonDeg: lon, HAEMetres: hae}
				got := LatLonHAEFromECEF(want.ECEF())
				if d := r3.Norm(r3.Sub(got.ECEF(), want.ECEF())); d > 1e-8 {
					t.Errorf("%+v came back as %+v, %g m off", want, got, d)
				}
				if !(got.LonDeg >= -180 && got.LonDeg < 180) {
					t.Errorf("longitude %v of %+v is not in [-180, 180)", got.LonDeg, want)
				}
			}
		}
	}
}

// TestHitsEverywhere holds hits at the awkward places of the earth to three facts: the height of the hit is that of the
// surface, the camera sees the hit in the pixel it came from, and the slant is the distance.
func TestHitsEverywhere(t *testing.T) {
	for _, lat := range []float64{-90, -89.9995, -60, 0, 45, 89.9995, 90} {
		for _, lon := range []float64{-180, -179.9995, 0, 179.9995, 180} {
			for heading := 0.0; heading < 360; heading += 45 {
				for _, surface := range []float64{-420, 0, 99} {
					checkHit(t, testCamera(lat, lon, heading), surface)
				}
			}
		}
	}
}

func checkHit(t *testing.T, camera Camera, surface float64) {
	t.Helper()
	const u, v = 1500.0, 300.0
	camera.RollDeg = 7
	hit, err := camera.GroundHit(u, v, surface)
	if err != nil {
		t.Fatalf("%+v: %v", camera, err)
	}
	ecef := r3.Add(camera.Position.ECEF(), r3.Scale(hit.SlantRangeMetres, FrameAt(camera.Position).rotateToECEF(rayOf(t, camera, u, v))))
	back := LatLonHAEFromECEF(ecef)
	if math.Abs(back.HAEMetres-surface) > 1e-7 || r3.Norm(r3.Sub(hit.Point.ECEF(), ecef)) > 1e-7 {
		t.Errorf("%+v: hit %+v is not on the surface %g m", camera, hit, surface)
	}
	gotU, gotV, err := camera.Project(hit.Point)
	if err != nil || math.Hypot(gotU-u, gotV-v) > 1e-5 {
		t.Errorf("%+v: hit %+v projects to %v, %v (%v), want %v, %v", camera, hit, gotU, gotV, err, u, v)
	}
	if !(hit.Point.LonDeg >= -180 && hit.Point.LonDeg < 180) {
		t.Errorf("longitude %v is not in [-180, 180)", hit.Point.LonDeg)
	}
}

func TestHitAcrossAntimeridian(t *testing.T) {
	hit, err := testCamera(10, 179.9995, 90).GroundHit(960, 540, 0)
	if err != nil {
		t.Fatal(err)
	}
	// 100 m east at 10 N is 100 m / 109639 m/deg = 0.000912 degrees.
	if want := 179.9995 + 100/109639.0 - 360; math.Abs(hit.Point.LonDeg-want) > 1e-7 {
		t.Errorf("longitude %v, want %v", hit.Point.LonDeg, want)
	}
}

// TestHeadingsAreSymmetrical turns a camera at the pole, where every direction is alike.
func TestHeadingsAreSymmetrical(t *testing.T) {
	want, err := Locate(testCamera(90, 0, 0), 1200, 300, 0, DefaultSigmas())
	if err != nil {
		t.Fatal(err)
	}
	for heading := 30.0; heading < 360; heading += 30 {
		got, err := Locate(testCamera(90, 0, heading), 1200, 300, 0, DefaultSigmas())
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(got.Point.LatDeg-want.Point.LatDeg) > 1e-12 || math.Abs(got.SlantRangeMetres-want.SlantRangeMetres) > 1e-6 ||
			math.Abs(got.CE90Metres-want.CE90Metres) > 1e-6 {
			t.Errorf("heading %v: %+v, want as %+v", heading, got, want)
		}
		if turned := math.Mod(want.Point.LonDeg-got.Point.LonDeg+720, 360); math.Abs(turned-heading) > 1e-6 {
			t.Errorf("heading %v turned the longitude by %v", heading, turned)
		}
	}
}

func TestNoPosition(t *testing.T) {
	at := func(height, pitch float64) Camera {
		c := testCamera(48, 11, 30)
		c.Position.HAEMetres, c.PitchDeg = height, pitch
		return c
	}
	broken := func(change func(*Camera)) Camera {
		c := at(100, -45)
		change(&c)
		return c
	}
	tests := []struct {
		name   string
		camera Camera
		want   error
	}{
		{"sky", at(100, 45), ErrNoGroundIntersection},
		{"zenith", at(100, 90), ErrNoGroundIntersection},
		{"horizontal", at(100, 0), ErrNoGroundIntersection},
		{"past the horizon: the dip from 100 m is 0.32 degrees", at(100, -0.3), ErrNoGroundIntersection},
		{"past the horizon from 10 km: the dip is 3.2 degrees", at(10e3, -3.1), ErrNoGroundIntersection},
		{"less than half a degree", at(10, -0.45), ErrTooShallow},
		{"just before the horizon", at(100, -0.35), ErrTooShallow},
		{"150 km away", at(30e3, -12), ErrTooShallow},
		{"on the ground", at(0, -45), ErrCameraBelowSurface},
		{"below the ground", at(-1, -45), ErrCameraBelowSurface},
		{"below the ground, looking up", at(-1, 45), ErrCameraBelowSurface},
		{"NaN heading", broken(func(c *Camera) { c.HeadingDeg = math.NaN() }), ErrInvalidInput},
		{"infinite height", broken(func(c *Camera) { c.Position.HAEMetres = math.Inf(1) }), ErrInvalidInput},
		{"latitude 91", broken(func(c *Camera) { c.Position.LatDeg = 91 }), ErrInvalidInput},
		{"focal length 0", broken(func(c *Camera) { c.FxPx = 0 }), ErrInvalidInput},
		{"negative focal length", broken(func(c *Camera) { c.FyPx = -1 }), ErrInvalidInput},
		{"1.5 degrees down: sensor errors reach past the horizon", at(100, -1.5), ErrUnbounded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Locate(tt.camera, tt.camera.CxPx, tt.camera.CyPx, 0, DefaultSigmas())
			if !errors.Is(err, tt.want) || got != (Fix{}) {
				t.Errorf("got %+v, %v, want %v", got, err, tt.want)
			}
		})
	}
	if _, err := Locate(at(100, -45), 0, 0, 0, Sigmas{HeadingDeg: -1}); !errors.Is(err, ErrInvalidInput) {
		t.Errorf("negative sigma: %v", err)
	}
	if _, _, err := at(100, -45).ProjectENU(r3.Vec{Z: 1}); !errors.Is(err, ErrBehindCamera) {
		t.Errorf("projection of a point above: %v", err)
	}
	if _, err := IntersectEllipsoid(LatLonHAE{HAEMetres: 1}, r3.Vec{Z: -2}, 0); !errors.Is(err, ErrInvalidInput) {
		t.Errorf("ray of length 2: %v", err)
	}
}

func TestEllipse(t *testing.T) {
	tests := []struct {
		name string
		cov  covariance2
		want Ellipse
	}{
		{"exact", covariance2{}, Ellipse{}},
		{"along north", covariance2{ee: 4, nn: 9}, Ellipse{3, 2, 0}},
		{"along east", covariance2{ee: 9, nn: 4}, Ellipse{3, 2, 90}},
		{"towards north-east", covariance2{ee: 5, en: 4, nn: 5}, Ellipse{3, 1, 45}},
		{"towards north-west", covariance2{ee: 5, en: -4, nn: 5}, Ellipse{3, 1, 135}},
		{"a line", covariance2{ee: 1, en: 1, nn: 1}, Ellipse{math.Sqrt2, 0, 45}},
	}
	for _, tt := range tests {
		got := tt.cov.ellipse()
		if math.Abs(got.SigmaMajorMetres-tt.want.SigmaMajorMetres) > 1e-12 ||
			math.Abs(got.SigmaMinorMetres-tt.want.SigmaMinorMetres) > 1e-7 ||
			math.Abs(got.MajorAzimuthDeg-tt.want.MajorAzimuthDeg) > 1e-9 {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
		if tt.cov == (covariance2{}) {
			continue
		}
		var eigen mat.EigenSym
		if !eigen.Factorize(mat.NewSymDense(2, []float64{tt.cov.ee, tt.cov.en, tt.cov.en, tt.cov.nn}), false) {
			t.Fatal("gonum found no eigenvalues")
		}
		if major := math.Sqrt(eigen.Values(nil)[1]); math.Abs(got.SigmaMajorMetres-major) > 1e-12 {
			t.Errorf("%s: major %v, gonum says %v", tt.name, got.SigmaMajorMetres, major)
		}
	}
}

// TestCE90BetweenNodes integrates the normal distribution over the circle, between the nodes of the table.
func TestCE90BetweenNodes(t *testing.T) {
	for _, ratio := range []float64{0.01, 0.075, 0.225, 0.475, 0.525, 0.775, 0.975} {
		radius := Ellipse{SigmaMajorMetres: 1, SigmaMinorMetres: ratio}.CE90Metres()
		const steps = 20000
		var probability float64
		for i := range steps { // the minor axis is integrated in closed form
			x := (float64(i) + 0.5) / steps * radius
			y := math.Sqrt(radius*radius - x*x)
			probability += 2 * distuv.UnitNormal.Prob(x) * math.Erf(y/ratio/math.Sqrt2) * radius / steps
		}
		if math.Abs(probability-0.9) > 2e-4 {
			t.Errorf("ratio %v: the circle of %v holds %v", ratio, radius, probability)
		}
	}
	if major, minor := (Ellipse{SigmaMajorMetres: 1, SigmaMinorMetres: 1}).SemiAxes90Metres(); major != minor ||
		math.Abs(1-math.Exp(-major*major/2)-0.9) > 1e-12 {
		t.Errorf("90 %% semi-axes %v, %v", major, minor)
	}
}

func TestFlags(t *testing.T) {
	tests := []struct {
		ce90 float64
		want Flag
	}{{0, Green}, {15, Green}, {15.01, Yellow}, {30, Yellow}, {30.01, Red}, {math.Inf(1), Red}, {math.NaN(), Red}}
	for _, tt := range tests {
		if got := DefaultThresholds().Flag(tt.ce90); got != tt.want {
			t.Errorf("CE90 %v m: %s, want %s", tt.ce90, got, tt.want)
		}
	}
	for _, bad := range []Thresholds{{}, {20, 10}, {-1, 10}, {math.NaN(), 10}, {10, math.NaN()}, {10, math.Inf(1)}} {
		if bad.Validate() == nil {
			t.Errorf("%+v passed", bad)
		}
	}
	if err := DefaultThresholds().Validate(); err != nil {
		t.Error(err)
	}
}

func TestGeoidGrid(t *testing.T) {
	sum := sha256.Sum256([]byte(egm96Grid))
	if got, want := hex.EncodeToString(sum[:]), "2be20254bd59b6f5eb7fff3f79964ef46790a950fca9f35926b7318206989bcc"; got != want {
		t.Errorf("grid %s, want %s; see egm96/generate", got, want)
	}
	for _, lon := range []float64{-720, -180, 0, 33.3, 359.999, 360} { // a pole has one height, and NGA's grid says so
		if n, s := GeoidUndulationMetres(90, lon), GeoidUndulationMetres(-90, lon); math.Abs(n-13.606) > 1e-9 || math.Abs(s+29.534) > 1e-9 {
			t.Errorf("poles at longitude %v: %v and %v", lon, n, s)
		}
	}
	for _, lat := range []float64{-77.7, 0, 51.2} { // the seams at 0 and 180 degrees are continuous
		for _, seam := range []float64{0, 180} {
			west, east := GeoidUndulationMetres(lat, seam-1e-9), GeoidUndulationMetres(lat, seam-360+1e-9)
			if math.Abs(west-east) > 1e-6 {
				t.Errorf("%v, %v: %v west and %v east of the seam", lat, seam, west, east)
			}
		}
	}
	if !math.IsNaN(GeoidUndulationMetres(math.NaN(), 0)) || !math.IsNaN(GeoidUndulationMetres(0, math.Inf(1))) {
		t.Error("NaN or infinity gave a height")
	}
}
