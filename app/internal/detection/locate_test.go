package detection

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/geo"
)

func testLocator() Locator {
	return Locator{Sigmas: geo.DefaultSigmas(), Thresholds: geo.DefaultThresholds()}
}

// testInput looks 30 degrees down to the north-east from 100 m above level ground.
func testInput(t *testing.T) Input {
	t.Helper()
	in, err := ParseInput([]byte(goodBody))
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func mustLocate(t *testing.T, l Locator, in Input) (Fix, []string) {
	t.Helper()
	fix, warnings, err := l.Locate(in)
	if err != nil {
		t.Fatal(err)
	}
	return fix, warnings
}

func point(f Fix) geo.LatLonHAE { return geo.LatLonHAE{LatDeg: f.LatDeg, LonDeg: f.LonDeg} }

// TestFocalLengthInMillimetres: 13.2 mm of sensor are 1920 px, so 20.625 mm are 3000 px.
func TestFocalLengthInMillimetres(t *testing.T) {
	in := testInput(t)
	in.PixelX, in.PixelY = 1700, 100
	want, _ := mustLocate(t, testLocator(), in)
	in.Sensor.FocalLengthMM = new(20.625)
	both, warnings := mustLocate(t, testLocator(), in)
	if both.LatDeg != want.LatDeg || mentions(warnings, "focal_length_mm") {
		t.Errorf("both given and equal: %+v, %q", both, warnings)
	}
	in.Sensor.FocalLengthMM = new(20.625 * 1.06)
	if both, warnings = mustLocate(t, testLocator(), in); both.LatDeg != want.LatDeg || !mentions(warnings, "focal_length_mm") {
		t.Errorf("both given, 6 %% apart: %+v, %q", both, warnings)
	}
	in.Sensor.FocalLengthPx, in.Sensor.FocalLengthMM = 0, new(20.625)
	if got, _ := mustLocate(t, testLocator(), in); geo.HorizontalDistanceMetres(point(got), point(want)) > 1e-6 {
		t.Errorf("in millimetres %+v, in pixels %+v", got, want)
	}
	if s, err := testLocator().Resolve(in); err != nil || math.Abs(s.FocalLengthPx-3000) > 1e-9 {
		t.Errorf("resolved %v px, %v", s.FocalLengthPx, err)
	}
}

func mentions(warnings []string, word string) bool {
	return strings.Contains(strings.Join(warnings, "\n"), word)
}

// TestRefusals names for each reason the code and the field that a client gets.
func TestRefusals(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Input)
		code   Code
		field  string
	}{
		{"sky", func(in *Input) { in.Sensor.PitchDeg = 20 }, CodeNoIntersection, "sensor_metadata.pitch"},
		{"below the ground", func(in *Input) { in.Sensor.GroundMetres = 101 }, CodeBelowGround, "sensor_metadata.location_elevation"},
		{"shallow", func(in *Input) { in.Sensor.PitchDeg = -0.6; in.PixelY = 540 }, CodeTooShallow, "sensor_metadata.pitch"},
		{"without a bound", func(in *Input) { in.Sensor.PitchDeg = -1.5; in.PixelY = 540 }, CodeTooShallow, "sensor_metadata.pitch"},
		{"outside the lens", func(in *Input) {
			in.Sensor.FocalLengthPx = 900
			in.PixelX, in.Sensor.Distortion = 0, &Distortion{K1: -0.3}
		}, CodeOutsideLens, "sensor_metadata.distortion"},
		{"no focal length", func(in *Input) { in.Sensor.FocalLengthPx = 0 }, CodeInvalidField, "sensor_metadata.focal_length"},
		{"no sensor width", func(in *Input) {
			in.Sensor.FocalLengthPx, in.Sensor.FocalLengthMM, in.Sensor.SensorWidthMM = 0, new(8.0), nil
		}, CodeInvalidField, "sensor_metadata.sensor_width_mm"},
		{"a focal length of a kilometre", func(in *Input) { in.Sensor.FocalLengthPx, in.Sensor.FocalLengthMM = 0, new(1e6) }, CodeInvalidField, "sensor_metadata.focal_length_mm"},
		{"magnetic, without a time", func(in *Input) { in.Sensor.HeadingReference, in.SeenAt = MagneticNorth, time.Time{} }, CodeInvalidField, "timestamp"},
		{"magnetic, in 1999", func(in *Input) {
			in.Sensor.HeadingReference, in.SeenAt = MagneticNorth, time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
		}, CodeInvalidField, "sensor_metadata.heading_reference"},
		{"no height model", func(in *Input) { in.GroundGiven = false }, CodeNoTerrain, "ground_elevation"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := testInput(t)
			tt.change(&in)
			l := testLocator()
			l.Terrain = void{}
			fix, _, err := l.Locate(in)
			var refusal *Error
			if !errors.As(err, &refusal) || refusal.Code != tt.code || refusal.Field != tt.field || fix != (Fix{}) {
				t.Errorf("got %+v, %v, want %s for %s", fix, err, tt.code, tt.field)
			}
		})
	}
}

