package geo

import (
	"encoding/json"
	"errors"
	"maps"
	"math"
	"os"
	"slices"
	"testing"

	"gonum.org/v1/gonum/spatial/r3"
)

// oracle is one case of testdata/oracles.json. Numbers hold what is a plain number, so that a missing or misspelt one is noticed.
type oracle struct {
	ID        string                     `json:"id"`
	Kind      string                     `json:"kind"`
	Input     map[string]json.RawMessage `json:"input"`
	Expected  map[string]json.RawMessage `json:"expected"`
	Tolerance map[string]float64         `json:"tolerance"`
	Source    string                     `json:"source"`
	Name      string                     `json:"name"`
	Licence   string                     `json:"licence"`
	worst     map[string]float64         // by kind and tolerance: the largest error of all cases
}

func readOracles(t *testing.T) []oracle {
	t.Helper()
	data, err := os.ReadFile("testdata/oracles.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []oracle `json:"cases"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file.Cases
}

func decodeAs[T any](t *testing.T, from map[string]json.RawMessage, key string) (value T) {
	t.Helper()
	raw, ok := from[key]
	if !ok {
		t.Fatalf("the oracle has no %q", key)
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return value
}

func (o oracle) in(t *testing.T, key string) float64 {
	t.Helper()
	return decodeAs[float64](t, o.Input, key)
}

func (o oracle) position(t *testing.T) LatLonHAE {
	t.Helper()
	return LatLonHAE{LatDeg: o.in(t, "lat_deg"), LonDeg: o.in(t, "lon_deg"), HAEMetres: o.in(t, "hae_m")}
}

func (o oracle) camera(t *testing.T) Camera {
	t.Helper()
	c := CameraForImage(2000, 1000, 1000)
	c.HeadingDeg, c.PitchDeg, c.RollDeg = o.in(t, "heading_deg"), o.in(t, "pitch_deg"), o.in(t, "roll_deg")
	if _, ok := o.Input["fx_px"]; ok {
		c.FxPx, c.FyPx, c.CxPx, c.CyPx = o.in(t, "fx_px"), o.in(t, "fy_px"), o.in(t, "cx_px"), o.in(t, "cy_px")
	}
	return c
}

// near compares with the expected value and tolerance of the given names.
func (o oracle) near(t *testing.T, key string, got float64, tolerance string) {
	t.Helper()
	o.nearValue(t, key, got, decodeAs[float64](t, o.Expected, key), tolerance)
}

func (o oracle) nearValue(t *testing.T, what string, got, want float64, tolerance string) {
	t.Helper()
	limit, ok := o.Tolerance[tolerance]
	if !ok {
		t.Fatalf("the oracle has no tolerance %q", tolerance)
	}
	if o.worst != nil {
		key := o.Kind + ", " + tolerance
		o.worst[key] = max(o.worst[key], math.Abs(got-want))
	}
	if !(math.Abs(got-want) <= limit) {
		t.Errorf("%s = %.12g, want %.12g +- %g (off by %g)", what, got, want, limit, got-want)
	}
}

// TestOracles holds the package to the numbers of other people's tests and manuals.
func TestOracles(t *testing.T) {
	checks := map[string]func(*testing.T, oracle){
		"ray_ellipsoid":               checkRayEllipsoid,
		"boresight_to_terrain_height": checkBoresight,
		"offaxis_pixel_flat":          checkFlatPixel,
		"world_to_pixel":              checkProjection,
		"geodetic_to_ecef":            checkECEF,
		"geodetic_to_enu":             checkENU,
		"aer_to_geodetic":             checkAERToGeodetic,
		"aer_to_enu_ned":              checkAERToENU,
		"ce90_factor":                 checkCE90Table,
		"geoid_egm96":                 checkGeoid,
		"msl_to_hae":                  checkMSLToHAE,
		"hae_to_msl":                  checkHAEToMSL,
		"pixel_ray":                   checkPixelRay,
		"geodesic":                    checkGeodesic,
		"mgrs":                        checkMGRS,
		"declination":                 checkDeclination,
		"field_accuracy":              checkFieldAccuracy,
		"lens":                        checkLens,
	}
	seen, worst := map[string]bool{}, map[string]float64{}
	for _, o := range readOracles(t) {
		o.worst = worst
		t.Run(o.ID, func(t *testing.T) {
			check, ok := checks[o.Kind]
			if !ok {
				t.Fatalf("no check for kind %q", o.Kind)
			}
			if o.Source == "" {
				t.Error("no source")
			}
			seen[o.Kind] = true
			check(t, o)
		})
	}
	if len(seen) != len(checks) {
		t.Errorf("%d kinds were checked, want %d", len(seen), len(checks))
	}
	for _, key := range slices.Sorted(maps.Keys(worst)) { // the table of docs/geolocation.md
		t.Logf("%s: at most %.2g off", key, worst[key])
	}
}

func checkRayEllipsoid(t *testing.T, o oracle) {
	camera := o.camera(t)
	camera.Position = o.position(t)
	hit, err := camera.GroundHit(camera.CxPx, camera.CyPx, o.in(t, "surface_hae_m"))
	if _, ok := o.Expected["error"]; ok {
		want := map[string]error{
			"no_ground_intersection": ErrNoGroundIntersection,
			"camera_below_surface":   ErrCameraBelowSurface,
		}[decodeAs[string](t, o.Expected, "error")]
		if want == nil || !errors.Is(err, want) || hit != (Hit{}) {
			t.Errorf("got %+v, %v, want error %v", hit, err, want)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	o.near(t, "lat_deg", hit.Point.LatDeg, "lat_deg")
	o.near(t, "lon_deg", hit.Point.LonDeg, "lon_deg")
	o.near(t, "slant_range_m", hit.SlantRangeMetres, "slant_m")
}

func checkBoresight(t *testing.T, o oracle) {
	camera := o.camera(t)
	camera.Position = o.position(t)
	hit, err := camera.GroundHit(camera.CxPx, camera.CyPx, o.in(t, "surface_hae_m"))
	if err != nil {
		t.Fatal(err)
	}
	want := LatLonHAE{
		LatDeg:    decodeAs[float64](t, o.Expected, "lat_deg"),
		LonDeg:    decodeAs[float64](t, o.Expected, "lon_deg"),
		HAEMetres: o.in(t, "surface_hae_m"),
	}
	o.nearValue(t, "horizontal distance", HorizontalDistanceMetres(want, hit.Point), 0, "horizontal_m")
	o.near(t, "slant_range_m", hit.SlantRangeMetres, "slant_m")
}

func checkFlatPixel(t *testing.T, o oracle) {
	ray := rayOf(t, o.camera(t), o.in(t, "u_px"), o.in(t, "v_px"))
	onGround := r3.Scale(o.in(t, "height_m")/-ray.Z, ray)
	o.near(t, "e_m", onGround.X, "m")
	o.near(t, "n_m", onGround.Y, "m")
}

func checkProjection(t *testing.T, o oracle) {
	target := r3.Vec{X: o.in(t, "e_m"), Y: o.in(t, "n_m"), Z: o.in(t, "up_m") - o.in(t, "height_m")}
	u, v, err := o.camera(t).ProjectENU(target)
	if err != nil {
		t.Fatal(err)
	}
	o.near(t, "u_px", u, "px")
	o.near(t, "v_px", v, "px")
}

func checkECEF(t *testing.T, o oracle) {
	got := o.position(t).ECEF()
	o.near(t, "x_m", got.X, "m")
	o.near(t, "y_m", got.Y, "m")
	o.near(t, "z_m", got.Z, "m")
}

func checkENU(t *testing.T, o oracle) {
	origin := LatLonHAE{LatDeg: o.in(t, "origin_lat_deg"), LonDeg: o.in(t, "origin_lon_deg"), HAEMetres: o.in(t, "origin_hae_m")}
	got := FrameAt(origin).ENU(o.position(t).ECEF())
	o.near(t, "e_m", got.X, "m")
	o.near(t, "n_m", got.Y, "m")
	o.near(t, "u_m", got.Z, "m")
}

// boresightENU is the end of the optical axis of a camera that looks to an azimuth and elevation.
func boresightENU(t *testing.T, o oracle) r3.Vec {
	camera := Camera{HeadingDeg: o.in(t, "azimuth_deg"), PitchDeg: o.in(t, "elevation_deg"), FxPx: 1, FyPx: 1}
	return r3.Scale(o.in(t, "range_m"), rayOf(t, camera, 0, 0))
}

func checkAERToGeodetic(t *testing.T, o oracle) {
	got := LatLonHAEFromECEF(FrameAt(o.position(t)).ECEF(boresightENU(t, o)))
	o.near(t, "lat_deg", got.LatDeg, "lat_deg")
	o.near(t, "lon_deg", got.LonDeg, "lon_deg")
	o.near(t, "hae_m", got.HAEMetres, "hae_m")
}

func checkAERToENU(t *testing.T, o oracle) {
	got := boresightENU(t, o)
	enu, ned := decodeAs[[3]float64](t, o.Expected, "enu"), decodeAs[[3]float64](t, o.Expected, "ned")
	for _, pair := range [][2]float64{{got.X, enu[0]}, {got.Y, enu[1]}, {got.Z, enu[2]}, {got.Y, ned[0]}, {got.X, ned[1]}, {-got.Z, ned[2]}} {
		o.nearValue(t, "component", pair[0], pair[1], "m")
	}
}

func checkCE90Table(t *testing.T, o oracle) {
	ratios := decodeAs[[]float64](t, o.Input, "sigma_ratio_min_over_max")
	factors := decodeAs[[]float64](t, o.Expected, "ce90_over_sigma_max")
	for i, ratio := range ratios {
		got := Ellipse{SigmaMajorMetres: 3, SigmaMinorMetres: 3 * ratio}.CE90Metres() / 3
		o.nearValue(t, "relative error", got/factors[i], 1, "rel")
	}
	o.nearValue(t, "LE90", le90Factor/decodeAs[float64](t, o.Expected, "le90_over_sigma"), 1, "rel")
}

func checkGeoid(t *testing.T, o oracle) {
	o.near(t, "undulation_m", GeoidUndulationMetres(o.in(t, "lat_deg"), o.in(t, "lon_deg")), "m")
}

func checkMSLToHAE(t *testing.T, o oracle) {
	o.near(t, "hae_m", HAEFromMSL(o.in(t, "lat_deg"), o.in(t, "lon_deg"), o.in(t, "msl_m")), "m")
}

func checkHAEToMSL(t *testing.T, o oracle) {
	o.near(t, "msl_m", MSLFromHAE(o.in(t, "lat_deg"), o.in(t, "lon_deg"), o.in(t, "hae_m")), "m")
}

func checkPixelRay(t *testing.T, o oracle) {
	camera := CameraForImage(2000, 1000, o.in(t, "focal_px"))
	camera.HeadingDeg, camera.PitchDeg, camera.RollDeg = o.in(t, "heading_deg"), o.in(t, "pitch_deg"), o.in(t, "roll_deg")
	got := rayOf(t, camera, camera.CxPx+o.in(t, "du_px"), camera.CyPx+o.in(t, "dv_px"))
	want := decodeAs[[3]float64](t, o.Expected, "ray_enu")
	o.nearValue(t, "distance", r3.Norm(r3.Sub(got, r3.Vec{X: want[0], Y: want[1], Z: want[2]})), 0, "ray")
}

func checkMGRS(t *testing.T, o oracle) {
	digits := 5 - int(math.Round(math.Log10(o.in(t, "precision_m"))))
	got, err := MGRS(o.in(t, "lat_deg"), o.in(t, "lon_deg"), digits)
	if want := decodeAs[string](t, o.Expected, "mgrs"); err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func checkDeclination(t *testing.T, o oracle) {
	got, err := MagneticFieldAt(o.position(t), o.in(t, "decimal_year"))
	if err != nil {
		t.Fatal(err)
	}
	o.near(t, "declination_deg", got.DeclinationDeg, "deg")
}

func checkFieldAccuracy(t *testing.T, o oracle) {
	camera := testCamera(34, -84, 0)
	camera.PitchDeg = o.in(t, "pitch_deg")
	camera.Position.HAEMetres = o.in(t, "slant_range_m") * math.Sin(radians(-camera.PitchDeg))
	fix, err := Locate(camera, camera.CxPx, camera.CyPx, 0, DefaultSigmas())
	if err != nil {
		t.Fatal(err)
	}
	o.nearValue(t, "relative CE90", fix.CE90Metres/decodeAs[float64](t, o.Expected, "ce90_m"), 1, "rel")
}

// checkLens holds the model to OpenCV's in the forward direction, and the inverse to the point that OpenCV started from.
func checkLens(t *testing.T, o oracle) {
	camera := Camera{
		FxPx: o.in(t, "fx_px"), FyPx: o.in(t, "fy_px"), CxPx: o.in(t, "cx_px"), CyPx: o.in(t, "cy_px"),
		Lens: Lens{K1: o.in(t, "k1"), K2: o.in(t, "k2"), P1: o.in(t, "p1"), P2: o.in(t, "p2"), K3: o.in(t, "k3")},
	}
	a := camera.axes()
	x, y := o.in(t, "x"), o.in(t, "y")
	u, v, err := camera.ProjectENU(r3.Add(a.forward, r3.Add(r3.Scale(x, a.right), r3.Scale(y, a.down))))
	if err != nil {
		t.Fatal(err)
	}
	o.near(t, "u_px", u, "px")
	o.near(t, "v_px", v, "px")
	ray := rayOf(t, camera, decodeAs[float64](t, o.Expected, "u_px"), decodeAs[float64](t, o.Expected, "v_px"))
	depth := r3.Dot(ray, a.forward)
	o.nearValue(t, "x", r3.Dot(ray, a.right)/depth, x, "focal_lengths")
	o.nearValue(t, "y", r3.Dot(ray, a.down)/depth, y, "focal_lengths")
}
