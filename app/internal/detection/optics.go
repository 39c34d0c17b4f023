package detection

import (
	"fmt"
	"math"

	"github.com/detection-api/detection-api/app/internal/geo"
)

// disagreement is how far two statements of the same thing may lie apart before that is called a mistake.
const disagreement = 0.05

// Resolve returns the sensor with everything in it as it is used: the focal length in pixels, also when it was given in
// millimetres, and what the client left out as the profile of the camera has it. A resolved sensor resolves to itself.
func (l Locator) Resolve(in Input) (Sensor, error) {
	s := in.Sensor
	profile := l.Profiles.of(in.CameraID)
	scale, scaled := profile.scaleTo(s.ImageWidthPx, s.ImageHeightPx)
	if s.FocalLengthPx == 0 {
		focal, field, err := resolveFocal(s, profile, scale, scaled)
		if err != nil {
			return Sensor{}, err
		}
		if !(focal >= minFocalPx && focal <= maxFocalPx) {
			return Sensor{}, Invalid(field, "makes a focal length of %.4g px, must be between %d and %g", focal, minFocalPx, maxFocalPx)
		}
		s.FocalLengthPx = focal
	}
	if s.PrincipalPointXPx == nil && s.PrincipalPointYPx == nil && scaled {
		s.PrincipalPointXPx, s.PrincipalPointYPx = times(profile.PrincipalPointXPx, scale), times(profile.PrincipalPointYPx, scale)
	}
	if s.Distortion == nil {
		s.Distortion = profile.Distortion
	}
	if s.HeadingReference == "" {
		s.HeadingReference = profile.HeadingReference
	}
	return s, nil
}

func times(value *float64, factor float64) *float64 {
	if value == nil {
		return nil
	}
	product := *value * factor
	return &product
}

// resolveFocal returns the focal length in pixels of a sensor that does not state it, and the field that it comes from.
func resolveFocal(s Sensor, profile Profile, scale float64, scaled bool) (px float64, field string, err error) {
	const at = "sensor_metadata."
	width := s.SensorWidthMM
	if width == nil {
		width = profile.SensorWidthMM
	}
	switch {
	case s.FocalLengthMM != nil && width == nil:
		return 0, "", Invalid(at+"sensor_width_mm", "is required with focal_length_mm")
	case s.FocalLengthMM != nil:
		return focalPx(*s.FocalLengthMM, *width, s.ImageWidthPx), at + "focal_length_mm", nil
	case profile.FocalLengthPx != nil && scaled:
		return *profile.FocalLengthPx * scale, at + "image_width", nil
	case profile.FocalLengthPx != nil:
		return 0, "", Invalid(at+"focal_length", "is required: the image has not the shape of the %d x %d px of the camera's profile", profile.ImageWidthPx, profile.ImageHeightPx)
	case profile.FocalLengthMM != nil && width != nil:
		return focalPx(*profile.FocalLengthMM, *width, s.ImageWidthPx), at + "image_width", nil
	default:
		return 0, "", Invalid(at+"focal_length", "is required, or else focal_length_mm with sensor_width_mm")
	}
}

// focalPx converts a focal length: the sensor's width is as many millimetres as the image's width is pixels.
func focalPx(focalMM, sensorWidthMM float64, imageWidthPx int) float64 {
	return focalMM / sensorWidthMM * float64(imageWidthPx)
}

// sigmas returns the errors of an input: the client's, else those of the camera's profile, else the default.
func (l Locator) sigmas(in Input) geo.Sigmas {
	s := l.Sigmas
	for _, from := range []*Sigmas{l.Profiles.of(in.CameraID).Sigmas, in.Sensor.Sigmas} {
		if from == nil {
			continue
		}
		set(&s.CameraHorizontalMetres, from.HorizontalMetres, 1)
		set(&s.CameraVerticalMetres, from.VerticalMetres, 1)
		set(&s.HeadingDeg, from.HeadingDeg, 1)
		set(&s.PitchDeg, from.PitchDeg, 1)
		set(&s.RollDeg, from.RollDeg, 1)
		set(&s.PixelPx, from.PixelPx, 1)
		set(&s.FocalRatio, from.FocalPercent, 0.01)
		set(&s.GroundHeightMetres, from.GroundMetres, 1)
	}
	return s
}

func set(to, value *float64, factor float64) {
	if value != nil {
		*to = *value * factor
	}
}

// warn names what was accepted but contradicts itself.
func (l Locator) warn(in Input) (warnings []string) {
	s, profile := in.Sensor, l.Profiles.of(in.CameraID)
	if !in.GroundGiven && l.Terrain == nil && in.Datum != AGL {
		warnings = append(warnings, fmt.Sprintf("ground_elevation was not given and there is no height model; the ground was taken to be at 0 m %s", in.Datum))
	}
	if s.SensorWidthMM != nil && s.SensorHeightMM != nil &&
		differ(*s.SensorWidthMM / *s.SensorHeightMM, float64(s.ImageWidthPx)/float64(s.ImageHeightPx)) {
		// A frame that was cropped or scaled in one direction has another focal length than the client thinks.
		warnings = append(warnings, "sensor_width_mm:sensor_height_mm and image_width:image_height differ by more than 5 %; focal_length must be that of the image as sent")
	}
	if s.FocalLengthPx == 0 {
		return warnings
	}
	if s.FocalLengthMM != nil && s.SensorWidthMM != nil {
		if made := focalPx(*s.FocalLengthMM, *s.SensorWidthMM, s.ImageWidthPx); differ(made, s.FocalLengthPx) {
			warnings = append(warnings, fmt.Sprintf("focal_length is %.4g px but focal_length_mm and sensor_width_mm make %.4g px; focal_length was used", s.FocalLengthPx, made))
		}
	}
	if scale, ok := profile.scaleTo(s.ImageWidthPx, s.ImageHeightPx); ok && profile.FocalLengthPx != nil && differ(*profile.FocalLengthPx*scale, s.FocalLengthPx) {
		warnings = append(warnings, fmt.Sprintf("focal_length is %.4g px but the camera's profile has %.4g px; focal_length was used", s.FocalLengthPx, *profile.FocalLengthPx*scale))
	}
	return warnings
}

func differ(a, b float64) bool { return math.Abs(a/b-1) > disagreement }
