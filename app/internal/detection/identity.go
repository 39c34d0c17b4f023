package detection

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"time"

	"github.com/google/uuid"
)

// IDOf is the id of the detection of one object: the same for each report of the same pixel of the same camera at the same
// time, on whichever pod it arrives, so that a retry is never a second object. It is a UUID version 8 (RFC 9562 section 5.8)
// that sorts by the time at which the image was taken: 48 bits of milliseconds, then SHA-256 of camera, microseconds and pixel.
func IDOf(cameraID string, seenAt time.Time, pixelX, pixelY float64) string {
	hash := sha256.New()
	var numbers [24]byte
	binary.BigEndian.PutUint64(numbers[0:], uint64(seenAt.UnixMicro()))
	binary.BigEndian.PutUint64(numbers[8:], math.Float64bits(pixelX+0)) // + 0: minus zero is zero
	binary.BigEndian.PutUint64(numbers[16:], math.Float64bits(pixelY+0))
	hash.Write(numbers[:])
	hash.Write([]byte(cameraID))
	return versionEight(seenAt, hash.Sum(nil))
}

// saysTheSame is whether two reports of the same camera, time and pixel say the same otherwise. What a camera's profile adds to
// a report is left out, as it may change in between.
func saysTheSame(a, b Detection) bool {
	type said struct {
		class, source                                     string
		confidence                                        float64
		lat, lon, elevation, heading, pitch, roll, ground float64
		width, height                                     int
		datum                                             Datum
		picture                                           string
	}
	of := func(d Detection) said {
		s := d.Sensor
		what := said{
			class: d.ObjectClass, source: d.Source, confidence: d.AIConfidence, datum: d.Datum,
			lat: s.LatDeg, lon: s.LonDeg, elevation: s.ElevationMetres, heading: s.HeadingDeg, pitch: s.PitchDeg, roll: s.RollDeg,
			ground: s.GroundMetres, width: s.ImageWidthPx, height: s.ImageHeightPx,
		}
		if d.Image != nil {
			what.picture = d.Image.SHA256
		}
		return what
	}
	return of(a) == of(b)
}

// RetractionID is the id of the entry that takes a detection back: there is one for each detection.
func RetractionID(id string, seenAt time.Time) string {
	sum := sha256.Sum256([]byte("retract " + id))
	return versionEight(seenAt, sum[:])
}

func versionEight(at time.Time, sum []byte) string {
	var id uuid.UUID
	copy(id[:], sum)
	milliseconds := uint64(at.UnixMilli())
	for i := range 6 {
		id[i] = byte(milliseconds >> (40 - 8*i))
	}
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}

// IdempotencyKey is what is kept of the Idempotency-Key that a client has sent: each subject has keys of its own.
func IdempotencyKey(subject, key string) string {
	if key == "" {
		return ""
	}
	hash := sha256.New()
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(subject)))
	hash.Write(length[:])
	hash.Write([]byte(subject))
	hash.Write([]byte(key))
	return hex.EncodeToString(hash.Sum(nil))
}