// void is a height model of nothing.
type void struct{}

func (void) Patch(latDeg, lonDeg, _ float64) geo.Patch {
	return geo.Patch{
		Kind: geo.Unknown, SouthDeg: latDeg - 1, NorthDeg: latDeg + 1, WestDeg: lonDeg - 1, EastDeg: lonDeg + 1,
		CeilingHAEMetres: geo.HighestGroundHAEMetres,
	}
}

// plain is a height model of level ground.
type plain struct{ haeMetres float64 }

func (p plain) Patch(latDeg, lonDeg, _ float64) geo.Patch {
	return geo.Patch{
		Kind: geo.Surface, SouthDeg: latDeg - 0.1, NorthDeg: latDeg + 0.1, WestDeg: lonDeg - 0.1, EastDeg: lonDeg + 0.1,
		Bilinear: geo.Bilinear{LatDeg: latDeg, LonDeg: lonDeg, HAEMetres: p.haeMetres}, SigmaMetres: 2, Model: "SRTM1",
	}
}

// TestTerrain: level ground as a height model is where the same ground is when it is stated, in each datum.
func TestTerrain(t *testing.T) {
	const ground = 12.5
	for _, datum := range []Datum{HAE, MSL, AGL} {
		stated := testInput(t)
		stated.Datum = datum
		switch geoid := geo.GeoidUndulationMetres(stated.Sensor.LatDeg, stated.Sensor.LonDeg); datum {
		case MSL:
			stated.Sensor.ElevationMetres, stated.Sensor.GroundMetres = 100-geoid, ground-geoid
		case AGL:
			stated.Sensor.ElevationMetres, stated.Sensor.GroundMetres = 100-ground, 0
		}
		want, _ := mustLocate(t, testLocator(), stated)
		asked := stated
		asked.GroundGiven, asked.Sensor.GroundMetres = false, 0
		l := testLocator()
		l.Terrain = plain{haeMetres: ground}
		got, warnings := mustLocate(t, l, asked)
		if geo.HorizontalDistanceMetres(point(got), point(want)) > 0.05 || got.Method != MethodRayTerrain || len(warnings) != 1 {
			t.Errorf("%s: %+v %q, want as %+v", datum, got, warnings, want)
		}
		if got.HeightSource != "SRTM1" || want.HeightSource != "" {
			t.Errorf("%s: heights from %q, stated ones from %q", datum, got.HeightSource, want.HeightSource)
		}
		if got.HAEMetres == nil || math.Abs(*got.HAEMetres-ground) > 0.01 || got.MSLMetres == nil {
			t.Errorf("%s: the height %v is not that of the ground", datum, got.HAEMetres)
		}
		if _, warnings := mustLocate(t, testLocator(), asked); mentions(warnings, "ground_elevation") != (datum != AGL) {
			t.Errorf("%s, no ground and no height model: %q", datum, warnings)
		}
	}
}

// TestHeights: MSL is HAE less the geoid (NGA's calculator: -67.347 m at this grid node), and AGL tells neither.
func TestHeights(t *testing.T) {
	in := testInput(t)
	in.Sensor.LatDeg, in.Sensor.LonDeg = -12.25, 82.75
	in.Sensor.PitchDeg, in.PixelX, in.PixelY = -90, 960, 540
	in.Sensor.ElevationMetres, in.Sensor.GroundMetres = 1000, 900
	fix, _ := mustLocate(t, testLocator(), in)
	if math.Abs(*fix.HAEMetres-900) > 1e-6 || math.Abs(*fix.MSLMetres-967.347) > 0.001 {
		t.Errorf("HAE: %v and %v MSL", *fix.HAEMetres, *fix.MSLMetres)
	}
	in.Datum = MSL
	if fix, _ = mustLocate(t, testLocator(), in); math.Abs(*fix.MSLMetres-900) > 1e-6 || math.Abs(*fix.HAEMetres-832.653) > 0.001 {
		t.Errorf("MSL: %v HAE and %v", *fix.HAEMetres, *fix.MSLMetres)
	}
	in.Datum = AGL
	if fix, _ = mustLocate(t, testLocator(), in); fix.HAEMetres != nil || fix.MSLMetres != nil {
		t.Errorf("AGL: %v and %v", fix.HAEMetres, fix.MSLMetres)
	}
	if fix.ErrorMethod != "linear" {
		t.Errorf("error method %q", fix.ErrorMethod)
	}
}

