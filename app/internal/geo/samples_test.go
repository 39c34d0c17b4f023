package geo

import (
	"bytes"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gonum.org/v1/gonum/spatial/r3"
)

// The samples for users in docs/samples are made here: go test ./internal/geo -run TestSamples -update
// Without -update the test compares them with what it would write, and locates each of them.
var update = flag.Bool("update", false, "write docs/samples anew")

const samplesDir = "../../../docs/samples"

// sampleRequest is the body of POST /api/v1/detections.
type sampleRequest struct {
	PixelX          float64      `json:"pixel_x"`
	PixelY          float64      `json:"pixel_y"`
	ObjectClass     string       `json:"object_class"`
	AIConfidence    float64      `json:"ai_confidence"`
	Source          string       `json:"source"`
	CameraID        string       `json:"camera_id"`
	Timestamp       time.Time    `json:"timestamp"`
	AltitudeDatum   string       `json:"altitude_datum"`
	GroundElevation float64      `json:"ground_elevation"`
	Sensor          sampleSensor `json:"sensor_metadata"`
}

type sampleSensor struct {
	LocationLat       float64 `json:"location_lat"`
	LocationLon       float64 `json:"location_lon"`
	LocationElevation float64 `json:"location_elevation"`
	Heading           float64 `json:"heading"`
	Pitch             float64 `json:"pitch"`
	Roll              float64 `json:"roll"`
	FocalLength       float64 `json:"focal_length"`
	SensorWidthMM     float64 `json:"sensor_width_mm"`
	SensorHeightMM    float64 `json:"sensor_height_mm"`
	ImageWidth        int     `json:"image_width"`
	ImageHeight       int     `json:"image_height"`
}

// sampleTruth is what line n of X.expected.ndjson says about line n of X.ndjson.
type sampleTruth struct {
	CameraID    string    `json:"camera_id"`
	Timestamp   time.Time `json:"timestamp"`
	Name        string    `json:"name"`
	Lat         float64   `json:"lat"`
	Lon         float64   `json:"lon"`
	HAEM        float64   `json:"hae_m"`
	SlantRangeM float64   `json:"slant_range_m"`
	ToleranceM  float64   `json:"tolerance_m"` // horizontally
	Source      string    `json:"source"`
	Licence     string    `json:"licence"`
}

type sample struct {
	request sampleRequest
	truth   sampleTruth
}

func TestSamples(t *testing.T) {
	for name, samples := range map[string][]sample{
		"drone-shots":    droneShots(t),
		"moving-vehicle": movingVehicle(t),
	} {
		var requests, truths bytes.Buffer
		for _, s := range samples {
			appendLine(t, &requests, s.request)
			appendLine(t, &truths, s.truth)
			checkSample(t, s)
		}
		compareFile(t, filepath.Join(samplesDir, name+".ndjson"), requests.Bytes())
		compareFile(t, filepath.Join(samplesDir, name+".expected.ndjson"), truths.Bytes())
	}
}

// TestSamplesNeedTheirPose is the positive control: a camera turned by a degree misses the expected positions.
func TestSamplesNeedTheirPose(t *testing.T) {
	for _, s := range append(droneShots(t), movingVehicle(t)...) {
		s.request.Sensor.Heading++
		if fix := locateSample(t, s.request); HorizontalDistanceMetres(s.truth.point(), fix.Point) <= s.truth.ToleranceM {
			t.Errorf("%s: one degree of heading makes no difference", s.truth.Name)
		}
	}
}

func (s sampleTruth) point() LatLonHAE {
	return LatLonHAE{LatDeg: s.Lat, LonDeg: s.Lon, HAEMetres: s.HAEM}
}

func appendLine(t *testing.T, to *bytes.Buffer, value any) {
	t.Helper()
	line, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	to.Write(append(line, '\n'))
}

func compareFile(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what this test generates; run it with -update and look at the difference", path)
	}
}

