package geo

import (
	"fmt"
	"math"
)

// Sigmas are the standard deviations of what a position is computed from. Errors are taken as independent, unbiased and
// normal. Zero means exact.
type Sigmas struct {
	CameraHorizontalMetres float64 // of the camera's position, on each of the axes east and north
	CameraVerticalMetres   float64
	HeadingDeg             float64
	PitchDeg               float64
	RollDeg                float64 // about the optical axis
	PixelPx                float64 // of the detection in the image, on each of the axes u and v
	FocalRatio             float64 // of the focal length, as a fraction of it
	GroundHeightMetres     float64 // of the stated height of the ground at the target
}

// DefaultSigmas returns the errors of a small drone with GPS, compass and gimbal, for cameras that state none.
//
//   - Camera 3 m and 5 m: the GPS SPS Performance Standard (5th edition, 2020) promises 8 m horizontally and 13 m
//     vertically at 95 %, which is 3.3 m on each axis and 6.6 m; receivers do somewhat better.
//   - Heading 2 deg: a calibrated magnetic compass. Pitch and roll 1 deg: a gimbal with the airframe's alignment in it.
//   - Pixel 2 px: where a detector puts the foot of an object. Focal length 1 %: an uncalibrated lens of known model.
//   - Ground 5 m: a height model with 30 m posts (SRTM: 16 m at 90 % specified, about 6 m measured) or a guess on level land.
//
// For 45 degrees down they give CE90s of 13.3 m at a slant range of 56 m to 18.5 m at 255 m. Field measurements against
// surveyed points: 12.0 m (East Roswell) and 17.3 m (Thunderstorm, 441 shots at those ranges), from the data of
// Theta-Limited/OA-Accuracy-Testing (MIT).
func DefaultSigmas() Sigmas {
	return Sigmas{
		CameraHorizontalMetres: 3,
		CameraVerticalMetres:   5,
		HeadingDeg:             2,
		PitchDeg:               1,
		RollDeg:                1,
		PixelPx:                2,
		FocalRatio:             0.01,
		GroundHeightMetres:     5,
	}
}

// Validate returns an error that wraps ErrInvalidInput unless every sigma is finite and not negative.
func (s Sigmas) Validate() error {
	for i, sigma := range s.byInput() {
		if !(sigma >= 0) || math.IsInf(sigma, 0) {
			return fmt.Errorf("%w: sigma %d of %+v must be finite and not negative", ErrInvalidInput, i, s)
		}
	}
	return nil
}

// The inputs of a position that carry an error, in the order of the Jacobian's columns. Angles are in radians here.
const (
	inputEast = iota
	inputNorth
	inputUp
	inputHeading
	inputPitch
	inputRoll
	inputU
	inputV
	inputFocal // ratio
	inputGround
	inputCount
)

// deviations holds one number for each input: its sigma, or how far a draw lies from the stated value.
type deviations [inputCount]float64

func (s Sigmas) byInput() deviations {
	return deviations{
		inputEast:    s.CameraHorizontalMetres,
		inputNorth:   s.CameraHorizontalMetres,
		inputUp:      s.CameraVerticalMetres,
		inputHeading: radians(s.HeadingDeg),
		inputPitch:   radians(s.PitchDeg),
		inputRoll:    radians(s.RollDeg),
		inputU:       s.PixelPx,
		inputV:       s.PixelPx,
		inputFocal:   s.FocalRatio,
		inputGround:  s.GroundHeightMetres,
	}
}
