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
		{http.MethodGet, detectionsPath + "/{id}", Read, a.getDetection},

		{http.MethodGet, "/health", "", health},
		{http.MethodGet, apiPath + "/health", "", health},
		{http.MethodGet, readyPath, "", a.ready},
		{http.MethodGet, "/metrics", "", a.showMetrics},
	}
}