// camera reads a request as the service does.
func (r sampleRequest) camera() (camera Camera, surfaceHAEMetres float64) {
	s := r.Sensor
	camera = CameraForImage(s.ImageWidth, s.ImageHeight, s.FocalLength)
	camera.Position = LatLonHAE{LatDeg: s.LocationLat, LonDeg: s.LocationLon, HAEMetres: s.LocationElevation}
	camera.HeadingDeg, camera.PitchDeg, camera.RollDeg = s.Heading, s.Pitch, s.Roll
	if r.AltitudeDatum == "MSL" {
		camera.Position.HAEMetres = HAEFromMSL(s.LocationLat, s.LocationLon, s.LocationElevation)
		return camera, HAEFromMSL(s.LocationLat, s.LocationLon, r.GroundElevation)
	}
	return camera, r.GroundElevation
}

func locateSample(t *testing.T, r sampleRequest) Fix {
	t.Helper()
	camera, surface := r.camera()
	fix, err := Locate(camera, r.PixelX, r.PixelY, surface, DefaultSigmas())
	if err != nil {
		t.Fatalf("%s: %v", r.CameraID, err)
	}
	return fix
}

func checkSample(t *testing.T, s sample) {
	t.Helper()
	fix := locateSample(t, s.request)
	off := HorizontalDistanceMetres(s.truth.point(), fix.Point)
	t.Logf("%-24s %6.3f m off (allowed %g), slant %5.1f m, CE90 %4.1f m, LE90 %3.1f m, %s", s.truth.Name, off, s.truth.ToleranceM,
		fix.SlantRangeMetres, fix.CE90Metres, fix.LE90Metres, DefaultThresholds().Flag(fix.CE90Metres))
	if off > s.truth.ToleranceM || math.Abs(fix.SlantRangeMetres-s.truth.SlantRangeM) > s.truth.ToleranceM ||
		math.Abs(fix.Point.HAEMetres-s.truth.HAEM) > s.truth.ToleranceM {
		t.Errorf("%s: %+v, want %+v", s.truth.Name, fix, s.truth)
	}
	r := s.request
	if r.PixelX < 0 || r.PixelX > float64(r.Sensor.ImageWidth) || r.PixelY < 0 || r.PixelY > float64(r.Sensor.ImageHeight) {
		t.Errorf("%s: the pixel %v, %v is outside the image", s.truth.Name, r.PixelX, r.PixelY)
	}
}

// droneShots are the poses of real shots that OpenAthena publishes with the position it computes for the image centre.
// Image size and focal length are ours, those of a usual 1/2.3-inch camera: at the centre they make no difference.
func droneShots(t *testing.T) []sample {
	var samples []sample
	at := time.Date(2026, 2, 15, 12, 0, 0, 0, time.UTC)
	for _, o := range readOracles(t) {
		if o.Kind != "boresight_to_terrain_height" {
			continue
		}
		r := sampleRequest{
			PixelX: 2000, PixelY: 1500, ObjectClass: "unknown", AIConfidence: 0.9, Source: "sample", CameraID: o.ID,
			Timestamp: at.Add(time.Duration(len(samples)) * time.Minute), AltitudeDatum: "HAE", GroundElevation: o.in(t, "surface_hae_m"),
			Sensor: sampleSensor{
				LocationLat: o.in(t, "lat_deg"), LocationLon: o.in(t, "lon_deg"), LocationElevation: o.in(t, "hae_m"),
				Heading: o.in(t, "heading_deg"), Pitch: o.in(t, "pitch_deg"), Roll: o.in(t, "roll_deg"),
				FocalLength: 2800, SensorWidthMM: 6.17, SensorHeightMM: 4.55, ImageWidth: 4000, ImageHeight: 3000,
			},
		}
		samples = append(samples, sample{request: r, truth: sampleTruth{
			CameraID: r.CameraID, Timestamp: r.Timestamp, Name: o.Name, Lat: decodeAs[float64](t, o.Expected, "lat_deg"),
			Lon: decodeAs[float64](t, o.Expected, "lon_deg"), HAEM: r.GroundElevation,
			SlantRangeM: decodeAs[float64](t, o.Expected, "slant_range_m"), ToleranceM: o.Tolerance["horizontal_m"],
			Source: o.Source, Licence: o.Licence,
		}})
	}
	return samples
}

