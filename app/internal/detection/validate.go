package detection

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds of the input. They are wide: they catch mistakes of unit and sign, not unusual cameras.
const (
	maxText         = 128    // characters of object_class, source and camera_id; the CoT event must stay below 2000 bytes
	maxImagePx      = 100000 // a side of the image
	minFocalPx      = 1      // below it the field of view is all but 180 degrees for any image, and the camera matrix has no inverse
	maxFocalPx      = 1e7
	maxHeightMetres = 100000 // above it nothing flies that sends us detections
	minHeightMetres = -12000 // below the deepest sea floor
)

// checker collects the first problem found, so that a validation reads as a list.
type checker struct {
	viewOnly bool // who saw what and when may be absent
	err      *Error
}

func (c *checker) fail(field, format string, args ...any) {
	if c.err == nil {
		c.err = Invalid(field, format, args...)
	}
}

func (c *checker) number(field string, value *float64, low, high float64) float64 {
	if value == nil {
		c.fail(field, "is required")
		return 0
	}
	if *value < low || *value > high {
		c.fail(field, "must be between %v and %v, got %v", low, high, *value)
	}
	return *value
}

func (c *checker) optional(field string, value *float64, low, high float64) float64 {
	if value == nil {
		return 0
	}
	return c.number(field, value, low, high)
}

func (c *checker) positive(field string, value *float64, high float64) {
	if c.number(field, value, 0, high) == 0 {
		c.fail(field, "must be greater than 0")
	}
}

// positiveInt takes 1920.0 for 1920, as JSON Schema does: programs that count in floats write it so.
func (c *checker) positiveInt(field string, value *float64, high int) int {
	const exact = 1 << 53 // up to which each whole number is one of float64
	switch {
	case value == nil:
		c.fail(field, "is required")
		return 0
	case *value != math.Trunc(*value) || math.Abs(*value) > exact:
		c.fail(field, "must be a whole number in the range of its type, got %v", *value)
	case *value <= 0 || *value > float64(high):
		c.fail(field, "must be between 1 and %d, got %v", high, *value)
	}
	return int(*value)
}

// absent says whether a field of the report is missing, which is an error unless only a position is wanted.
func (c *checker) absent(field string, missing bool) bool {
	if missing && !c.viewOnly {
		c.fail(field, "is required")
	}
	return missing
}

func (c *checker) text(field string, value *string) string {
	if c.absent(field, value == nil) {
		return ""
	}
	if n := utf8.RuneCountInString(*value); n > maxText || strings.TrimSpace(*value) == "" {
		c.fail(field, "must have 1 to %d characters that are not all blank, got %d", maxText, n)
	}
	if i := strings.IndexFunc(*value, isForbidden); i >= 0 {
		c.fail(field, "must not contain control characters, got one at byte %d", i)
	}
	return *value
}

// isForbidden says whether a character has no place in a name: XML 1.0 cannot carry it (section 2.2), or it changes the
// order in which a terminal or a map shows what is around it.
func isForbidden(r rune) bool {
	return unicode.IsControl(r) || r == 0xFFFE || r == 0xFFFF || unicode.Is(unicode.Bidi_Control, r)
}

func (w *wireInput) validate(viewOnly bool) (Input, error) {
	c := &checker{viewOnly: viewOnly}
	in := Input{
		ObjectClass:  c.text("object_class", w.ObjectClass),
		AIConfidence: c.confidence(w.AIConfidence),
		Source:       c.text("source", w.Source),
		CameraID:     c.text("camera_id", w.CameraID),
		Datum:        c.datum(w.AltitudeDatum),
	}
	in.SeenAt = c.timestamp(w.Timestamp, &in.Warnings)
	if w.Sensor == nil {
		c.fail("sensor_metadata", "is required")
		return Input{}, c.err
	}
	in.Sensor = c.sensor(w.Sensor)
	in.GroundGiven = w.GroundElevation != nil
	in.Sensor.GroundMetres = c.optional("ground_elevation", w.GroundElevation, minHeightMetres, maxHeightMetres)
	in.PixelX = c.number("pixel_x", w.PixelX, 0, float64(in.Sensor.ImageWidthPx))
	in.PixelY = c.number("pixel_y", w.PixelY, 0, float64(in.Sensor.ImageHeightPx))
	if c.err != nil {
		return Input{}, c.err
	}
	return in, nil
}

