package httpapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
)

func (g *rig) get(target string, headers ...string) *httptest.ResponseRecorder {
	return g.serve(ask(http.MethodGet, target, "", headers...))
}

// pageOf reads a page of features.
func pageOf(t *testing.T, w *httptest.ResponseRecorder) featurePage {
	t.Helper()
	var page featurePage
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != http.StatusOK {
		t.Fatalf("got %d %s (%v)", w.Code, w.Body, err)
	}
	if page.NumberReturned != len(page.Features) {
		t.Errorf("numberReturned is %d for %d", page.NumberReturned, len(page.Features))
	}
	return page
}

func linkTo(page featurePage, rel string) string {
	for _, l := range page.Links {
		if l.Rel == rel {
			return l.Href
		}
	}
	return ""
}

// TestPaging follows the next links, by both names of the collection: all are seen once, the latest first.
func TestPaging(t *testing.T) {
	for _, path := range []string{detectionsPath, itemsPath} {
		g, _ := recordOf(25)
		var seen []string
		pages := 0
		for at := path + "?limit=10&camera=cam-3"; at != ""; pages++ {
			u, err := url.Parse(at)
			if err != nil {
				t.Fatal(err)
			}
			page := pageOf(t, g.get(u.RequestURI()))
			for _, f := range page.Features {
				seen = append(seen, f.ID)
			}
			if !strings.Contains(linkTo(page, "self"), "http://example.com"+path+"?") {
				t.Errorf("self is %q", linkTo(page, "self"))
			}
			at = linkTo(page, "next")
		}
		if pages != 3 || len(seen) != 25 || seen[0] != numbered(25).ID || seen[24] != numbered(1).ID {
			t.Errorf("%d in %d pages: %v", len(seen), pages, seen)
		}
	}
}

func TestPageSizes(t *testing.T) {
	g, _ := recordOf(1100)
	for query, want := range map[string]int{"": 100, "?limit=1": 1, "?limit=1000": 1000, "?limit=4000000000": 1000, "?limit=99999999999999999999": 1000} {
		page := pageOf(t, g.get(detectionsPath+query))
		if len(page.Features) != want || linkTo(page, "next") == "" {
			t.Errorf("%q: got %d, links %v; want %d and more", query, len(page.Features), page.Links, want)
		}
	}
	g, _ = recordOf(100)
	if page := pageOf(t, g.get(detectionsPath)); len(page.Features) != 100 || linkTo(page, "next") != "" {
		t.Errorf("the last page, which is full: %d, %v", len(page.Features), page.Links)
	}
}

// TestFilters has detections at 1 to 20 degrees east, one a second after 12:00:00.
func TestFilters(t *testing.T) {
	g, record := recordOf(20)
	odd := numbered(21)
	odd.ObjectClass, odd.CameraID, odd.Fix.Flag, odd.Fix.LonDeg = "fire & smoke", "cam/7", geo.Red, -179.5
	odd.Track = &detection.Track{ID: "01890a5d-ac96-874b-8cce-000000000001", Detections: 2}
	record.add(odd)
	tests := []struct {
		query string
		want  int
	}{
		{"class=vehicle", 20},
		{"class=Vehicle", 0},
		{"class=fire+%26+smoke", 1},
		{"camera=cam/7", 1},
		{"flag=RED", 1},
		{"flag=GREEN&class=vehicle", 20},
		{"track=01890a5d-ac96-874b-8cce-000000000001", 1},
		{"bbox=5,40,7,41", 3},
		{"bbox=5,40,0,7,41,100", 3},
		{"bbox=5,-90,7,40", 0},
		{"bbox=20,40,-179,41", 2},     // over the antimeridian
		{"bbox=175,40,181,41", 1},     // the same, as a map that is panned asks
		{"bbox=-185,40,-179.2,41", 1}, // and the other way round
		{"bbox=-360,-95,360,95", 21},
		{"datetime=2026-02-15T12:00:05Z", 1},
		{"datetime=2026-02-15t12:00:05z", 1},
		{"datetime=2026-02-15T12:00:05Z/2026-02-15T12:00:07Z", 3},
		{"datetime=2026-02-15T13:00:05%2B01:00/..", 17},
		{"datetime=../2026-02-15T12:00:07Z", 7},
		{"datetime=/2026-02-15T12:00:07Z", 7},
		{"datetime=../..", 21},
	}
	for _, tt := range tests {
		if page := pageOf(t, g.get(detectionsPath+"?"+tt.query)); len(page.Features) != tt.want {
			t.Errorf("%s: got %d, want %d", tt.query, len(page.Features), tt.want)
		}
	}
}

