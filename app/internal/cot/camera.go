package cot

import (
	"cmp"
	"math"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
)

// maxSensorRange is the longest field of view that ATAK offers to draw, in metres (SensorDetailHandler.MAX_SENSOR_RANGE).
const maxSensorRange = 15000

// Camera returns the event of the camera that d was seen with, as it is delivered at now: where it was and, so that a map
// draws its field of view, where it looked. It has the uid that the events of its detections link to. Errors are as for
// Encode; a retraction and a detection without a camera have none to show.
func (e Encoder) Camera(d detection.Detection, now time.Time) ([]byte, error) {
	p := cmp.Or(e.Profile, tactical)
	times := e.times(p.stale, d.SeenAt, now)
	if err := checkCamera(&d, times); err != nil {
		return nil, err
	}
	b := make([]byte, 0, usualBytes)
	b = append(b, headStart...)
	b = appendCameraUID(b, d.CameraID)
	b = appendHead(b, cameraType, "m-r", times)
	b = p.appendCameraPlace(b, &d)
	b = append(b, `<detail><contact callsign="`...)
	b = appendName(b, d.CameraID, maxCallsignClass)
	b = append(b, `"/><precisionlocation altsrc="???"/>`...)
	b = appendSensor(b, &d, azimuth(&d))
	b = append(b, `<remarks>camera of `...)
	b = appendName(b, d.Source, maxRemarkField)
	b = append(b, `; last image `...)
	b = times.start.UTC().AppendFormat(b, time.RFC3339)
	return append(b, `</remarks>`+detailEnd...), nil
}

func checkCamera(d *detection.Detection, t times) error {
	switch {
	case d.CameraID == "" || d.Retracts != "":
		return detection.Invalid("camera_id", "is missing")
	case d.SeenAt.IsZero():
		return detection.Invalid("timestamp", "is missing")
	}
	if err := checkPosition("sensor_metadata.location", d.Sensor.LatDeg, d.Sensor.LonDeg); err != nil {
		return err
	}
	return checkTimes(t.time, t.start, t.stale, d.SeenAt)
}

// appendCameraPlace writes the camera's position. Its height is known under HAE and MSL; its errors are known where the
// client stated the standard deviations, which here are one-sigma of each axis.
func (p *Profile) appendCameraPlace(b []byte, d *detection.Detection) []byte {
	hae, ce, le := float64(unknownMetres), math.NaN(), math.NaN()
	switch d.Datum {
	case detection.HAE:
		hae = d.Sensor.ElevationMetres
	case detection.MSL:
		hae = geo.HAEFromMSL(d.Sensor.LatDeg, d.Sensor.LonDeg, d.Sensor.ElevationMetres)
	}
	if !(math.Abs(hae) < unknownMetres) {
		hae = unknownMetres
	}
	perCE, perLE := ce90PerSigma, le90PerSigma
	if p.oneSigma {
		perCE, perLE = 1, 1
	}
	if s := d.Sensor.Sigmas; s != nil {
		ce = stated(s.HorizontalMetres) * perCE
		if hae != unknownMetres {
			le = stated(s.VerticalMetres) * perLE
		}
	}
	return appendPlace(b, d.Sensor.LatDeg, d.Sensor.LonDeg, hae, errorMetres(ce), errorMetres(le))
}

func stated(sigma *float64) float64 {
	if sigma == nil {
		return math.NaN()
	}
	return *sigma
}

// appendSensor writes the field of view. Angles are those of CoT's sensor schema: azimuth [0, 360) from true north, elevation
// up, roll with the right side down. The range is how far the camera saw: the distance to what it detected. A view that is not
// known is not drawn.
func appendSensor(b []byte, d *detection.Detection, azimuthDeg float64) []byte {
	s := &d.Sensor
	fov, vfov := fieldOfView(s.ImageWidthPx, s.PrincipalPointXPx, s.FocalLengthPx), fieldOfView(s.ImageHeightPx,
		s.PrincipalPointYPx, s.FocalLengthPx)
	if !finite(azimuthDeg) || !(math.Abs(s.PitchDeg) <= 90) || !finite(s.RollDeg) || !(fov >= 0.1) || !(vfov >= 0.1) {
		return b
	}
	b = append(b, `<sensor azimuth="`...)
	b = appendAngle(b, azimuthDeg)
	b = append(b, `" elevation="`...)
	b = appendDecimal(b, s.PitchDeg, 1)
	b = append(b, `" roll="`...)
	b = appendDecimal(b, signed(s.RollDeg), 1)
	b = append(b, `" fov="`...)
	b = appendDecimal(b, fov, 1)
	b = append(b, `" vfov="`...)
	b = appendDecimal(b, vfov, 1)
	if seen := d.Fix.SlantRangeMetres; seen > 0 {
		b = append(b, `" range="`...)
		b = appendDecimal(b, min(math.Ceil(seen), maxSensorRange), 0)
	}
	return append(b, `"/>`...)
}

// azimuth returns where the camera looked from true north, in degrees; NaN when that is not known.
func azimuth(d *detection.Detection) float64 {
	s := &d.Sensor
	if s.HeadingReference != detection.MagneticNorth {
		return s.HeadingDeg
	}
	at := geo.LatLonHAE{LatDeg: s.LatDeg, LonDeg: s.LonDeg, HAEMetres: s.ElevationMetres}
	field, err := geo.MagneticFieldAt(at, geo.DecimalYear(d.SeenAt))
	if err != nil {
		return math.NaN()
	}
	return s.HeadingDeg + field.DeclinationDeg
}

// fieldOfView is the angle between the edges of an image in degrees, by a pinhole; NaN when it cannot be told.
func fieldOfView(sizePx int, principalPx *float64, focalPx float64) float64 {
	size := float64(sizePx)
	at := size / 2
	if principalPx != nil {
		at = *principalPx
	}
	if !(focalPx > 0) || sizePx <= 0 {
		return math.NaN()
	}
	return (math.Atan(at/focalPx) + math.Atan((size-at)/focalPx)) * 180 / math.Pi
}

// signed returns an angle in degrees as one in (-180, 180], also after it is rounded to a tenth.
func signed(deg float64) float64 {
	deg = math.Round(compass(deg)*10) / 10
	if deg > 180 {
		return deg - 360
	}
	return deg
}
