package httpapi

import (
	"github.com/detection-api/detection-api/app/internal/detection"
)

// selects says whether an entry of the record is one that q is about, for those that come while a client looks on. It means
// what Catalogue.Find does, but a retraction is an entry, too: it carries what there is to select by of what it takes back.
func selects(q *detection.Query, d *detection.Detection) bool {
	return (q.Class == "" || q.Class == d.ObjectClass) &&
		(q.Camera == "" || q.Camera == d.CameraID) &&
		(q.Flag == "" || q.Flag == d.Fix.Flag) &&
		(q.Track == "" || d.Track != nil && q.Track == d.Track.ID) &&
		(q.Within == nil || within(*q.Within, d.Fix.LatDeg, d.Fix.LonDeg))
}

func within(box detection.Box, latDeg, lonDeg float64) bool {
	if latDeg < box.South || latDeg > box.North {
		return false
	}
	for _, span := range box.Meridians() {
		if lonDeg >= span[0] && lonDeg <= span[1] {
			return true
		}
	}
	return false
}
