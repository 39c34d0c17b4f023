package subject

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// Owner is the pod that all records belong to.
const Owner = "pod-a"

// Records makes records of realistic size whose ids sort in the order in which they are made.
type Records struct{ n atomic.Int64 }

// Next returns another record. It is safe for concurrent use.
func (r *Records) Next() detection.Record {
	n := r.n.Add(1)
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Millisecond)
	hae := 245.258 + float64(n%1000)/100
	return detection.Record{Deliver: true, Owner: Owner, Detection: detection.Detection{
		ID: fmt.Sprintf("01900000-0000-7000-8000-%012d", n), ReceivedAt: at, SeenAt: at.Add(-time.Second),
		ObjectClass: "vehicle", AIConfidence: 0.91, Source: "uav-7", CameraID: "cam-1", PixelX: 960.5, PixelY: 540.25,
		Sensor: detection.Sensor{
			LatDeg: 33.8371893, LonDeg: -84.5387701, ElevationMetres: 386.32685, HeadingDeg: 172.4, PitchDeg: -36,
			FocalLengthPx: 2800, ImageWidthPx: 4000, ImageHeightPx: 3000, GroundMetres: 245.258397,
		},
		Datum: detection.HAE, ReportedBy: "bench",
		Fix: detection.Fix{
			LatDeg: 33.83550842, LonDeg: -84.53849713, HAEMetres: &hae, CE90Metres: 7.2, LE90Metres: 3.1,
			SlantRangeMetres: 240.01, DepressionDeg: 36, Flag: "GREEN", Method: detection.MethodRayEllipsoid,
			Ellipse: detection.Ellipse{MajorMetres: 15.2, MinorMetres: 9.8, BearingDeg: 172.4},
		},
	}}
}

// Take returns n records.
func (r *Records) Take(n int) []detection.Record {
	out := make([]detection.Record, n)
	for i := range out {
		out[i] = r.Next()
	}
	return out
}

// Queued returns n records as a queue takes them.
func (r *Records) Queued(n int, stored bool) []detection.Queued {
	out := make([]detection.Queued, n)
	for i := range out {
		out[i] = detection.Queued{Record: r.Next(), Stored: stored}
	}
	return out
}

// Body is a report as a client posts it, without a picture.
const Body = `{"pixel_x":2000,"pixel_y":1500,"object_class":"vehicle","ai_confidence":0.9,"source":"bench","camera_id":"cam-1",` +
	`"timestamp":"2026-02-15T12:00:00Z","altitude_datum":"HAE","ground_elevation":245.25839721158042,"sensor_metadata":{` +
	`"location_lat":33.8371893,"location_lon":-84.5387701,"location_elevation":386.32685776177146,"heading":172.4,"pitch":-36,` +
	`"roll":0,"focal_length":2800,"image_width":4000,"image_height":3000}}`
