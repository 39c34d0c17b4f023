package detection

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// AnyCamera is the name of the profile of all cameras that have none of their own.
const AnyCamera = "*"

// Profile is what is known of a camera beside what its reports say. What a report states goes before it.
type Profile struct {
	// FocalLengthPx and the principal point are those of an image of this size; for a larger or smaller image of the same
	// shape they grow or shrink with it.
	FocalLengthPx     *float64    `json:"focal_length,omitempty"`
	PrincipalPointXPx *float64    `json:"principal_point_x,omitempty"`
	PrincipalPointYPx *float64    `json:"principal_point_y,omitempty"`
	ImageWidthPx      int         `json:"image_width,omitempty"`
	ImageHeightPx     int         `json:"image_height,omitempty"`
	FocalLengthMM     *float64    `json:"focal_length_mm,omitempty"`
	SensorWidthMM     *float64    `json:"sensor_width_mm,omitempty"`
	Distortion        *Distortion `json:"distortion,omitempty"`
	HeadingReference  Reference   `json:"heading_reference,omitempty"`
	Sigmas            *Sigmas     `json:"sigmas,omitempty"`
}

// Profiles are those of the cameras, by camera_id. The nil map holds none.
type Profiles map[string]Profile

func (p Profiles) of(cameraID string) Profile {
	if profile, ok := p[cameraID]; ok {
		return profile
	}
	return p[AnyCamera]
}

// scaleTo returns by what the pixels of the profile grow to be those of an image; ok is false if its shape is another one,
// for a cropped image has another principal point and nobody says which.
func (p Profile) scaleTo(widthPx, heightPx int) (factor float64, ok bool) {
	if p.ImageWidthPx == 0 || p.ImageHeightPx == 0 {
		return 0, false
	}
	factor = float64(widthPx) / float64(p.ImageWidthPx)
	const rounding = 0.01 // a scaled image has whole pixels
	return factor, math.Abs(float64(heightPx)/float64(p.ImageHeightPx)/factor-1) <= rounding
}

// ParseProfiles reads a JSON object of profiles by camera_id. It takes no field that it does not know, none twice and no
// value out of its range; the error names the camera and the field.
func ParseProfiles(data []byte) (Profiles, error) {
	if err := namesOnce(data); err != nil {
		return nil, fmt.Errorf("camera profiles: %w", err)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("camera profiles: must be an object of camera ids: %w", err)
	}
	profiles := make(Profiles, len(raw))
	for id, text := range raw {
		profile, err := parseProfile(text)
		if err != nil {
			return nil, fmt.Errorf("camera profile %q: %w", id, err)
		}
		profiles[id] = profile
	}
	return profiles, nil
}

