package httpapi

import "net/http"

const (
	conformancePath = apiPath + "/conformance"
	collectionsPath = apiPath + "/collections"
	collectionPath  = collectionsPath + "/detections"
	itemsPath       = collectionPath + "/items"
	crs84           = "http://www.opengis.net/def/crs/OGC/1.3/CRS84" // longitude and latitude on WGS 84, as GeoJSON is
)

// collection describes the detections as OGC API Features (OGC 17-069r4, section 7.14) wants it.
type collection struct {
	ID          string   `json:"id"`
	Title       string   `json:"title"`
	Description string   `json:"description"`
	ItemType    string   `json:"itemType"`
	CRS         []string `json:"crs"`
	Links       []link   `json:"links"`
}

// showLanding tells a client such as QGIS, which is given nothing but this address, where everything is.
func (a *api) showLanding(x *exchange, r *http.Request) error {
	at := func(path string) string { return address(r, path, nil) }
	return writeJSON(x, http.StatusOK, struct {
		Title       string `json:"title"`
		Description string `json:"description"`
		Links       []link `json:"links"`
	}{
		"Detections", "Objects that AIs saw in images, located on the ground with their stated error.",
		[]link{
			{at(apiPath + "/"), "self", mediaJSON, "this page"},
			{at(openAPIPath), "service-desc", mediaOpenAPI, "the API, for programs"},
			{at(docsPath), "service-doc", mediaHTML, "the API, for people"},
			{at(conformancePath), "conformance", mediaJSON, "what it conforms to"},
			{at(collectionsPath), "data", mediaJSON, "the collections"},
		},
	})
}

// showConformance says what of OGC API Features is here.
func (a *api) showConformance(x *exchange, _ *http.Request) error {
	const part1 = "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/"
	return writeJSON(x, http.StatusOK, map[string][]string{"conformsTo": {part1 + "core", part1 + "geojson"}})
}

func (a *api) listCollections(x *exchange, r *http.Request) error {
	return writeJSON(x, http.StatusOK, struct {
		Links       []link       `json:"links"`
		Collections []collection `json:"collections"`
	}{
		[]link{{Href: address(r, collectionsPath, nil), Rel: "self", Type: mediaJSON}},
		[]collection{collectionAt(r)},
	})
}

func (a *api) showCollection(x *exchange, r *http.Request) error {
	return writeJSON(x, http.StatusOK, collectionAt(r))
}

func collectionAt(r *http.Request) collection {
	return collection{
		ID: "detections", Title: "Detections", ItemType: "feature", CRS: []string{crs84},
		Description: "Located detections that were not retracted, the latest accepted first.",
		Links: []link{
			{Href: address(r, collectionPath, nil), Rel: "self", Type: mediaJSON},
			{Href: address(r, itemsPath, nil), Rel: "items", Type: mediaGeoJSON},
		},
	}
}
