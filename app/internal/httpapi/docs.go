package httpapi

import (
	"net/http"

	"github.com/detection-api/detection-api/app/internal/httpapi/openapi"
)

const (
	openAPIPath = apiPath + "/openapi.json"
	docsPath    = apiPath + "/docs"
)

// showOpenAPI answers with the description of this API.
func (a *api) showOpenAPI(x *exchange, _ *http.Request) error {
	return x.blob(http.StatusOK, mediaOpenAPI, openapi.JSON())
}

// showDocs answers with the same for people: one page without scripts and with nothing from elsewhere, so that it reads as
// well where there is no network.
func (a *api) showDocs(x *exchange, _ *http.Request) error {
	x.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	return x.blob(http.StatusOK, mediaHTML, a.docs)
}
