package cot

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// Bounds in bytes as written, that is after escaping. All of them together leave more than 800 bytes for the remarks.
const (
	maxCallsignClass = 48
	maxCameraUID     = 64
	maxRemarkField   = 80
)

// appendDetails writes every detail but the remarks. The element names and attributes follow ATAK's takcot schemas.
func (p *Profile) appendDetails(b []byte, d *detection.Detection, s sighting) []byte {
	b = append(b, `<contact callsign="`...)
	b = appendName(b, d.ObjectClass, maxCallsignClass)
	b = append(b, ' ')
	b = append(b, s.id[max(0, len(s.id)-6):]...) // the end: an id begins with the time
	b = append(b, `"/><precisionlocation geopointsrc="CALC" altsrc="`...)
	b = append(b, heightSource(s.fix)...)
	b = append(b, `"/>`...)
	if d.CameraID != "" {
		b = append(b, `<link uid="`...)
		b = appendCameraUID(b, d.CameraID)
		b = append(b, `" type="`+cameraType+relationLink...)
	}
	b = appendEllipse(b, s.fix.Ellipse)
	b = appendMotion(b, s.motion)
	argb := p.colour(s.class, s.fix)
	b = append(b, `<color argb="`...)
	b = append(b, argb...)
	b = append(b, `"/>`...)
	return appendIcon(b, s.class, argb)
}

// heightSources are the words for a height model that ATAK knows.
var heightSources = []string{"DTED0", "DTED1", "DTED2", "DTED3", "SRTM1", "LIDAR"}

// heightSource returns the altsrc of a fix: the height model, CALC (computed) or ??? (unknown).
func heightSource(fix *detection.Fix) string {
	switch {
	case !knownHeight(fix):
		return "???"
	case slices.Contains(heightSources, fix.HeightSource):
		return fix.HeightSource
	}
	return "CALC"
}

// appendCameraUID writes the uid under which a camera is known on the map: the id itself after a prefix, or, where the id has
// characters that an XML name token has not or is long, what is left of it with a digest that keeps cameras apart.
func appendCameraUID(b []byte, cameraID string) []byte {
	b = append(b, UIDPrefix+"camera."...)
	from := len(b)
	same := len(cameraID) <= maxCameraUID
	for i := 0; i < len(cameraID) && i < maxCameraUID; i++ {
		c := cameraID[i]
		if !tokenByte(c) {
			c, same = '_', false
		}
		b = append(b, c)
	}
	if same {
		return b
	}
	digest := sha256.Sum256([]byte(cameraID))
	b = append(b[:from+min(len(b)-from, maxCameraUID-17)], '-')
	return hex.AppendEncode(b, digest[:8])
}

// appendEllipse draws the 90 % error ellipse. ATAK's ShapeDetailHandler halves major and minor: they are full axes. The
// angle is a whole number there.
func appendEllipse(b []byte, e detection.Ellipse) []byte {
	if !drawable(e.MajorMetres) || !drawable(e.MinorMetres) || !finite(e.BearingDeg) {
		return b
	}
	b = append(b, `<shape><ellipse major="`...)
	b = appendDecimal(b, e.MajorMetres, 2)
	b = append(b, `" minor="`...)
	b = appendDecimal(b, e.MinorMetres, 2)
	b = append(b, `" angle="`...)
	b = strconv.AppendInt(b, int64(compass(math.Round(e.BearingDeg))), 10)
	return append(b, `"/></shape>`...)
}

func drawable(axisMetres float64) bool { return axisMetres >= 0.01 && axisMetres < unknownMetres }

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// compass returns an angle in degrees as one in [0, 360).
func compass(deg float64) float64 {
	deg = math.Mod(math.Mod(deg, 360)+360, 360) // the outer one for what rounds up to 360
	return deg
}

// maxSpeed is far above what an object that a camera follows moves at; more is a mistake.
const maxSpeed = 3000 // m/s

// appendMotion writes speed and course where both are known; a receiver needs both.
func appendMotion(b []byte, m *detection.Motion) []byte {
	if m == nil || !(m.SpeedMetresPerSecond >= 0 && m.SpeedMetresPerSecond <= maxSpeed) || !finite(m.CourseDeg) {
		return b
	}
	b = append(b, `<track course="`...)
	b = appendAngle(b, m.CourseDeg)
	b = append(b, `" speed="`...)
	b = appendDecimal(b, m.SpeedMetresPerSecond, 2)
	return append(b, `"/>`...)
}

// appendAngle writes a finite angle with one decimal, below 360 also after rounding.
func appendAngle(b []byte, deg float64) []byte {
	return appendDecimal(b, compass(math.Round(compass(deg)*10)/10), 1)
}

// appendIcon names the icon: a path of the class's own, or the one that takcot's Marker schemas have for the type.
func appendIcon(b []byte, c *class, argb string) []byte {
	spot := c.icon == iconAuto && c.kind == spotType
	if c.icon == iconNone || c.icon == iconAuto && !spot && !strings.HasPrefix(c.kind, "a-") {
		return b
	}
	b = append(b, `<usericon iconsetpath="`...)
	switch {
	case spot:
		b = append(b, "COT_MAPPING_SPOTMAP/"+spotType+"/"...)
		b = append(b, argb...)
	case c.icon == iconAuto:
		b = append(b, "COT_MAPPING_2525B/"...)
		b = append(b, c.kind[:len("a-u")]...)
		b = append(b, '/')
		b = append(b, c.kind...)
	default:
		b = append(b, c.icon...)
	}
	return append(b, `"/>`...)
}
