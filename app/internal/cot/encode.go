// Package cot writes detections, and the few control events a TAK connection needs, as Cursor on Target XML: bytes in,
// bytes out. It knows no socket and no database.
//
// Every event keeps one wire profile, the narrowest common part of what the known receivers read (ATAK, TAK Server, goatak,
// FreeTAKServer, OpenTAKServer, taky): no XML declaration, no newline in or after the event, pure ASCII with numeric
// character references, times as YYYY-MM-DDTHH:MM:SS.mmmZ, fixed-point decimals, a <detail> always, and at most
// MaxEventBytes bytes. What an object class looks like on the map is a Profile.
package cot

import (
	"cmp"
	"math"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

const (
	// MaxEventBytes is the size no event exceeds. goatak closes the connection on an element over 2048 bytes; what is
	// left is room for the routing details that servers add.
	MaxEventBytes = 2000
	// UIDPrefix comes before a detection's id in the uid of its event.
	UIDPrefix = "detection-api."
	// DefaultStale is how long an event stays on the map when neither the profile nor Encoder.Stale says it.
	DefaultStale = 5 * time.Minute
	// DefaultLateAfter is the delay after which the remarks tell it, when Encoder.LateAfter is not set.
	DefaultLateAfter = 10 * time.Second

	maxIDBytes   = 64   // a UUID has 36
	usualBytes   = 1024 // of an event; one that is longer costs a second allocation
	detailEnd    = "</detail></event>"
	relationLink = `" relation="p-p"/>`
)

// Encoder writes detections as events. The zero value is ready to use; it is safe for concurrent use.
type Encoder struct {
	// Stale is how long after its delivery an event stays on the map where the profile does not say; zero and negative mean
	// DefaultStale.
	Stale time.Duration
	// LateAfter is the time between acceptance and delivery from which the remarks say "delayed N s"; zero and negative
	// mean DefaultLateAfter.
	LateAfter time.Duration
	// Profile says how object classes look; nil means Tactical.
	Profile *Profile
}

// Encode returns the event of d as it is delivered at now: one line without a line end. The same detection always gets the
// same uid, so that a second delivery replaces the first on the map; one that belongs to a track has the uid and the
// position of the track; a retraction takes the event off the map. time and stale follow now, start is when the image was
// taken (never after now: receivers drop a track whose stale is not after its start).
// The error is a *detection.Error with the field that cannot be encoded; trying again does not help.
func (e Encoder) Encode(d detection.Detection, now time.Time) ([]byte, error) {
	p := cmp.Or(e.Profile, tactical)
	s := p.sightingOf(&d)
	times := e.times(cmp.Or(s.class.stale, p.stale), d.SeenAt, now)
	if err := check(&d, s, times); err != nil {
		return nil, err
	}
	b := make([]byte, 0, usualBytes)
	if d.Retracts != "" {
		return e.appendRetraction(b, &d, s, times), nil
	}
	b = append(b, headStart+UIDPrefix...)
	b = append(b, s.id...)
	b = appendHead(b, s.class.kind, s.how(), times)
	b = p.appendPoint(b, s.fix)
	b = append(b, "<detail>"...)
	b = p.appendDetails(b, &d, s)
	b = e.appendRemarks(b, &d, s, now)
	return append(b, detailEnd...), nil
}

// appendRetraction writes the event that takes s off the map. It has a uid of its own: a server could take that of the object
// for a client that has gone. ATAK asks for all three attributes of the link and removes the marker, with what belongs to
// it, at once for __forcedelete (CotDeleteImporter); goatak asks for the relation p-p.
func (e Encoder) appendRetraction(b []byte, d *detection.Detection, s sighting, times times) []byte {
	b = append(b, headStart+UIDPrefix...)
	b = append(b, d.ID...)
	b = appendHead(b, retractionType, "h-g-i-g-o", times)
	b = cmp.Or(e.Profile, tactical).appendPoint(b, s.fix)
	b = append(b, `<detail><link uid="`+UIDPrefix...)
	b = append(b, s.id...)
	b = append(b, `" type="`...)
	b = append(b, s.class.kind...)
	b = append(b, relationLink+`<__forcedelete/>`...)
	b = e.appendRemarks(b, d, s, times.time)
	return append(b, detailEnd...)
}

// sighting is what the map is told of a detection: its own position, or that of the track it belongs to.
type sighting struct {
	id     string // of the object on the map
	fix    *detection.Fix
	class  *class
	count  int // detections that the fix comes from
	motion *detection.Motion
}

func (p *Profile) sightingOf(d *detection.Detection) sighting {
	s := sighting{id: d.ID, fix: &d.Fix, class: p.classOf(d.ObjectClass), count: 1}
	if d.Retracts != "" {
		s.id = d.Retracts
	}
	if t := d.Track; t != nil {
		s.id, s.fix, s.count, s.motion = t.ID, &t.Fix, t.Detections, t.Motion
	}
	return s
}

func (s sighting) how() string {
	if s.count > 1 {
		return howFused
	}
	return s.class.how
}

func (s sighting) idField(d *detection.Detection) string {
	if d.Track == nil {
		return "retracts"
	}
	return "track.track_id"
}

// times are those of an event.
type times struct{ time, start, stale time.Time }

// times returns them for an event that stays for as long as the profile says, or else the encoder.
func (e Encoder) times(stays time.Duration, seen, now time.Time) times {
	if seen.After(now) {
		seen = now
	}
	return times{time: now, start: seen, stale: now.Add(cmp.Or(stays, positive(e.Stale, DefaultStale)))}
}

// check refuses what has no valid form in an event. Validation of the input should have refused all of it before.
func check(d *detection.Detection, s sighting, t times) error {
	switch {
	case !validID(d.ID):
		return detection.Invalid("detection_id", "must be 1 to %d letters, digits, '.', '_' or '-'", maxIDBytes)
	case !validID(s.id):
		return detection.Invalid(s.idField(d), "must be 1 to %d letters, digits, '.', '_' or '-'", maxIDBytes)
	case d.SeenAt.IsZero():
		return detection.Invalid("timestamp", "is missing")
	}
	if err := checkPosition("fix", s.fix.LatDeg, s.fix.LonDeg); err != nil {
		return err
	}
	return checkTimes(t.time, t.start, t.stale, d.SeenAt)
}

func checkPosition(field string, latDeg, lonDeg float64) error {
	switch {
	case !(math.Abs(latDeg) <= 90): // written so that NaN is refused
		return detection.Invalid(field+".lat", "must be in [-90, 90], not %v", latDeg)
	case !(math.Abs(lonDeg) <= 180):
		return detection.Invalid(field+".lon", "must be in [-180, 180], not %v", lonDeg)
	}
	return nil
}

func checkTimes(times ...time.Time) error {
	for _, t := range times {
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

func positive(d, fallback time.Duration) time.Duration {
	return cmp.Or(max(d, 0), fallback)
}