// TestMagneticHeading: at 29 N, 66 E, 19 km up, NOAA has a declination of 2.24 degrees in the middle of 2026.
func TestMagneticHeading(t *testing.T) {
	in := testInput(t)
	in.Sensor.LatDeg, in.Sensor.LonDeg, in.Sensor.ElevationMetres, in.Sensor.GroundMetres = 29, 66, 19000, 18900
	in.SeenAt = time.Date(2026, 7, 2, 12, 0, 0, 0, time.UTC)
	in.Sensor.HeadingReference = MagneticNorth
	got, warnings := mustLocate(t, testLocator(), in)
	in.Sensor.HeadingReference = TrueNorth
	in.Sensor.HeadingDeg += 2.24
	want, _ := mustLocate(t, testLocator(), in)
	if d := geo.HorizontalDistanceMetres(point(got), point(want)); d > 175*0.005*math.Pi/180*1.1 || mentions(warnings, "magnet") {
		t.Errorf("%v m from where the true heading leads; %q", d, warnings)
	}
	// sigma 0.26 and 5417/32750 degrees join the heading's 2.
	in.Sensor.Sigmas = &Sigmas{HeadingDeg: new(math.Sqrt(2*2 + 0.26*0.26 + 5417./32750*5417/32750))}
	if want, _ = mustLocate(t, testLocator(), in); math.Abs(got.CE90Metres/want.CE90Metres-1) > 1e-4 {
		t.Errorf("CE90 %v, want %v", got.CE90Metres, want.CE90Metres)
	}
	in.Sensor.HeadingReference, in.SeenAt = MagneticNorth, time.Date(2030, 6, 1, 0, 0, 0, 0, time.UTC)
	if _, warnings = mustLocate(t, testLocator(), in); !mentions(warnings, "WMM2025") {
		t.Errorf("in 2030: %q", warnings)
	}
	in.Sensor.LatDeg, in.Sensor.LonDeg, in.SeenAt = 85.8, 139, time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	pole, warnings := mustLocate(t, testLocator(), in)
	if !mentions(warnings, "magnetic pole") || pole.CE90Metres < 100 {
		t.Errorf("at the magnetic pole: CE90 %v m, %q", pole.CE90Metres, warnings)
	}
}

// TestSigmasInOrder: the request's, else the profile's, else the default.
func TestSigmasInOrder(t *testing.T) {
	l := testLocator()
	l.Profiles = Profiles{
		"cam-3":   {Sigmas: &Sigmas{HeadingDeg: new(0.5), FocalPercent: new(2.0)}},
		AnyCamera: {Sigmas: &Sigmas{RollDeg: new(9.0)}},
	}
	in := testInput(t)
	in.Sensor.Sigmas = &Sigmas{HeadingDeg: new(0.1), GroundMetres: new(0.0)}
	want := geo.DefaultSigmas()
	want.HeadingDeg, want.FocalRatio, want.GroundHeightMetres = 0.1, 0.02, 0
	if got := l.sigmas(in); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	in.CameraID, in.Sensor.Sigmas = "another", nil
	want = geo.DefaultSigmas()
	want.RollDeg = 9
	if got := l.sigmas(in); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestCoverage is the promise of the CE90 from the outside: reports with errors as they state them, through a lens, against
// the truth, in each datum. The bounds are those of package geo, where more poses are tested.
func TestCoverage(t *testing.T) {
	lens := &Distortion{K1: -0.28, K2: 0.09, P1: 0.0008, P2: -0.0006, K3: -0.012}
	s := geo.DefaultSigmas()
	for i, tt := range []struct {
		datum Datum
		pitch float64
		lens  *Distortion
	}{{HAE, -60, lens}, {MSL, -30, nil}, {MSL, -12, lens}, {AGL, -8, lens}, {MSL, -5, nil}} {
		noise := rand.New(rand.NewPCG(uint64(i), 3))
		truth := testInput(t)
		truth.Datum, truth.Sensor.PitchDeg, truth.Sensor.Distortion, truth.PixelX, truth.PixelY = tt.datum, tt.pitch, tt.lens, 1100, 560
		truth.Sensor.FocalLengthPx = 1200
		want, _ := mustLocate(t, testLocator(), truth)
		const reports = 3000
		within := 0
		for range reports {
			in := truth
			north := s.CameraHorizontalMetres / 111200
			in.Sensor.LatDeg += north * noise.NormFloat64()
			in.Sensor.LonDeg += north / math.Cos(in.Sensor.LatDeg*math.Pi/180) * noise.NormFloat64()
			in.Sensor.ElevationMetres += s.CameraVerticalMetres * noise.NormFloat64()
			in.Sensor.GroundMetres += s.GroundHeightMetres * noise.NormFloat64()
			in.Sensor.HeadingDeg += s.HeadingDeg * noise.NormFloat64()
			in.Sensor.PitchDeg += s.PitchDeg * noise.NormFloat64()
			in.Sensor.RollDeg += s.RollDeg * noise.NormFloat64()
			in.Sensor.FocalLengthPx *= 1 + s.FocalRatio*noise.NormFloat64()
			in.PixelX += s.PixelPx * noise.NormFloat64()
			in.PixelY += s.PixelPx * noise.NormFloat64()
			if got, _ := mustLocate(t, testLocator(), in); geo.HorizontalDistanceMetres(point(got), point(want)) <= got.CE90Metres {
				within++
			}
		}
		percent := 100 * float64(within) / reports
		t.Logf("%s, %v down: %.1f %%", tt.datum, -tt.pitch, percent)
		if percent < 88 || percent > 92 {
			t.Errorf("%s, %v down: %.1f %% of the CE90s hold the truth", tt.datum, -tt.pitch, percent)
		}
	}
}