// movingVehicle is a made scene: on a straight road a vehicle drives at 15 m/s past a drone that circles beside the road
// and keeps its camera on where the vehicle was a second ago. Once a second the camera sees it in another pixel. The
// pixel is rounded to a tenth, the pose as telemetry rounds it; the truth is known because it is where the pixel was made
// from.
func movingVehicle(t *testing.T) []sample {
	const steps, speed, roadAzimuthDeg, groundHAEMetres = 20, 15.0, 65.0, 323.0
	middle := FrameAt(LatLonHAE{LatDeg: 41.3045, LonDeg: -96.3420, HAEMetres: groundHAEMetres})
	start := time.Date(2026, 2, 15, 12, 30, 0, 0, time.UTC)
	vehicle := func(second float64) LatLonHAE {
		along := speed * (second - (steps-1)/2.0)
		sin, cos := math.Sincos(radians(roadAzimuthDeg))
		p := LatLonHAEFromECEF(middle.ECEF(r3.Vec{X: along * sin, Y: along * cos}))
		p.HAEMetres = groundHAEMetres
		return p
	}
	var samples []sample
	for i := range steps {
		second := float64(i)
		sin, cos := math.Sincos(0.2 * second) // 8 m/s on a circle of 40 m
		drone := LatLonHAEFromECEF(middle.ECEF(r3.Vec{X: -10 + 40*sin, Y: -20 + 40*cos, Z: 80}))
		at := start.Add(time.Duration(i) * time.Second)
		truth := vehicle(second)
		r := sampleRequest{
			ObjectClass: "vehicle", AIConfidence: round(0.88+0.06*math.Sin(second), 2), Source: "sample", CameraID: "sample-drone-1",
			Timestamp: at, AltitudeDatum: "MSL",
			GroundElevation: round(MSLFromHAE(truth.LatDeg, truth.LonDeg, truth.HAEMetres), 2),
			Sensor:          trackingSensor(drone, vehicle(second-1)),
		}
		camera, _ := r.camera()
		u, v, err := camera.Project(truth)
		if err != nil {
			t.Fatal(err)
		}
		r.PixelX, r.PixelY = round(u, 1), round(v, 1)
		samples = append(samples, sample{request: r, truth: sampleTruth{
			CameraID: r.CameraID, Timestamp: at, Name: "vehicle at " + at.Format("15:04:05"),
			Lat: round(truth.LatDeg, 9), Lon: round(truth.LonDeg, 9), HAEM: truth.HAEMetres,
			SlantRangeM: round(r3.Norm(r3.Sub(truth.ECEF(), camera.Position.ECEF())), 3), ToleranceM: 0.1,
			Source: "made by app/internal/geo/samples_test.go", Licence: "Apache-2.0",
		}})
	}
	return samples
}

// trackingSensor is a video camera at a position, pointed at a target.
func trackingSensor(position, target LatLonHAE) sampleSensor {
	enu := FrameAt(position).ENU(target.ECEF())
	return sampleSensor{
		LocationLat: round(position.LatDeg, 7), LocationLon: round(position.LonDeg, 7),
		LocationElevation: round(MSLFromHAE(position.LatDeg, position.LonDeg, position.HAEMetres), 2),
		Heading:           round(math.Mod(degrees(math.Atan2(enu.X, enu.Y))+360, 360), 1),
		Pitch:             round(degrees(math.Atan2(enu.Z, math.Hypot(enu.X, enu.Y))), 1),
		Roll:              1.5,
		FocalLength:       2800, SensorWidthMM: 6.17, SensorHeightMM: 3.47, ImageWidth: 3840, ImageHeight: 2160,
	}
}

func round(x float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(x*scale) / scale
}

// TestMovingVehicleDrivesStraight holds the truth to what the scene says.
func TestMovingVehicleDrivesStraight(t *testing.T) {
	samples := movingVehicle(t)
	first := FrameAt(samples[0].truth.point())
	for i, s := range samples[1:] {
		enu := first.ENU(s.truth.point().ECEF())
		if along, want := math.Hypot(enu.X, enu.Y), 15*float64(i+1); math.Abs(along-want) > 0.02 {
			t.Errorf("after %d s the vehicle is %v m along, want %v", i+1, along, want)
		}
		if azimuth := degrees(math.Atan2(enu.X, enu.Y)); math.Abs(azimuth-65) > 0.01 {
			t.Errorf("after %d s the vehicle is at azimuth %v, want 65", i+1, azimuth)
		}
	}
}
