package httpapi

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

const (
	mediaGeoJSON = "application/geo+json"
	mediaOpenAPI = "application/vnd.oai.openapi+json;version=3.1"
)

// link is where something is that belongs to an answer (RFC 8288).
type link struct {
	Href  string `json:"href"`
	Rel   string `json:"rel"`
	Type  string `json:"type,omitempty"`
	Title string `json:"title,omitempty"`
}

// featurePage is one page of detections, the latest accepted first (RFC 7946 section 3.3, OGC 17-069r4 section 7.15.8).
type featurePage struct {
	Type           string    `json:"type"`
	Features       []feature `json:"features"`
	Links          []link    `json:"links"`
	TimeStamp      time.Time `json:"timeStamp"`
	NumberReturned int       `json:"numberReturned"`
}

// listDetections answers with a page of those that the query selects.
func (a *api) listDetections(x *exchange, r *http.Request) error {
	mediaType := choose(r.Header.Values(headerAccept), mediaGeoJSON, mediaJSON)
	if mediaType == "" {
		return notAcceptable(mediaGeoJSON)
	}
	q := queryOf(r)
	selection := q.filter()
	selection.From, selection.Until = q.interval()
	limit, before := q.limit(), q.cursor()
	if err := q.finish(); err != nil {
		return err
	}
	entries, next, err := a.page(r, selection, before, limit)
	if err != nil {
		return err
	}
	page := featurePage{
		Type: "FeatureCollection", Features: make([]feature, len(entries)), TimeStamp: a.Now().UTC(), NumberReturned: len(entries),
		Links: []link{{Href: address(r, r.URL.Path, r.URL.Query()), Rel: "self", Type: mediaGeoJSON}},
	}
	for i := range entries {
		page.Features[i] = featureOf(&entries[i].Detection, entries[i].RetractedAt)
	}
	if next > 0 {
		query := r.URL.Query()
		query.Set("cursor", cursorOf(next))
		page.Links = append(page.Links, link{Href: address(r, r.URL.Path, query), Rel: "next", Type: mediaGeoJSON})
	}
	x.Header().Set(headerVary, headerAccept)
	x.Header().Set(headerCacheControl, "no-store") // where things are is not for caches
	return writeAs(x, http.StatusOK, mediaType, page)
}

// page returns up to limit entries, and below which position there are more, or 0.
func (a *api) page(r *http.Request, selection detection.Query, before int64, limit int) ([]detection.Entry, int64, error) {
	entries, err := a.Catalogue.Find(r.Context(), selection, before, limit+1)
	if err != nil || len(entries) <= limit {
		return entries, 0, err
	}
	entries = entries[:limit]
	return entries, entries[limit-1].Seq, nil
}

// cursorOf names a position for clients, who have no business to make one up: what it means may change.
func cursorOf(position int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte("p" + strconv.FormatInt(position, 36)))
}

// cursor reads what cursorOf wrote; 0: there is none.
func (q *query) cursor() int64 {
	text, given := q.text("cursor")
	if !given {
		return 0
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err == nil && len(raw) > 1 && raw[0] == 'p' {
		if position, err := strconv.ParseInt(string(raw[1:]), 36, 64); err == nil && position > 0 {
			return position
		}
	}
	q.refuse("cursor", "must be that of a link with rel next")
	return 0
}

// address is the URL of a path as the client reached this service. A proxy that ends TLS says so in X-Forwarded-Proto; who
// makes that up gets links that lead nowhere.
func address(r *http.Request, path string, query url.Values) string {
	u := url.URL{Scheme: "http", Host: r.Host, Path: path, RawQuery: query.Encode()}
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		u.Scheme = "https"
	}
	return u.String()
}
