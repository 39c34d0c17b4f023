package httpapi

import (
	"math"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
)

// feature is a detection as GeoJSON (RFC 7946). Its properties are flat, because tables of maps are.
type feature struct {
	Type       string     `json:"type"`
	ID         string     `json:"id"`
	Geometry   point      `json:"geometry"`
	Properties properties `json:"properties"`
	Links      []link     `json:"links,omitempty"`
}

// point is a position: longitude and latitude in degrees, and the height above the WGS-84 ellipsoid in metres where it is known.
type point struct {
	Type        string    `json:"type"`
	Coordinates []float64 `json:"coordinates"`
}

// properties are what the view has as well, under the same names.
type properties struct {
	ObjectClass      string     `json:"object_class"`
	AIConfidence     float64    `json:"ai_confidence"`
	Source           string     `json:"source"`
	CameraID         string     `json:"camera_id"`
	Timestamp        time.Time  `json:"timestamp"`
	ReceivedAt       time.Time  `json:"received_at"`
	ReportedBy       string     `json:"reported_by"`
	Flag             geo.Flag   `json:"flag"`
	Method           string     `json:"method"`
	HAEMetres        *float64   `json:"hae_m"`
	MSLMetres        *float64   `json:"msl_m"`
	CE90Metres       float64    `json:"ce90_m"`
	LE90Metres       float64    `json:"le90_m"`
	EllipseMajor     float64    `json:"ellipse_major_m"`     // full axes of the 90 % ellipse
	EllipseMinor     float64    `json:"ellipse_minor_m"`     //
	EllipseBearing   float64    `json:"ellipse_bearing_deg"` // of the major axis, clockwise from true north
	SlantRangeMetres float64    `json:"slant_range_m"`
	TrackID          string     `json:"track_id,omitempty"`
	TrackDetections  int        `json:"track_detections,omitempty"`
	RetractedAt      *time.Time `json:"retracted_at,omitempty"`
}

// decimals that are written of a coordinate: 1e-9 degrees are 0.1 mm, more than any error stated here.
const coordinateScale = 1e9

func featureOf(d *detection.Detection, retractedAt time.Time) feature {
	coordinates := []float64{roundTo(d.Fix.LonDeg, coordinateScale), roundTo(d.Fix.LatDeg, coordinateScale)}
	if d.Fix.HAEMetres != nil {
		coordinates = append(coordinates, roundTo(*d.Fix.HAEMetres, 1e3))
	}
	return feature{
		Type: "Feature", ID: d.ID, Geometry: point{"Point", coordinates}, Properties: propertiesOf(d, retractedAt),
	}
}

func propertiesOf(d *detection.Detection, retractedAt time.Time) properties {
	p := properties{
		ObjectClass: d.ObjectClass, AIConfidence: d.AIConfidence, Source: d.Source, CameraID: d.CameraID,
		Timestamp: d.SeenAt, ReceivedAt: d.ReceivedAt, ReportedBy: d.ReportedBy,
		Flag: d.Fix.Flag, Method: d.Fix.Method, HAEMetres: d.Fix.HAEMetres, MSLMetres: d.Fix.MSLMetres,
		CE90Metres: d.Fix.CE90Metres, LE90Metres: d.Fix.LE90Metres,
		EllipseMajor: d.Fix.Ellipse.MajorMetres, EllipseMinor: d.Fix.Ellipse.MinorMetres, EllipseBearing: d.Fix.Ellipse.BearingDeg,
		SlantRangeMetres: d.Fix.SlantRangeMetres,
	}
	if d.Track != nil {
		p.TrackID, p.TrackDetections = d.Track.ID, d.Track.Detections
	}
	if !retractedAt.IsZero() {
		p.RetractedAt = &retractedAt
	}
	return p
}

func roundTo(x, scale float64) float64 { return math.Round(x*scale) / scale }
