package detection

import (
	"errors"
	"math"

	"github.com/detection-api/detection-api/app/internal/geo"
)

// Locator computes where on the ground an input's object is.
type Locator struct {
	Sigmas     geo.Sigmas
	Thresholds geo.Thresholds
}

// focalDisagreement is how far the focal length in pixels and the field of view that sensor and image size imply may lie
// apart before it is called a mistake.
const focalDisagreement = 0.05

// Locate returns the fix, or an *Error that says why there is none. It never makes a position up.
func (l Locator) Locate(in Input) (Fix, []string, error) {
	camera := geo.CameraForImage(in.Sensor.ImageWidthPx, in.Sensor.ImageHeightPx, in.Sensor.FocalLengthPx)
	camera.HeadingDeg, camera.PitchDeg, camera.RollDeg = in.Sensor.HeadingDeg, in.Sensor.PitchDeg, in.Sensor.RollDeg
	var groundHAEMetres float64
	camera.Position, groundHAEMetres = heights(in, camera)
	fix, err := geo.Locate(camera, in.PixelX, in.PixelY, groundHAEMetres, l.Sigmas)
	if err != nil {
		return Fix{}, nil, locateError(err)
	}
	return l.fix(in, fix), warnPixelShape(in.Sensor), nil
}

// heights returns the camera's position and the height of the ground, both above the ellipsoid. Under AGL the common
// reference is put on the ellipsoid: the earth's radius is then wrong by the height of the land, under 0.15 % anywhere,
// which moves the point by as little relative to its distance.
func heights(in Input, camera geo.Camera) (position geo.LatLonHAE, groundHAEMetres float64) {
	position = geo.LatLonHAE{LatDeg: in.Sensor.LatDeg, LonDeg: in.Sensor.LonDeg, HAEMetres: in.Sensor.ElevationMetres}
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

func (l Locator) fix(in Input, at geo.Fix) Fix {
	major, minor := at.Ellipse.SemiAxes90Metres()
	fix := Fix{
		LatDeg: at.Point.LatDeg, LonDeg: at.Point.LonDeg,
		CE90Metres: at.CE90Metres, LE90Metres: at.LE90Metres,
		SlantRangeMetres: at.SlantRangeMetres, DepressionDeg: at.DepressionDeg,
		Flag: l.Thresholds.Flag(at.CE90Metres), Method: MethodRayEllipsoid,
		Ellipse: Ellipse{MajorMetres: 2 * major, MinorMetres: 2 * minor, BearingDeg: at.Ellipse.MajorAzimuthDeg},
	}
	if in.Datum != AGL {
		hae := at.Point.HAEMetres
		fix.HAEMetres = &hae
	}
	return fix
}

func locateError(err error) error {
	code, message := CodeInternal, "the position could not be computed"
	switch {
	case errors.Is(err, geo.ErrNoGroundIntersection):
		code, message = CodeNoIntersection, "the pixel looks at the sky or the horizon; its ray meets no ground"
	case errors.Is(err, geo.ErrCameraBelowSurface):
		code, message = CodeBelowGround, "the camera is at or below the ground; check location_elevation, ground_elevation and altitude_datum"
	case errors.Is(err, geo.ErrTooShallow):
		code, message = CodeTooShallow, "the ray meets the ground too shallowly or too far away for a position"
	case errors.Is(err, geo.ErrUnbounded):
		code, message = CodeTooShallow, "the ray is so shallow that the sensor errors leave the position without a bound"
	}
	field := "sensor_metadata.pitch"
	switch {
	case code == CodeBelowGround:
		field = "sensor_metadata.location_elevation"
	case errors.Is(err, geo.ErrInvalidInput):
		code, field, message = CodeInvalidField, "sensor_metadata", "the camera and the pixel do not go together; check focal_length and the image size"
	}
	return &Error{Code: code, Message: message, Field: field, Err: err}
}

// warnPixelShape compares the sensor's shape with the image's: a frame that was cropped or scaled in one direction has
// another focal length than the client thinks.
func warnPixelShape(s Sensor) []string {
	if s.SensorWidthMM == nil || s.SensorHeightMM == nil {
		return nil
	}
	sensor := *s.SensorWidthMM / *s.SensorHeightMM
	image := float64(s.ImageWidthPx) / float64(s.ImageHeightPx)
	if math.Abs(sensor/image-1) <= focalDisagreement {
		return nil
	}
	return []string{"sensor_width_mm:sensor_height_mm and image_width:image_height differ by more than 5 %; focal_length must be that of the image as sent"}
}
