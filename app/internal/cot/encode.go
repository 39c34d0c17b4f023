// Package cot writes detections, and the few control events a TAK connection needs, as Cursor on Target XML: bytes in,
// bytes out. It knows no socket and no database.
//
// Every event keeps one wire profile, the narrowest common part of what the known receivers read (ATAK, TAK Server, goatak,
// FreeTAKServer, OpenTAKServer, taky): no XML declaration, no newline in or after the event, pure ASCII with numeric
// character references, times as YYYY-MM-DDTHH:MM:SS.mmmZ, fixed-point decimals, a <detail> always, and at most
// MaxEventBytes bytes.
package cot

import (
	"cmp"
	"math"
	"strconv"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

const (
	// MaxEventBytes is the size no event exceeds. goatak closes the connection on an element over 2048 bytes; what is
	// left is room for the routing details that servers add.
	MaxEventBytes = 2000
	// UIDPrefix comes before a detection's id in the uid of its event.
	UIDPrefix = "detection-api."
	// DefaultStale is how long an event stays on the map when Encoder.Stale is not set.
	DefaultStale = 5 * time.Minute
	// DefaultLateAfter is the delay after which the remarks tell it, when Encoder.LateAfter is not set.
	DefaultLateAfter = 10 * time.Second

	timeLayout = "2006-01-02T15:04:05.000Z" // the only form that ATAK and all servers read the same way
	maxIDBytes = 64                         // a UUID has 36
)

// Encoder writes detections as events. The zero value is ready to use; it is safe for concurrent use.
type Encoder struct {
	// Stale is how long after its delivery an event stays on the map; zero and negative mean DefaultStale.
	Stale time.Duration
	// LateAfter is the time between acceptance and delivery from which the remarks say "delayed N s"; zero and negative
	// mean DefaultLateAfter.
	LateAfter time.Duration
}

// Encode returns the event of d as it is delivered at now: one line without a line end. The same detection always gets the
// same uid, so that a second delivery replaces the first on the map; time and stale follow now, start is when the image was
// taken (never after now: receivers drop a track whose stale is not after its start).
// The error is a *detection.Error with the field that cannot be encoded; trying again does not help.
func (e Encoder) Encode(d detection.Detection, now time.Time) ([]byte, error) {
	stale := now.Add(positive(e.Stale, DefaultStale))
	if err := check(d, now, stale); err != nil {
		return nil, err
	}
	start := d.SeenAt
	if start.After(now) {
		start = now
	}
	b := make([]byte, 0, MaxEventBytes)
	b = appendHead(b, head{uid: UIDPrefix + d.ID, kind: TypeOf(d.ObjectClass), how: "m-i", time: now, start: start, stale: stale})
	b = appendPoint(b, d.Fix)
	b = append(b, "<detail>"...)
	b = appendDetails(b, d)
	b = e.appendRemarks(b, d, now)
	return append(b, detailEnd...), nil
}

const detailEnd = "</detail></event>"

// check refuses what has no valid form in an event. Validation of the input should have refused all of it before.
func check(d detection.Detection, times ...time.Time) error {
	switch {
	case !validID(d.ID):
		return detection.Invalid("detection_id", "must be 1 to %d letters, digits, '.', '_' or '-'", maxIDBytes)
	case d.SeenAt.IsZero():
		return detection.Invalid("timestamp", "is missing")
	case !(math.Abs(d.Fix.LatDeg) <= 90): // written so that NaN is refused
		return detection.Invalid("fix.lat", "must be in [-90, 90], not %v", d.Fix.LatDeg)
	case !(math.Abs(d.Fix.LonDeg) <= 180):
		return detection.Invalid("fix.lon", "must be in [-180, 180], not %v", d.Fix.LonDeg)
	}
	for _, t := range append(times, d.SeenAt) {
		if year := t.UTC().Year(); year < 1 || year > 9999 {
			return detection.Invalid("timestamp", "year %d has no four-digit form", year)
		}
	}
	return nil
}

// validID tells whether id can stand in a uid as it is. An id that had to be changed would no longer be unique.
func validID(id string) bool {
	for i := range len(id) {
		if !tokenByte(id[i]) {
			return false
		}
	}
	return len(id) > 0 && len(id) <= maxIDBytes
}

// tokenByte tells whether c may stand in an ASCII XML name token.
func tokenByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
}

// head is the <event> element's attributes. uid, kind and how are trusted text that needs no escaping.
type head struct {
	uid, kind, how     string
	time, start, stale time.Time
}

func appendHead(b []byte, h head) []byte {
	b = append(b, `<event version="2.0" uid="`...)
	b = append(b, h.uid...)
	b = append(b, `" type="`...)
	b = append(b, h.kind...)
	b = append(b, `" how="`...)
	b = append(b, h.how...)
	b = append(b, `" time="`...)
	b = h.time.UTC().AppendFormat(b, timeLayout)
	b = append(b, `" start="`...)
	b = h.start.UTC().AppendFormat(b, timeLayout)
	b = append(b, `" stale="`...)
	b = h.stale.UTC().AppendFormat(b, timeLayout)
	return append(b, `">`...)
}

// unknownMetres is what CoT writes for a height or an error that is not known (ATAK's CotPoint.UNKNOWN).
const unknownMetres = 9999999

func appendPoint(b []byte, fix detection.Fix) []byte {
	hae, le := float64(unknownMetres), float64(unknownMetres)
	if knownHeight(fix) {
		hae, le = *fix.HAEMetres, errorMetres(fix.LE90Metres)
	}
	b = append(b, `<point lat="`...)
	b = appendDecimal(b, fix.LatDeg, 8) // 1e-8 deg is about 1 mm
	b = append(b, `" lon="`...)
	b = appendDecimal(b, fix.LonDeg, 8)
	b = append(b, `" hae="`...)
	b = appendMetres(b, hae)
	b = append(b, `" ce="`...)
	b = appendMetres(b, errorMetres(fix.CE90Metres))
	b = append(b, `" le="`...)
	b = appendMetres(b, le)
	return append(b, `"/>`...)
}

func knownHeight(fix detection.Fix) bool {
	return fix.HAEMetres != nil && math.Abs(*fix.HAEMetres) < unknownMetres // false for NaN and infinities
}

// errorMetres returns a stated error, or "unknown" for what is none.
func errorMetres(metres float64) float64 {
	if metres >= 0 && metres < unknownMetres {
		return metres
	}
	return unknownMetres
}

func appendMetres(b []byte, metres float64) []byte {
	if metres == unknownMetres {
		return append(b, "9999999.0"...) // receivers compare the text as well as the number
	}
	return appendDecimal(b, metres, 3)
}

// appendDecimal writes v as an xs:decimal, which has no exponent. v must be finite.
func appendDecimal(b []byte, v float64, decimals int) []byte {
	from := len(b)
	b = strconv.AppendFloat(b, v, 'f', decimals, 64)
	if b[from] != '-' {
		return b
	}
	for _, c := range b[from+1:] {
		if c != '0' && c != '.' {
			return b
		}
	}
	return append(b[:from], b[from+1:]...) // no minus zero
}

func positive(d, fallback time.Duration) time.Duration {
	return cmp.Or(max(d, 0), fallback)
}
