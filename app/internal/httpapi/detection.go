package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/google/uuid"
)

// sighting is a detection of the record and what took it back, if anything did.
type sighting struct {
	detection.Detection
	retraction *detection.Detection // nil: it stands
}

func (s sighting) retractedAt() time.Time {
	if s.retraction == nil {
		return time.Time{}
	}
	return s.retraction.ReceivedAt
}

// getDetection answers with JSON unless the client prefers the CoT event or GeoJSON. The event of a detection that was
// retracted is the one that takes it off the map.
func (a *api) getDetection(x *exchange, r *http.Request) error {
	mediaType := choose(r.Header.Values(headerAccept), mediaJSON, mediaXML, "text/xml", mediaCoT, mediaGeoJSON)
	return a.answerDetection(x, r, mediaType)
}

// getItem is getDetection under its name in OGC API Features, where GeoJSON comes first.
func (a *api) getItem(x *exchange, r *http.Request) error {
	return a.answerDetection(x, r, choose(r.Header.Values(headerAccept), mediaGeoJSON, mediaJSON))
}

func (a *api) answerDetection(x *exchange, r *http.Request, mediaType string) error {
	if mediaType == "" {
		return notAcceptable(mediaJSON, mediaGeoJSON, mediaCoT, mediaXML)
	}
	if err := queryOf(r).finish(); err != nil {
		return err
	}
	s, err := a.find(x, r)
	if err != nil {
		return err
	}
	setDetectionHeaders(x.Header(), s.Detection)
	switch mediaType {
	case mediaJSON:
		return writeJSON(x, http.StatusOK, viewSighting(s))
	case mediaGeoJSON:
		f := featureOf(&s.Detection, s.retractedAt())
		f.Links = []link{
			{Href: address(r, r.URL.Path, nil), Rel: "self", Type: mediaGeoJSON},
			{Href: address(r, collectionPath, nil), Rel: "collection", Type: mediaJSON},
		}
		return writeAs(x, http.StatusOK, mediaGeoJSON, f)
	}
	told := s.Detection
	if s.retraction != nil {
		told = *s.retraction
	}
	event, err := a.Encode(told)
	if err != nil {
		return err
	}
	return x.blob(http.StatusOK, mediaType, event)
}

// find returns the detection that the path names. A retraction is found under the id of what it takes back only.
func (a *api) find(x *exchange, r *http.Request) (sighting, error) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil || len(r.PathValue("id")) != len(id.String()) { // uuid.Parse takes braces and urn: too
		return sighting{}, detection.ErrNotFound
	}
	x.detectionID = id.String()
	record, err := a.Finder.Get(r.Context(), x.detectionID)
	if err != nil {
		return sighting{}, err
	}
	if record.Detection.Retracts != "" {
		return sighting{}, detection.ErrNotFound
	}
	retraction, err := a.retractionOf(r.Context(), record.Detection)
	return sighting{record.Detection, retraction}, err
}

// retractionOf returns what took the detection back, nil when nothing did or when the store, which would know, is away.
func (a *api) retractionOf(ctx context.Context, d detection.Detection) (*detection.Detection, error) {
	record, err := a.Finder.Get(ctx, detection.RetractionID(d.ID, d.SeenAt))
	switch {
	case errors.Is(err, detection.ErrNotFound), errors.Is(err, detection.ErrUnavailable):
		return nil, nil
	case err != nil:
		return nil, err
	case record.Detection.Retracts != d.ID:
		return nil, nil
	}
	return &record.Detection, nil
}

func viewSighting(s sighting) view {
	v := viewDetection(s.Detection)
	if s.retraction != nil {
		v.RetractedAt, v.RetractionReason = &s.retraction.ReceivedAt, s.retraction.Reason
	}
	return v
}

// trail is the answer of audit.
type trail struct {
	ID      string      `json:"detection_id"`
	Entries []trailPart `json:"entries"`
}

// trailPart is an entry with the steps in the life of the detection that it is the evidence of.
type trailPart struct {
	detection.AuditEntry
	Steps []detection.Step `json:"steps"`
}

// getAudit answers with what the audit trail has of one detection. Each entry has its number in the whole trail and its
// hash, which is over the entry before as well: with them a copy of the trail can be checked.
func (a *api) getAudit(x *exchange, r *http.Request) error {
	if err := queryOf(r).finish(); err != nil {
		return err
	}
	s, err := a.find(x, r)
	if err != nil {
		return err
	}
	entries, err := a.Catalogue.Trail(r.Context(), s.ID)
	if err != nil {
		return err
	}
	answer := trail{ID: s.ID, Entries: make([]trailPart, len(entries))}
	for i, e := range entries {
		answer.Entries[i] = trailPart{e, append([]detection.Step{}, e.Steps(s.ReceivedAt)...)} // [] rather than null
	}
	x.Header().Set(headerCacheControl, "no-store")
	return writeJSON(x, http.StatusOK, answer)
}
