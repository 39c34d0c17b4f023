// Package detection holds the nouns of the service and its rules: what a client reports, what is known about where it is,
// what is committed, and the errors every layer speaks in. It knows no transport, no database and no encoding but JSON.
package detection

import (
	"time"

	"github.com/detection-api/detection-api/app/internal/geo"
)

// Detection is one object seen by an AI in one image, with the position computed for it.
type Detection struct {
	ID           string    `json:"detection_id"` // see IDOf; UUID version 7 in records of before
	ReceivedAt   time.Time `json:"received_at"`  // when this service accepted it, UTC
	SeenAt       time.Time `json:"timestamp"`    // when the image was taken, UTC
	ObjectClass  string    `json:"object_class"`
	AIConfidence float64   `json:"ai_confidence"` // 0..1, as the AI reported it
	Source       string    `json:"source"`
	CameraID     string    `json:"camera_id"`
	PixelX       float64   `json:"pixel_x"` // px, right from the left edge of the image
	PixelY       float64   `json:"pixel_y"` // px, down from the upper edge
	Sensor       Sensor    `json:"sensor_metadata"`
	Datum        Datum     `json:"altitude_datum"`
	Image        *Image    `json:"image,omitempty"` // nil when no image came with it
	Fix          Fix       `json:"fix"`
	ReportedBy   string    `json:"reported_by"` // subject of the client's token
	// IdempotencyKey is what the client named its request: SHA-256 of the subject and the Idempotency-Key header, lower-case
	// hex. Empty: it named none.
	IdempotencyKey string `json:"idempotency_key,omitempty"`
	// Track is the object that this detection is a sighting of, as it was known with this sighting; nil: tracking is off.
	Track *Track `json:"track,omitempty"`
	// Retracts is the id of the detection that this entry of the record takes back. Only ID, ReceivedAt, SeenAt (when the
	// retraction was asked for), ReportedBy, Reason and what the event on the map needs (CameraID, ObjectClass, Fix, Track:
	// those of the detection that is taken back) say something then.
	Retracts string `json:"retracts,omitempty"`
	Reason   string `json:"reason,omitempty"` // of a retraction, as the client gave it
}

// Image says which picture a detection was made in. The picture itself is not kept.
type Image struct {
	SHA256 string `json:"sha256"` // lower-case hex
	Bytes  int64  `json:"bytes"`  // size after base64 decoding
}

// Fix is a position on the ground with its stated error.
type Fix struct {
	LatDeg           float64  `json:"lat"`
	LonDeg           float64  `json:"lon"`
	HAEMetres        *float64 `json:"hae_m"` // nil when the datum does not tell the height of the ground (AGL)
	CE90Metres       float64  `json:"ce90_m"`
	LE90Metres       float64  `json:"le90_m"`
	SlantRangeMetres float64  `json:"slant_range_m"`
	DepressionDeg    float64  `json:"depression_deg"`
	Flag             geo.Flag `json:"flag"`
	Method           string   `json:"method"` // MethodRayEllipsoid, MethodRayTerrain or MethodFused
	Ellipse          Ellipse  `json:"ellipse"`
	// MSLMetres is the height above mean sea level (EGM96), nil where HAEMetres is.
	MSLMetres *float64 `json:"msl_m,omitempty"`
	// ErrorMethod says how the error was estimated: "linear" or "sampled" (see geo.Method); empty in records of before.
	ErrorMethod string `json:"error_method,omitempty"`
	// HeightSource names the height model that HAEMetres was read from, as CoT's altsrc does: DTED0 to DTED3, SRTM1, LIDAR.
	// Empty: it was computed from what the client stated.
	HeightSource string `json:"height_source,omitempty"`
}

// Ellipse is the horizontal 90 % error ellipse: full axes in metres, bearing of the major axis clockwise from true north.
type Ellipse struct {
	MajorMetres float64 `json:"major_m"`
	MinorMetres float64 `json:"minor_m"`
	BearingDeg  float64 `json:"bearing_deg"`
}

// The methods of a fix.
const (
	// MethodRayEllipsoid is a single-image fix: the pixel's ray met with the WGS-84 ellipsoid at the height of the ground.
	MethodRayEllipsoid = "ray-ellipsoid"
	// MethodRayTerrain is a single-image fix: the pixel's ray met with a height model.
	MethodRayTerrain = "ray-terrain"
	// MethodFused is the position of a track, from several detections.
	MethodFused = "fused"
)

// Track is an object that was detected more than once, as far as it was known at one of its detections.
type Track struct {
	ID          string    `json:"track_id"` // the id of its first detection
	Detections  int       `json:"detections"`
	FirstSeenAt time.Time `json:"first_seen_at"`
	Fix         Fix       `json:"fix"`              // fused; that of the detection itself while there is one
	Motion      *Motion   `json:"motion,omitempty"` // nil: not known, or the tracker does not estimate it
	// State is what the tracker needs to go on from here on another pod; nobody else reads it.
	State []float64 `json:"state,omitempty"`
}

// Motion is how an object moves over the ground.
type Motion struct {
	SpeedMetresPerSecond float64 `json:"speed_mps"`
	CourseDeg            float64 `json:"course_deg"` // clockwise from true north
}

// Outcome is how the delivery of a detection to TAK ended.
type Outcome string

// The outcomes of a delivery.
const (
	Delivered    Outcome = "delivered"   // TAK read it
	DeadLettered Outcome = "dead_letter" // it cannot be encoded or is refused; an operator decides
	Superseded   Outcome = "superseded"  // a newer sighting of the same track is sent in its place
	Expired      Outcome = "expired"     // it had waited for too long, by the policy of whoever runs the service
)

// Delivery is one confirmed outcome, reported to the store.
type Delivery struct {
	ID      string    `json:"detection_id"`
	Outcome Outcome   `json:"outcome"`
	At      time.Time `json:"at"`
	Reason  string    `json:"reason,omitempty"` // for dead letters
}

// Durability is where an accepted detection was committed before the client got its answer.
type Durability string

// The two answers of an accepted detection.
const (
	InStore Durability = "store" // in the store: survives the loss of this pod (201)
	InPod   Durability = "pod"   // on this pod's disk only, until the store is back (202)
)
