package httpapi

import "net/http"

// Role is a thing that the holder of a token may do.
type Role string

// The roles.
const (
	Ingest  Role = "ingest"  // report detections
	Read    Role = "read"    // look at what was reported, and at the link to TAK
	Operate Role = "operate" // take detections back
)

// route is one method of one path. GET stands for HEAD as well.
type route struct {
	method string
	path   string // with parameters as OpenAPI writes them: {id}
	role   Role   // that the token must have; empty: no token is needed
	handle handler
}

func (r route) methods() []string {
	if r.method == http.MethodGet {
		return []string{http.MethodGet, http.MethodHead}
	}
	return []string{r.method}
}

// apiPath is where everything begins that needs a token, unless its route says otherwise.
const apiPath = "/api/v1"

// detectionsPath is the resource.
const detectionsPath = apiPath + "/detections"

// routes is the one table of what there is and who may use it.
func (a *api) routes() []route {
	return []route{
		{http.MethodPost, detectionsPath, Ingest, a.createDetection},
		{http.MethodPost, batchPath, Ingest, a.createBatch},
		{http.MethodGet, detectionsPath, Read, a.listDetections},
		{http.MethodGet, kmlPath, Read, a.showKML},
		{http.MethodGet, detectionsPath + "/{id}", Read, a.getDetection},
		{http.MethodGet, detectionsPath + "/{id}/audit", Read, a.getAudit},
		{http.MethodDelete, detectionsPath + "/{id}", Operate, a.retractDetection},
		{http.MethodGet, streamPath, Read, a.streamDetections},
		{http.MethodGet, apiPath + "/tak/status", Read, a.showTAKStatus},
		{http.MethodPost, tokenPath, "", a.issueToken},

		{http.MethodGet, apiPath, "", a.showLanding},
		{http.MethodGet, apiPath + "/", "", a.showLanding},
		{http.MethodGet, conformancePath, "", a.showConformance},
		{http.MethodGet, collectionsPath, "", a.listCollections},
		{http.MethodGet, collectionPath, "", a.showCollection},
		{http.MethodGet, itemsPath, Read, a.listDetections},
		{http.MethodGet, itemsPath + "/{id}", Read, a.getItem},
		{http.MethodGet, openAPIPath, "", a.showOpenAPI},
		{http.MethodGet, docsPath, "", a.showDocs},

		{http.MethodGet, "/health", "", health},
		{http.MethodGet, apiPath + "/health", "", health},
		{http.MethodGet, readyPath, "", a.ready},
		{http.MethodGet, "/metrics", "", a.showMetrics},
	}
}