func (c *checker) confidence(value *float64) float64 {
	if c.absent("ai_confidence", value == nil) {
		return 0
	}
	return c.number("ai_confidence", value, 0, 1)
}

// at is where the camera is in a report.
const at = "sensor_metadata."

func (c *checker) sensor(w *wireSensor) Sensor {
	s := Sensor{
		LatDeg:          c.number(at+"location_lat", w.Lat, -90, 90),
		LonDeg:          c.number(at+"location_lon", w.Lon, -180, 180),
		ElevationMetres: c.number(at+"location_elevation", w.Elevation, minHeightMetres, maxHeightMetres),
		HeadingDeg:      c.number(at+"heading", w.Heading, -360, 360),
		PitchDeg:        c.number(at+"pitch", w.Pitch, -90, 90),
		RollDeg:         c.optional(at+"roll", w.Roll, -180, 180),
		FocalLengthPx:   c.optional(at+"focal_length", w.FocalLength, minFocalPx, maxFocalPx), // the Locator may know it
		ImageWidthPx:    c.positiveInt(at+"image_width", w.ImageWidth, maxImagePx),
		ImageHeightPx:   c.positiveInt(at+"image_height", w.ImageHeight, maxImagePx),
		SensorWidthMM:   w.SensorWidthMM,
		SensorHeightMM:  w.SensorHeightMM,
	}
	if w.SensorWidthMM != nil {
		c.positive(at+"sensor_width_mm", w.SensorWidthMM, 1000)
	}
	if w.SensorHeightMM != nil {
		c.positive(at+"sensor_height_mm", w.SensorHeightMM, 1000)
	}
	c.lens(w, &s)
	return s
}

// lens takes what a report may say of its camera beside where it is and looks.
func (c *checker) lens(w *wireSensor, s *Sensor) {
	within(c, at+"focal_length_mm", w.FocalLengthMM, 1e-3, 1e5)
	within(c, at+"principal_point_x", w.PrincipalPointX, -maxImagePx, maxImagePx) // outside of the image when it was cropped
	within(c, at+"principal_point_y", w.PrincipalPointY, -maxImagePx, maxImagePx)
	c.distortion(at+"distortion", w.Distortion)
	c.sigmas(at+"sigmas", w.Sigmas)
	s.FocalLengthMM, s.Distortion, s.Sigmas = w.FocalLengthMM, w.Distortion, w.Sigmas
	s.PrincipalPointXPx, s.PrincipalPointYPx = w.PrincipalPointX, w.PrincipalPointY
	if w.HeadingReference == nil {
		return
	}
	switch s.HeadingReference = *w.HeadingReference; s.HeadingReference {
	case TrueNorth, MagneticNorth:
	default:
		c.fail(at+"heading_reference", "must be true or magnetic, got %.40q", s.HeadingReference)
	}
}

func (c *checker) datum(value *Datum) Datum {
	if value == nil {
		return AGL
	}
	switch *value {
	case AGL, MSL, HAE:
	default:
		c.fail("altitude_datum", "must be AGL, MSL or HAE, got %.40q", *value)
	}
	return *value
}

// timestamp accepts RFC 3339. A time without a zone, which Python writes by default, is taken as UTC and warned about.
func (c *checker) timestamp(value *string, warnings *[]string) time.Time {
	if c.absent("timestamp", value == nil) {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, *value)
	if err != nil {
		if t, err = time.ParseInLocation("2006-01-02T15:04:05.999999999", *value, time.UTC); err != nil {
			c.fail("timestamp", "must be an RFC 3339 time such as 2026-02-15T12:00:00Z, got %.40q", *value)
			return time.Time{}
		}
		*warnings = append(*warnings, fmt.Sprintf("timestamp %.40s has no zone and was taken as UTC", *value))
	}
	t = t.UTC()
	if t.Year() < 1970 || t.Year() > 9998 { // CoT has four digits for the year, and stale lies after it
		c.fail("timestamp", "must lie between the years 1970 and 9998, got %d", t.Year())
	}
	return t
}
