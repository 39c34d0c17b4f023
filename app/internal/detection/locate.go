package detection

import (
	"errors"
	"math"

	"github.com/detection-api/detection-api/app/internal/geo"
)

// Locator computes where on the ground an input's object is.
type Locator struct {
	Sigmas     geo.Sigmas // of what neither the request nor the camera's profile states
	Thresholds geo.Thresholds
	Profiles   Profiles    // what is known of the cameras; nil: nothing
	Terrain    geo.Terrain // asked for the ground when the client does not state its height; nil: there is none
}

// Locate returns the fix and what looks like a mistake, or an *Error that says why there is no fix. It never makes a
// position up.
func (l Locator) Locate(in Input) (Fix, []string, error) {
	warnings := l.warn(in)
	sensor, err := l.Resolve(in)
	if err != nil {
		return Fix{}, nil, err
	}
	in.Sensor = sensor
	sigmas := l.sigmas(in)
	camera := cameraOf(sensor)
	if sensor.HeadingReference == MagneticNorth {
		magnetic, err := trueNorth(in, &camera, &sigmas)
		if err != nil {
			return Fix{}, nil, err
		}
		warnings = append(warnings, magnetic...)
	}
	fix, err := l.onGround(in, camera, sigmas)
	if err != nil {
		return Fix{}, nil, locateError(err)
	}
	return fix, warnings, nil
}

func cameraOf(s Sensor) geo.Camera {
	camera := geo.CameraForImage(s.ImageWidthPx, s.ImageHeightPx, s.FocalLengthPx)
	camera.Position = geo.LatLonHAE{LatDeg: s.LatDeg, LonDeg: s.LonDeg, HAEMetres: s.ElevationMetres}
	camera.HeadingDeg, camera.PitchDeg, camera.RollDeg = s.HeadingDeg, s.PitchDeg, s.RollDeg
	if s.PrincipalPointXPx != nil {
		camera.CxPx = *s.PrincipalPointXPx
	}
	if s.PrincipalPointYPx != nil {
		camera.CyPx = *s.PrincipalPointYPx
	}
	if d := s.Distortion; d != nil {
		camera.Lens = geo.Lens{K1: d.K1, K2: d.K2, P1: d.P1, P2: d.P2, K3: d.K3}
	}
	return camera
}

// trueNorth turns a magnetic heading into a true one, at the camera and on the day of the image, and adds the error of the
// declination to that of the heading.
func trueNorth(in Input, camera *geo.Camera, sigmas *geo.Sigmas) (warnings []string, err error) {
	if in.SeenAt.IsZero() {
		return nil, Invalid("timestamp", "is required with a magnetic heading, whose north moves")
	}
	field, err := geo.MagneticFieldAt(camera.Position, geo.DecimalYear(in.SeenAt))
	if err != nil {
		return nil, &Error{
			Code: CodeInvalidField, Field: "sensor_metadata.heading_reference", Err: err,
			Message: "the magnetic model WMM2025 says nothing about the year of the timestamp; send a true heading",
		}
	}
	camera.HeadingDeg += field.DeclinationDeg
	sigmas.HeadingDeg = math.Hypot(sigmas.HeadingDeg, field.SigmaDeg)
	if field.Extrapolated {
		warnings = append(warnings, "the timestamp lies outside 2025.0 to 2030.0, the years of the magnetic model WMM2025, which was extrapolated for the heading")
	}
	if field.HorizontalNanotesla < geo.WMMBlackoutNanotesla {
		warnings = append(warnings, "the camera is so near a magnetic pole that a compass does not hold (less than 2000 nT); send a true heading")
	}
	return warnings, nil
}

// onGround meets the ray with the ground: at the stated height, or else as the height model has it.
func (l Locator) onGround(in Input, camera geo.Camera, sigmas geo.Sigmas) (Fix, error) {
	if l.Terrain != nil && !in.GroundGiven {
		return l.onTerrain(in, camera, sigmas)
	}
	var groundHAEMetres float64
	camera.Position, groundHAEMetres = heights(in, camera)
	at, err := geo.Locate(camera, in.PixelX, in.PixelY, groundHAEMetres, sigmas)
	if err != nil {
		return Fix{}, err
	}
	return l.fix(at, MethodRayEllipsoid, in.Datum != AGL), nil
}

