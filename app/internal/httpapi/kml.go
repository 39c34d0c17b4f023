package httpapi

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
)

const (
	kmlPath  = detectionsPath + ".kml"
	mediaKML = "application/vnd.google-earth.kml+xml"
	// kmlRefreshSeconds is how often Google Earth asks again.
	kmlRefreshSeconds = 10
)

// kmlColours are those of the flags as KML writes them: alpha, blue, green, red.
var kmlColours = map[geo.Flag]string{geo.Green: "ff00c000", geo.Yellow: "ff00d7ff", geo.Red: "ff0000ff"}

// The elements of KML 2.3 (OGC 12-007r2) that are used. The order of the fields is that of its schema.
type (
	kmlRoot struct {
		XMLName  xml.Name   `xml:"http://www.opengis.net/kml/2.2 kml"`
		Link     *kmlLink   `xml:"NetworkLink"`
		Document *kmlFolder `xml:"Document"`
	}
	kmlFolder struct {
		Name       string         `xml:"name"`
		Styles     []kmlStyle     `xml:"Style"`
		Placemarks []kmlPlacemark `xml:"Placemark"`
	}
	kmlLink struct {
		Name            string `xml:"name"`
		Href            string `xml:"Link>href"`
		RefreshMode     string `xml:"Link>refreshMode"`
		RefreshInterval int    `xml:"Link>refreshInterval"`
		ViewRefreshMode string `xml:"Link>viewRefreshMode,omitempty"`
		ViewRefreshTime int    `xml:"Link>viewRefreshTime,omitempty"`
		ViewFormat      string `xml:"Link>viewFormat,omitempty"`
	}
	kmlStyle struct {
		ID         string `xml:"id,attr"`
		IconColour string `xml:"IconStyle>color"`
		LineColour string `xml:"LineStyle>color"`
		LineWidth  int    `xml:"LineStyle>width"`
		PolyColour string `xml:"PolyStyle>color"`
	}
	kmlPlacemark struct {
		ID       string    `xml:"id,attr"`
		Name     string    `xml:"name"`
		When     string    `xml:"TimeStamp>when"`
		StyleURL string    `xml:"styleUrl"`
		Data     []kmlData `xml:"ExtendedData>Data"`
		Point    kmlPoint  `xml:"MultiGeometry>Point"`
		Ring     kmlRing   `xml:"MultiGeometry>Polygon"`
	}
	kmlData struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value"`
	}
	kmlPoint struct {
		AltitudeMode string `xml:"altitudeMode"`
		Coordinates  string `xml:"coordinates"`
	}
	kmlRing struct {
		Tessellate   int    `xml:"tessellate"`
		AltitudeMode string `xml:"altitudeMode"`
		Coordinates  string `xml:"outerBoundaryIs>LinearRing>coordinates"`
	}
)

// showKML answers with a network link to the detections that the query selects, which fetches what the view shows again and
// again, or, where that link asks, with the placemarks themselves.
func (a *api) showKML(x *exchange, r *http.Request) error {
	q := queryOf(r)
	data, wantsData := q.text("data")
	if wantsData && data != "1" {
		q.refuse("data", "must be 1")
	}
	selection := q.filter()
	selection.From, selection.Until = q.interval()
	limit := maxLimit
	if _, given := q.values["limit"]; given {
		limit = q.limit()
	}
	if err := q.finish(); err != nil {
		return err
	}
	if !wantsData {
		return writeKML(x, linkDocument(r))
	}
	entries, _, err := a.page(r, selection, 0, limit)
	if err != nil {
		return err
	}
	return writeKML(x, placemarkDocument(entries))
}

func linkDocument(r *http.Request) kmlRoot {
	query := r.URL.Query()
	query.Set("data", "1")
	l := &kmlLink{
		Name: "Detections", Href: address(r, kmlPath, query), RefreshMode: "onInterval", RefreshInterval: kmlRefreshSeconds,
	}
	if query.Get("bbox") == "" {
		l.ViewRefreshMode, l.ViewRefreshTime = "onStop", 1
		l.ViewFormat = "bbox=[bboxWest],[bboxSouth],[bboxEast],[bboxNorth]"
	}
	return kmlRoot{Link: l}
}

func placemarkDocument(entries []detection.Entry) kmlRoot {
	d := &kmlFolder{Name: "Detections"}
	for _, flag := range []geo.Flag{geo.Green, geo.Yellow, geo.Red} {
		colour := kmlColours[flag]
		d.Styles = append(d.Styles, kmlStyle{string(flag), colour, colour, 2, "40" + colour[2:]})
	}
	for i := range entries {
		d.Placemarks = append(d.Placemarks, placemarkOf(&entries[i].Detection))
	}
	return kmlRoot{Document: d}
}

func placemarkOf(d *detection.Detection) kmlPlacemark {
	at := kmlPoint{AltitudeMode: "clampToGround", Coordinates: coordinate(d.Fix.LonDeg, d.Fix.LatDeg)}
	if d.Fix.MSLMetres != nil { // absolute heights are above mean sea level, EGM96 (OGC 12-007r2 section 9.20)
		at.AltitudeMode = "absolute"
		at.Coordinates += "," + strconv.FormatFloat(*d.Fix.MSLMetres, 'f', 2, 64)
	}
	var ring strings.Builder
	for i, v := range outline(d.Fix) {
		if i > 0 {
			ring.WriteByte(' ')
		}
		ring.WriteString(coordinate(v.LonDeg, v.LatDeg))
	}
	return kmlPlacemark{
		ID: "d-" + d.ID, Name: d.ObjectClass, When: d.SeenAt.UTC().Format(time.RFC3339Nano), StyleURL: "#" + string(d.Fix.Flag),
		Data: []kmlData{
			{"detection_id", d.ID},
			{"flag", string(d.Fix.Flag)},
			{"ce90_m", decimal(d.Fix.CE90Metres)},
			{"le90_m", decimal(d.Fix.LE90Metres)},
			{"ai_confidence", decimal(d.AIConfidence)},
			{"camera_id", d.CameraID},
			{"source", d.Source},
		},
		Point: at, Ring: kmlRing{1, "clampToGround", ring.String()},
	}
}

func coordinate(lonDeg, latDeg float64) string {
	return strconv.FormatFloat(lonDeg, 'f', 8, 64) + "," + strconv.FormatFloat(latDeg, 'f', 8, 64)
}

func decimal(x float64) string { return strconv.FormatFloat(x, 'f', 3, 64) }

// writeKML answers with XML. What XML cannot hold at all, encoding/xml replaces by U+FFFD.
func writeKML(x *exchange, document kmlRoot) error {
	var text bytes.Buffer
	text.WriteString(xml.Header)
	if err := xml.NewEncoder(&text).Encode(document); err != nil {
		return fmt.Errorf("encode KML: %w", err)
	}
	x.Header().Set(headerCacheControl, "no-store")
	return x.blob(http.StatusOK, mediaKML, text.Bytes())
}