func parseProfile(text json.RawMessage) (Profile, error) {
	var p Profile
	if bytes.Equal(text, []byte("null")) {
		return Profile{}, errors.New("must be an object, not null")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return Profile{}, errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	if err := p.validate(); err != nil {
		return Profile{}, err
	}
	return p, nil
}

func (p Profile) validate() error {
	c := &checker{}
	p.checkSize(c)
	within(c, "focal_length", p.FocalLengthPx, minFocalPx, maxFocalPx)
	within(c, "focal_length_mm", p.FocalLengthMM, 1e-3, 1e5)
	within(c, "sensor_width_mm", p.SensorWidthMM, 1e-3, 1000)
	within(c, "principal_point_x", p.PrincipalPointXPx, 0, float64(p.ImageWidthPx))
	within(c, "principal_point_y", p.PrincipalPointYPx, 0, float64(p.ImageHeightPx))
	switch p.HeadingReference {
	case "", TrueNorth, MagneticNorth:
	default:
		c.fail("heading_reference", "must be true or magnetic, got %.40q", p.HeadingReference)
	}
	c.sigmas("sigmas", p.Sigmas)
	c.distortion("distortion", p.Distortion)
	if c.err != nil {
		return c.err
	}
	return nil
}

// checkSize sees to it that what is in pixels has an image, and what is in millimetres a sensor.
func (p Profile) checkSize(c *checker) {
	sized := p.ImageWidthPx > 0 && p.ImageHeightPx > 0 && p.ImageWidthPx <= maxImagePx && p.ImageHeightPx <= maxImagePx
	switch {
	case (p.ImageWidthPx != 0 || p.ImageHeightPx != 0) && !sized:
		c.fail("image_width", "and image_height must both be between 1 and %d, got %d and %d", maxImagePx, p.ImageWidthPx, p.ImageHeightPx)
	case (p.FocalLengthPx != nil || p.PrincipalPointXPx != nil || p.PrincipalPointYPx != nil) && !sized:
		c.fail("image_width", "and image_height are required with what is in pixels")
	case (p.PrincipalPointXPx == nil) != (p.PrincipalPointYPx == nil):
		c.fail("principal_point_x", "and principal_point_y go together")
	case p.FocalLengthPx != nil && p.FocalLengthMM != nil && p.SensorWidthMM != nil &&
		differ(focalPx(*p.FocalLengthMM, *p.SensorWidthMM, p.ImageWidthPx), *p.FocalLengthPx):
		c.fail("focal_length", "and focal_length_mm with sensor_width_mm differ by more than 5 %%")
	}
}

// within checks a number that may be absent.
func within(c *checker, field string, value *float64, low, high float64) {
	if value != nil {
		c.number(field, value, low, high)
	}
}

// The largest standard deviations that may be stated: past them an input tells nothing.
const (
	maxSigmaMetres = 10000
	maxSigmaDeg    = 180
	maxSigmaPx     = 10000
	maxSigmaFocal  = 50 // %
)

// sigmas checks stated standard deviations; nil is none.
func (c *checker) sigmas(at string, s *Sigmas) {
	if s == nil {
		return
	}
	for _, sigma := range []struct {
		name  string
		value *float64
		high  float64
	}{
		{"horizontal_m", s.HorizontalMetres, maxSigmaMetres},
		{"vertical_m", s.VerticalMetres, maxSigmaMetres},
		{"heading_deg", s.HeadingDeg, maxSigmaDeg},
		{"pitch_deg", s.PitchDeg, maxSigmaDeg},
		{"roll_deg", s.RollDeg, maxSigmaDeg},
		{"pixel_px", s.PixelPx, maxSigmaPx},
		{"focal_percent", s.FocalPercent, maxSigmaFocal},
		{"ground_m", s.GroundMetres, maxSigmaMetres},
	} {
		within(c, at+"."+sigma.name, sigma.value, 0, sigma.high)
	}
}

// maxDistortion bounds the coefficients: that of no lens in use comes near it.
const maxDistortion = 1000

// distortion checks stated coefficients of a lens; nil is none.
func (c *checker) distortion(at string, d *Distortion) {
	if d == nil {
		return
	}
	for _, k := range []struct {
		name  string
		value float64
	}{{"k1", d.K1}, {"k2", d.K2}, {"p1", d.P1}, {"p2", d.P2}, {"k3", d.K3}} {
		within(c, at+"."+k.name, &k.value, -maxDistortion, maxDistortion)
	}
}

// namesOnce returns an error unless the text is one JSON value in which no object has a name twice.
func namesOnce(text []byte) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	if err := checkValue(dec, ""); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("more data after the JSON value")
	}
	return nil
}

func checkValue(dec *json.Decoder, path string) error {
	token, err := dec.Token()
	if err != nil {
		return fmt.Errorf("not valid JSON at byte %d: %w", dec.InputOffset(), err)
	}
	open, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	names := map[string]bool{}
	for dec.More() {
		inner := path
		if open == '{' {
			name, err := dec.Token()
			if err != nil {
				return fmt.Errorf("not valid JSON at byte %d: %w", dec.InputOffset(), err)
			}
			text, _ := name.(string) // the names of an object are strings, or Token would have failed
			if inner = strings.TrimPrefix(path+"."+text, "."); names[text] {
				return fmt.Errorf("%s is there twice", inner)
			}
			names[text] = true
		}
		if err := checkValue(dec, inner); err != nil {
			return err
		}
	}
	if _, err = dec.Token(); err != nil {
		return fmt.Errorf("not valid JSON at byte %d: %w", dec.InputOffset(), err)
	}
	return nil
}