func (l Locator) onTerrain(in Input, camera geo.Camera, sigmas geo.Sigmas) (Fix, error) {
	switch position := &camera.Position; in.Datum {
	case MSL:
		position.HAEMetres = geo.HAEFromMSL(position.LatDeg, position.LonDeg, in.Sensor.ElevationMetres)
	case AGL:
		ground, ok := geo.GroundHAEMetres(l.Terrain, position.LatDeg, position.LonDeg)
		if !ok {
			return Fix{}, geo.ErrNoTerrain
		}
		position.HAEMetres += ground
	}
	at, err := geo.LocateOnTerrain(camera, in.PixelX, in.PixelY, l.Terrain, sigmas)
	if err != nil {
		return Fix{}, err
	}
	fix := l.fix(at, MethodRayTerrain, true)
	fix.HeightSource = at.Model
	return fix, nil
}

// heights returns the camera's position and the height of the ground, both above the ellipsoid. Under AGL the common
// reference is put on the ellipsoid: the earth's radius is then wrong by the height of the land, under 0.15 % anywhere,
// which moves the point by as little relative to its distance.
func heights(in Input, camera geo.Camera) (position geo.LatLonHAE, groundHAEMetres float64) {
	position = camera.Position
	if in.Datum != MSL {
		return position, in.Sensor.GroundMetres
	}
	position.HAEMetres = geo.HAEFromMSL(position.LatDeg, position.LonDeg, in.Sensor.ElevationMetres)
	groundHAEMetres = geo.HAEFromMSL(position.LatDeg, position.LonDeg, in.Sensor.GroundMetres)
	camera.Position = position
	// The geoid at the object may differ from that at the camera; one more look with its height there is enough, because
	// the geoid's slope stays under a metre in a kilometre.
	if hit, err := camera.GroundHit(in.PixelX, in.PixelY, groundHAEMetres); err == nil {
		groundHAEMetres = geo.HAEFromMSL(hit.Point.LatDeg, hit.Point.LonDeg, in.Sensor.GroundMetres)
	}
	return position, groundHAEMetres
}

// fix states a position; its height is known only above a datum that is tied to the earth.
func (l Locator) fix(at geo.Fix, method string, heightKnown bool) Fix {
	major, minor := at.Ellipse.SemiAxes90Metres()
	fix := Fix{
		LatDeg: at.Point.LatDeg, LonDeg: at.Point.LonDeg,
		CE90Metres: at.CE90Metres, LE90Metres: at.LE90Metres,
		SlantRangeMetres: at.SlantRangeMetres, DepressionDeg: at.DepressionDeg,
		Flag: l.Thresholds.Flag(at.CE90Metres), Method: method, ErrorMethod: string(at.Method),
		Ellipse: Ellipse{MajorMetres: 2 * major, MinorMetres: 2 * minor, BearingDeg: at.Ellipse.MajorAzimuthDeg},
	}
	if heightKnown {
		hae := at.Point.HAEMetres
		msl := geo.MSLFromHAE(fix.LatDeg, fix.LonDeg, hae)
		fix.HAEMetres, fix.MSLMetres = &hae, &msl
	}
	return fix
}

// noPosition says what each reason is to a client.
var noPosition = []struct {
	err     error
	code    Code
	field   string
	message string
}{
	{geo.ErrNoGroundIntersection, CodeNoIntersection, "sensor_metadata.pitch", "the pixel looks at the sky or the horizon; its ray meets no ground"},
	{geo.ErrCameraBelowSurface, CodeBelowGround, "sensor_metadata.location_elevation", "the camera is at or below the ground; check location_elevation, ground_elevation and altitude_datum"},
	{geo.ErrTooShallow, CodeTooShallow, "sensor_metadata.pitch", "the ray meets the ground too shallowly or too far away for a position"},
	{geo.ErrUnbounded, CodeTooShallow, "sensor_metadata.pitch", "the ray is so shallow that the sensor errors leave the position without a bound"},
	{geo.ErrOutsideLens, CodeOutsideLens, "sensor_metadata.distortion", "the pixel lies where the distortion folds back, so it has no one direction; check the coefficients and the focal length"},
	{geo.ErrNoTerrain, CodeNoTerrain, "ground_elevation", "there is no height model where the ray would meet the ground; state ground_elevation"},
	{geo.ErrInvalidInput, CodeInvalidField, "sensor_metadata", "the camera and the pixel do not go together; check focal_length and the image size"},
}

func locateError(err error) error {
	for _, reason := range noPosition {
		if errors.Is(err, reason.err) {
			return &Error{Code: reason.code, Field: reason.field, Message: reason.message, Err: err}
		}
	}
	return &Error{Code: CodeInternal, Message: "the position could not be computed", Err: err}
}
