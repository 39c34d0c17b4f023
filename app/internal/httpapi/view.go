package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
)

// view is a detection as clients see it: flat, with the position first. Angles are in degrees, lengths in metres.
type view struct {
	ID               string               `json:"detection_id"`
	LatDeg           float64              `json:"lat"`
	LonDeg           float64              `json:"lon"`
	HAEMetres        *float64             `json:"hae_m"` // null when the datum does not tell it
	CE90Metres       float64              `json:"ce90_m"`
	LE90Metres       float64              `json:"le90_m"`
	SlantRangeMetres float64              `json:"slant_range_m"`
	DepressionDeg    float64              `json:"depression_deg"`
	Ellipse          detection.Ellipse    `json:"ellipse"`
	Flag             geo.Flag             `json:"flag"`
	Method           string               `json:"method"`
	MSLMetres        *float64             `json:"msl_m,omitempty"`
	HeightSource     string               `json:"height_source,omitempty"`
	ErrorMethod      string               `json:"error_method,omitempty"`
	ObjectClass      string               `json:"object_class"`
	AIConfidence     float64              `json:"ai_confidence"`
	Source           string               `json:"source"`
	CameraID         string               `json:"camera_id"`
	Timestamp        time.Time            `json:"timestamp"`
	ReceivedAt       time.Time            `json:"received_at"`
	ReportedBy       string               `json:"reported_by"`
	PixelX           float64              `json:"pixel_x"`
	PixelY           float64              `json:"pixel_y"`
	AltitudeDatum    detection.Datum      `json:"altitude_datum"`
	GroundElevation  float64              `json:"ground_elevation"`
	Sensor           detection.Sensor     `json:"sensor_metadata"`
	Image            *detection.Image     `json:"image,omitempty"`
	Track            *trackView           `json:"track,omitempty"`
	RetractedAt      *time.Time           `json:"retracted_at,omitempty"`
	RetractionReason string               `json:"retraction_reason,omitempty"`
	Durability       detection.Durability `json:"durability,omitempty"` // of an answer to POST, as are the next two
	CoT              string               `json:"cot,omitempty"`
	Warnings         []string             `json:"warnings,omitempty"`
}

// trackView is the object that a detection is a sighting of, as it was known with this sighting.
type trackView struct {
	ID          string            `json:"track_id"`
	Detections  int               `json:"detections"`
	FirstSeenAt time.Time         `json:"first_seen_at"`
	Fix         detection.Fix     `json:"fix"`
	Motion      *detection.Motion `json:"motion,omitempty"`
}

func viewTrack(t *detection.Track) *trackView {
	if t == nil {
		return nil
	}
	return &trackView{t.ID, t.Detections, t.FirstSeenAt, t.Fix, t.Motion}
}

func viewDetection(d detection.Detection) view {
	return view{
		ID:     d.ID,
		LatDeg: d.Fix.LatDeg, LonDeg: d.Fix.LonDeg, HAEMetres: d.Fix.HAEMetres,
		CE90Metres: d.Fix.CE90Metres, LE90Metres: d.Fix.LE90Metres,
		SlantRangeMetres: d.Fix.SlantRangeMetres, DepressionDeg: d.Fix.DepressionDeg,
		Ellipse: d.Fix.Ellipse, Flag: d.Fix.Flag, Method: d.Fix.Method,
		MSLMetres: d.Fix.MSLMetres, HeightSource: d.Fix.HeightSource, ErrorMethod: d.Fix.ErrorMethod, Track: viewTrack(d.Track),
		ObjectClass: d.ObjectClass, AIConfidence: d.AIConfidence, Source: d.Source, CameraID: d.CameraID,
		Timestamp: d.SeenAt, ReceivedAt: d.ReceivedAt, ReportedBy: d.ReportedBy,
		PixelX: d.PixelX, PixelY: d.PixelY,
		AltitudeDatum: d.Datum, GroundElevation: d.Sensor.GroundMetres, Sensor: d.Sensor, Image: d.Image,
	}
}

func viewAccepted(accepted detection.Accepted) view {
	v := viewDetection(accepted.Detection)
	v.Durability, v.CoT, v.Warnings = accepted.Durability, string(accepted.Event), accepted.Warnings
	return v
}

// writeJSON answers with JSON.
func writeJSON(x *exchange, status int, value any) error { return writeAs(x, status, mediaJSON, value) }

// writeAs encodes before it writes, so that a value that cannot be encoded is still a clean 500. XML in a string stays
// readable: nobody puts this JSON into a web page.
func writeAs(x *exchange, status int, mediaType string, value any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	x.Header().Set("Content-Length", strconv.Itoa(text.Len())) // whole also when it is flushed early
	return x.blob(status, mediaType, text.Bytes())
}
