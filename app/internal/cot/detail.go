package cot

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
)

// Bounds in bytes as written, that is after escaping. All of them together leave more than 900 bytes for the remarks.
const (
	maxCallsignClass = 48
	maxCameraUID     = 64
	maxRemarkField   = 80
)

// appendDetails writes every detail but the remarks. The element names and attributes follow ATAK's takcot schemas.
func appendDetails(b []byte, d detection.Detection) []byte {
	b = append(b, `<contact callsign="`...)
	b = appendText(b, orUnknown(d.ObjectClass), maxCallsignClass)
	b = append(b, ' ')
	b = append(b, d.ID[max(0, len(d.ID)-6):]...) // the end: a version 7 UUID begins with the time
	b = append(b, `"/><precisionlocation geopointsrc="CALC" altsrc="`...)
	if knownHeight(d.Fix) {
		b = append(b, "CALC"...)
	} else {
		b = append(b, "???"...)
	}
	b = append(b, `"/>`...)
	if d.CameraID != "" {
		b = append(b, `<link uid="`...)
		b = append(b, CameraUID(d.CameraID)...)
		b = append(b, `" type="b-m-p-s-p-loc" relation="p-p"/>`...)
	}
	b = appendEllipse(b, d.Fix.Ellipse)
	return appendColor(b, d.Fix)
}

// CameraUID is the uid under which a camera is known on the map: the id itself after a prefix, or, where the id has
// characters that an XML name token has not or is long, what is left of it with a digest that keeps cameras apart.
func CameraUID(cameraID string) string {
	const prefix = UIDPrefix + "camera."
	safe := make([]byte, 0, maxCameraUID)
	for i := 0; i < len(cameraID) && i < maxCameraUID; i++ {
		c := cameraID[i]
		if !tokenByte(c) {
			c = '_'
		}
		safe = append(safe, c)
	}
	if string(safe) == cameraID {
		return prefix + cameraID
	}
	digest := sha256.Sum256([]byte(cameraID))
	return prefix + string(safe[:min(len(safe), maxCameraUID-17)]) + "-" + hex.EncodeToString(digest[:8])
}

// appendEllipse draws the 90 % error ellipse. ATAK's ShapeDetailHandler halves major and minor: they are full axes. The
// angle is a whole number there.
func appendEllipse(b []byte, e detection.Ellipse) []byte {
	if !drawable(e.MajorMetres) || !drawable(e.MinorMetres) || math.IsNaN(e.BearingDeg) || math.IsInf(e.BearingDeg, 0) {
		return b
	}
	angle := math.Mod(math.Mod(math.Round(e.BearingDeg), 360)+360, 360)
	b = append(b, `<shape><ellipse major="`...)
	b = appendDecimal(b, e.MajorMetres, 2)
	b = append(b, `" minor="`...)
	b = appendDecimal(b, e.MinorMetres, 2)
	b = append(b, `" angle="`...)
	b = strconv.AppendInt(b, int64(angle), 10)
	return append(b, `"/></shape>`...)
}

func drawable(axisMetres float64) bool { return axisMetres >= 0.01 && axisMetres < unknownMetres }

// Colours as CoT has them: a signed 32-bit 0xAARRGGBB.
const (
	argbGreen  = "-16711936" // 0xff00ff00
	argbYellow = "-256"      // 0xffffff00
	argbRed    = "-65536"    // 0xffff0000
	argbWhite  = "-1"
)

// appendColor marks how far the position can be trusted; a flag that is not known is white.
func appendColor(b []byte, fix detection.Fix) []byte {
	argb := argbWhite
	switch fix.Flag {
	case geo.Green:
		argb = argbGreen
	case geo.Yellow:
		argb = argbYellow
	case geo.Red:
		argb = argbRed
	}
	b = append(b, `<color argb="`...)
	b = append(b, argb...)
	return append(b, `"/>`...)
}

// appendRemarks writes what a person should read, in the room that is left, the most important first.
func (e Encoder) appendRemarks(b []byte, d detection.Detection, now time.Time) []byte {
	const open, end = "<remarks>", "</remarks>"
	room := MaxEventBytes - len(b) - len(open) - len(end) - len(detailEnd)
	if room <= 0 {
		return b
	}
	b = append(b, open...)
	b = appendText(b, e.remarks(d, now), room)
	return append(b, end...)
}

func (e Encoder) remarks(d detection.Detection, now time.Time) string {
	text := make([]byte, 0, 256)
	late := now.Sub(d.ReceivedAt)
	if !d.ReceivedAt.IsZero() && late >= positive(e.LateAfter, DefaultLateAfter) {
		text = fmt.Appendf(text, "delayed %d s; ", int64(late/time.Second))
	}
	text = append(text, clip(orUnknown(d.ObjectClass))...)
	if c := d.AIConfidence; c >= 0 && c <= 1 {
		text = strconv.AppendFloat(append(text, "; AI confidence "...), c, 'f', 2, 64)
	}
	if ce := errorMetres(d.Fix.CE90Metres); ce < unknownMetres {
		text = append(strconv.AppendFloat(append(text, "; CE90 "...), ce, 'f', 1, 64), " m"...)
	}
	text = append(text, " ("...)
	text = append(text, clip(orUnknown(string(d.Fix.Flag)))...)
	text = append(text, ')')
	if d.CameraID != "" {
		text = append(text, "; camera "...)
		text = append(text, clip(d.CameraID)...)
	}
	if d.Source != "" {
		text = append(text, "; source "...)
		text = append(text, clip(d.Source)...)
	}
	return string(text)
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