// FuzzQuery: whatever the query, the answer is a page or names what is wrong.
func FuzzQuery(f *testing.F) {
	f.Add("bbox=170,-10,-170,10&limit=5&datetime=../2026-02-15T12:00:05Z")
	f.Add("cursor=cDE&class=%00&flag=RED")
	f.Add("bbox=1e308,-1e308,-1e308,1e308")
	g, _ := recordOf(3)
	handler := New(g.Options)
	f.Fuzz(func(t *testing.T, query string) {
		r := ask(http.MethodGet, detectionsPath, "")
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	})
}

func TestFeature(t *testing.T) {
	g, record := recordOf(0)
	d := numbered(1)
	hae, msl := 12.3456, 45.6
	d.Fix.HAEMetres, d.Fix.MSLMetres, d.Fix.Ellipse = &hae, &msl, detection.Ellipse{MajorMetres: 20, MinorMetres: 10, BearingDeg: 45}
	d.Fix.HeightSource, d.Fix.ErrorMethod, d.Fix.Method = "SRTM1", "sampled", detection.MethodRayTerrain
	d.Track = &detection.Track{
		ID: numbered(0).ID, Detections: 3, FirstSeenAt: d.SeenAt, State: []float64{1}, Fix: d.Fix,
		Motion: &detection.Motion{SpeedMetresPerSecond: 3, CourseDeg: 90},
	}
	record.add(d)
	f := pageOf(t, g.get(detectionsPath)).Features[0]
	if got := f.Geometry.Coordinates; len(got) != 3 || got[0] != 1 || got[1] != 40.701 || got[2] != 12.346 {
		t.Errorf("coordinates %v", got)
	}
	p := f.Properties
	if f.ID != d.ID || p.CE90Metres != 7.5 || p.EllipseMajor != 20 || p.EllipseMinor != 10 || p.EllipseBearing != 45 || *p.MSLMetres != 45.6 ||
		p.TrackID != d.Track.ID || p.TrackDetections != 3 || p.RetractedAt != nil || !p.Timestamp.Equal(d.SeenAt) {
		t.Errorf("got %+v", p)
	}
	w := g.get(detectionsPath + "/" + d.ID)
	if !strings.Contains(w.Body.String(), `"track":{"track_id":"`) || strings.Contains(w.Body.String(), `"state"`) {
		t.Errorf("the track: %s", w.Body)
	}
}

func TestListRefuses(t *testing.T) {
	g, record := recordOf(1)
	checkRefusal(t, g.get(detectionsPath, "Accept", "text/csv"), http.StatusNotAcceptable, detection.CodeNotAcceptable, "")
	if w := g.get(detectionsPath, "Accept", "application/json"); w.Header().Get("Content-Type") != mediaJSON {
		t.Errorf("got %v", w.Header())
	}
	record.fail(detection.ErrUnavailable)
	checkRefusal(t, g.get(detectionsPath), http.StatusServiceUnavailable, detection.CodeUnavailable, "")
}

