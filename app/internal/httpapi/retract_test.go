package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// TestRetract takes one back: twice the same answer, every view of it says so, and lists have it no more.
func TestRetract(t *testing.T) {
	g, record := recordOf(3)
	g.Encode = func(d detection.Detection) ([]byte, error) { return []byte("<event uid='" + d.Retracts + "'/>"), nil }
	target := detectionsPath + "/" + numbered(2).ID
	first := g.serve(ask(http.MethodDelete, target+"?reason="+url.QueryEscape("it was a cow"), ""))
	second := g.serve(ask(http.MethodDelete, target+"?reason=other", ""))
	if first.Code != http.StatusOK || second.Code != http.StatusOK || first.Body.String() != second.Body.String() || len(record.entries) != 4 {
		t.Errorf("got %d %s, then %d %s, %d entries", first.Code, first.Body, second.Code, second.Body, len(record.entries))
	}
	var got retracted
	if err := json.Unmarshal(first.Body.Bytes(), &got); err != nil || got.ID != numbered(2).ID || got.Reason != "it was a cow" ||
		got.RetractionID != detection.RetractionID(numbered(2).ID, numbered(2).SeenAt) || got.Durability != detection.InStore {
		t.Errorf("got %+v, %v", got, err)
	}
	for accept, want := range map[string]string{
		mediaJSON: `"retracted_at":"2026-11-22T13:00:00Z","retraction_reason":"it was a cow"`, mediaGeoJSON: `"retracted_at":"2026-11-22T13:00:00Z"`,
		mediaCoT: "<event uid='" + numbered(2).ID + "'/>",
	} {
		if w := g.get(target, "Accept", accept); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", accept, w.Code, w.Body)
		}
	}
	if w := g.get(detectionsPath + "/" + numbered(1).ID); strings.Contains(w.Body.String(), "retract") {
		t.Errorf("another one: %s", w.Body)
	}
	if page := pageOf(t, g.get(detectionsPath)); len(page.Features) != 2 {
		t.Errorf("the list has %d", len(page.Features))
	}
	checkRefusal(t, g.get(detectionsPath+"/"+got.RetractionID), http.StatusNotFound, detection.CodeNotFound, "")
	if text := g.log.String(); strings.Count(text, "retraction accepted") != 2 || !strings.Contains(text, `"subject":"drone-7"`) {
		t.Errorf("log: %s", text)
	}
}

type fakeRetractor struct {
	durability detection.Durability
	err        error
}

func (f fakeRetractor) Retract(_ context.Context, target detection.Detection, reason, _ string) (detection.Accepted, error) {
	d := detection.Detection{ID: detection.RetractionID(target.ID, target.SeenAt), Retracts: target.ID, Reason: reason, ReceivedAt: target.ReceivedAt}
	return detection.Accepted{Detection: d, Durability: f.durability}, f.err
}

func TestRetractRefuses(t *testing.T) {
	g, _ := recordOf(1)
	target := detectionsPath + "/" + numbered(1).ID
	drop := func(target string) *http.Request { return ask(http.MethodDelete, target, "") }
	checkRefusal(t, g.serve(drop(detectionsPath+"/"+numbered(9).ID)), http.StatusNotFound, detection.CodeNotFound, "")
	checkRefusal(t, g.serve(drop(detectionsPath+"/7")), http.StatusNotFound, detection.CodeNotFound, "")
	checkRefusal(t, g.serve(drop(target+"?reason=a%0Ab")), http.StatusBadRequest, codeParameter, "reason")
	checkRefusal(t, g.serve(drop(target+"?reason="+strings.Repeat("x", 501))), http.StatusBadRequest, codeParameter, "reason")
	checkRefusal(t, g.serve(drop(target+"?why=x")), http.StatusBadRequest, codeParameter, "why")
	g.Retractor, g.handler = fakeRetractor{err: detection.ErrFull}, nil
	g.Registerer = noRegisterer{}
	checkRefusal(t, g.serve(drop(target)), http.StatusInsufficientStorage, detection.CodeStorageFull, "")
	g.Retractor, g.handler = fakeRetractor{durability: detection.InPod}, nil
	if w := g.serve(drop(target)); w.Code != http.StatusAccepted || w.Header().Get("X-Durability") != "pod" {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
}

// TestStoreAwayOnRetraction: a detection that is found says what is known of it, though who would know of a retraction is away.
func TestStoreAwayOnRetraction(t *testing.T) {
	g := newRig()
	g.Finder = fakeFinder{func(_ context.Context, id string) (detection.Record, error) {
		if id == goodID {
			return detection.Record{Detection: numbered(1)}, nil
		}
		return detection.Record{}, detection.ErrUnavailable
	}}
	if w := g.get(detectionsPath + "/" + goodID); w.Code != http.StatusOK {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestAudit(t *testing.T) {
	g, _ := recordOf(2)
	target := detectionsPath + "/" + numbered(1).ID
	g.serve(ask(http.MethodDelete, target, ""))
	var got trail
	if err := json.Unmarshal(g.get(target+"/audit").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.ID != numbered(1).ID || len(got.Entries) != 2 || got.Entries[0].Event != "accepted" || got.Entries[1].Event != "retracted" || got.Entries[1].Seq != 3 || got.Entries[0].Hash == "" ||
		!slices.Contains(got.Entries[0].Steps, detection.StepGeolocated) || got.Entries[1].Steps == nil {
		t.Errorf("got %+v", got)
	}
	checkRefusal(t, g.get(detectionsPath+"/"+numbered(9).ID+"/audit"), http.StatusNotFound, detection.CodeNotFound, "")
	checkRefusal(t, g.get(target+"/audit?x=1"), http.StatusBadRequest, codeParameter, "x")
}
