package httpapi

import (
	"encoding/xml"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
)

// parseKML reads an answer, strictly: it must be well-formed XML.
func parseKML(t *testing.T, text string) kmlRoot {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := decoder.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
	}
	var got kmlRoot
	if err := xml.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// TestKMLLink follows the network link with what the view shows, as Google Earth does.
func TestKMLLink(t *testing.T) {
	g, record := recordOf(5)
	hostile := numbered(6)
	hostile.ObjectClass, hostile.CameraID = `</name><script>"&'`, "a\x00b\x1b]]>"
	hostile.Fix.Flag = geo.Red
	record.add(hostile)
	w := g.get(kmlPath + "?class=vehicle&flag=GREEN")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != mediaKML {
		t.Fatalf("got %d %v", w.Code, w.Header())
	}
	l := parseKML(t, w.Body.String()).Link
	if l == nil || l.RefreshMode != "onInterval" || l.RefreshInterval < 5 || l.ViewRefreshMode != "onStop" {
		t.Fatalf("got %s", w.Body)
	}
	view := strings.NewReplacer("[bboxWest]", "1.5", "[bboxSouth]", "40", "[bboxEast]", "3.5", "[bboxNorth]", "41").Replace(l.ViewFormat)
	u, err := url.Parse(l.Href + "&" + view)
	if err != nil || u.Path != kmlPath {
		t.Fatalf("%s: %v", l.Href, err)
	}
	d := parseKML(t, g.get(u.RequestURI()).Body.String()).Document
	if d == nil || len(d.Placemarks) != 2 || d.Placemarks[0].Name != "vehicle" || d.Placemarks[0].StyleURL != "#GREEN" || len(d.Styles) != 3 {
		t.Fatalf("got %+v", d)
	}
	d = parseKML(t, g.get(kmlPath+"?data=1&flag=RED").Body.String()).Document
	if len(d.Placemarks) != 1 || d.Placemarks[0].Name != hostile.ObjectClass {
		t.Errorf("got %+v", d.Placemarks)
	}
	checkRefusal(t, g.get(kmlPath+"?colour=1"), http.StatusBadRequest, codeParameter, "colour")
	checkRefusal(t, g.get(kmlPath+"?data=2"), http.StatusBadRequest, codeParameter, "data")
}

func TestKMLHeight(t *testing.T) {
	d := numbered(7)
	if p := placemarkOf(&d).Point; p.AltitudeMode != "clampToGround" || p.Coordinates != "7.00000000,40.70100000" {
		t.Errorf("without a height: %+v", p)
	}
	msl := 12.345
	d.Fix.MSLMetres = &msl
	if p := placemarkOf(&d).Point; p.AltitudeMode != "absolute" || p.Coordinates != "7.00000000,40.70100000,12.35" && p.Coordinates != "7.00000000,40.70100000,12.34" {
		t.Errorf("with a height: %+v", p)
	}
}

// TestOutline holds rings against the great circle by the haversine formula on a sphere of the local radius: the first
// corner lies half a major axis away in the direction of the bearing, the tenth half a minor axis to the left of it.
func TestOutline(t *testing.T) {
	for _, lat := range []float64{0, 40, -60, 85} {
		fix := detection.Fix{LatDeg: lat, LonDeg: 179.9999, Ellipse: detection.Ellipse{MajorMetres: 400, MinorMetres: 100, BearingDeg: 30}}
		ring := outline(fix)
		if len(ring) != outlinePoints+1 || ring[0] != ring[outlinePoints] {
			t.Fatalf("%d corners", len(ring))
		}
		for corner, want := range map[int]struct{ metres, bearingDeg float64 }{0: {200, 30}, 9: {50, -60}, 18: {200, -150}, 27: {50, 120}} {
			metres, bearingDeg := aim(fix.LatDeg, fix.LonDeg, ring[corner])
			// The sphere's radius is wrong by up to 0.4 % somewhere.
			if math.Abs(metres-want.metres) > 0.006*want.metres || math.Abs(bearingDeg-want.bearingDeg) > 0.4 {
				t.Errorf("at %v, corner %d: %.3f m at %.3f degrees, want %+v", lat, corner, metres, bearingDeg, want)
			}
		}
		var area float64 // counterclockwise: positive
		for i := range outlinePoints {
			a, b := ring[i], ring[i+1]
			area += wrapLon(a.LonDeg-fix.LonDeg)*(b.LatDeg-lat) - wrapLon(b.LonDeg-fix.LonDeg)*(a.LatDeg-lat)
		}
		if area <= 0 {
			t.Errorf("at %v the ring runs clockwise", lat)
		}
	}
}

// aim is the distance and bearing of a point on a sphere.
func aim(latDeg, lonDeg float64, to vertex) (metres, bearingDeg float64) {
	const rad, radius = math.Pi / 180, 6371008.8
	p1, p2, dl := latDeg*rad, to.LatDeg*rad, (to.LonDeg-lonDeg)*rad
	h := math.Pow(math.Sin((p2-p1)/2), 2) + math.Cos(p1)*math.Cos(p2)*math.Pow(math.Sin(dl/2), 2)
	bearing := math.Atan2(math.Sin(dl)*math.Cos(p2), math.Cos(p1)*math.Sin(p2)-math.Sin(p1)*math.Cos(p2)*math.Cos(dl))
	return 2 * radius * math.Asin(math.Sqrt(h)), bearing / rad
}

// TestOutlineAtThePole: no corner leaves the ranges.
func TestOutlineAtThePole(t *testing.T) {
	for _, v := range outline(detection.Fix{LatDeg: 90, LonDeg: 10, Ellipse: detection.Ellipse{MajorMetres: 1000, MinorMetres: 500}}) {
		if math.Abs(v.LatDeg) > 90 || math.Abs(v.LonDeg) > 180 || math.IsNaN(v.LonDeg) {
			t.Errorf("got %s", strconv.FormatFloat(v.LonDeg, 'g', -1, 64))
		}
	}
}