// TestGISStart walks the way of a GIS client, which is given the landing page only: to the collection, its items and one item.
func TestGISStart(t *testing.T) {
	g, _ := recordOf(2)
	follow := func(target, rel string) string {
		t.Helper()
		w := g.get(target)
		var page struct{ Links []link }
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", target, w.Code, w.Body)
		}
		for _, l := range page.Links {
			if l.Rel == rel {
				u, err := url.Parse(l.Href)
				if err != nil || u.Host != "example.com" {
					t.Fatalf("%s: %v", l.Href, err)
				}
				return u.RequestURI()
			}
		}
		t.Fatalf("%s has no link %s: %s", target, rel, w.Body)
		return ""
	}
	for _, root := range []string{apiPath, apiPath + "/"} {
		for _, rel := range []string{"service-desc", "service-doc", "conformance"} {
			if w := g.serve(httptest.NewRequest(http.MethodGet, follow(root, rel), nil)); w.Code != http.StatusOK {
				t.Errorf("%s: %d", rel, w.Code)
			}
		}
		if got := follow(root, "data"); got != collectionsPath {
			t.Errorf("data is at %s", got)
		}
	}
	if w := g.get(collectionsPath); !strings.Contains(w.Body.String(), `"id":"detections"`) {
		t.Errorf("got %s", w.Body)
	}
	page := pageOf(t, g.get(follow(collectionPath, "items")))
	if w := g.get(itemsPath + "/" + page.Features[0].ID); w.Header().Get("Content-Type") != mediaGeoJSON {
		t.Errorf("an item: %d %v", w.Code, w.Header())
	}
	if w := g.get(itemsPath+"/"+page.Features[0].ID, "X-Forwarded-Proto", "https"); !strings.Contains(w.Body.String(), `"https://example.com/api/v1/collections/detections/items/`) {
		t.Errorf("behind a proxy: %s", w.Body)
	}
}

// TestCollectionMaximum: QGIS reads the largest page from this place of the description.
func TestCollectionMaximum(t *testing.T) {
	var d struct {
		Components struct {
			Parameters map[string]struct {
				Schema struct{ Maximum, Default int }
			}
		}
	}
	if err := json.Unmarshal(newRig().get(openAPIPath).Body.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	if got := d.Components.Parameters["limit"].Schema; got.Maximum != maxLimit || got.Default != defaultLimit {
		t.Errorf("got %+v", got)
	}
}

// TestSelectsAntimeridian holds the box against points on all its sides.
func TestSelectsAntimeridian(t *testing.T) {
	box := detection.Box{West: 170, South: -10, East: -170, North: 10}
	for _, tt := range []struct {
		lat, lon float64
		want     bool
	}{{0, 175, true}, {0, -175, true}, {0, 180, true}, {0, -180, true}, {0, 170, true}, {0, -170, true}, {0, -170.1, true}, {0, 0, false}, {0, 169.9, false}, {11, 175, false}} {
		if got := within(box, tt.lat, tt.lon); got != tt.want {
			t.Errorf("%v, %v: got %t", tt.lat, tt.lon, got)
		}
	}
}

func TestDocs(t *testing.T) {
	g := newRig()
	w := g.serve(httptest.NewRequest(http.MethodGet, docsPath, nil)) // no token
	if w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
	w = g.serve(httptest.NewRequest(http.MethodGet, openAPIPath, nil))
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"openapi": "3.1.0"`) {
		t.Errorf("got %d", w.Code)
	}
}

func TestTAKStatus(t *testing.T) {
	g := newRig()
	if w := g.get(apiPath + "/tak/status"); strings.TrimSpace(w.Body.String()) != `{"state":"off"}` {
		t.Errorf("without a link: %d %s", w.Code, w.Body)
	}
	g = newRig()
	g.TAKStatus = func() any { return map[string]any{"state": "connected", "last_byte_age_s": 2.5} }
	if w := g.get(apiPath + "/tak/status"); strings.TrimSpace(w.Body.String()) != `{"last_byte_age_s":2.5,"state":"connected"}` {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}
