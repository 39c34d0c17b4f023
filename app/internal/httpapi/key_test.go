package httpapi

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// TestIdempotencyKey: the key is handed over as what is kept of it, and none where there is none.
func TestIdempotencyKey(t *testing.T) {
	g := newRig()
	var got []string
	g.Ingestor = fakeIngestor{func(_ context.Context, in detection.Input, by string) (detection.Accepted, error) {
		got = append(got, in.IdempotencyKey)
		return detection.Accepted{Detection: detectionOf(in, by), Event: []byte(goodEvent), Durability: detection.InStore}, nil
	}}
	g.Batch = fakeBatch{func(ins []detection.Input, _ string) []detection.Result {
		for _, in := range ins {
			got = append(got, in.IdempotencyKey)
		}
		return make([]detection.Result, len(ins))
	}}
	longest := strings.Repeat("~", 255)
	g.post(goodBody)
	g.post(goodBody, "Idempotency-Key", "!")
	g.post(goodBody, "Idempotency-Key", longest)
	g.Registerer = noRegisterer{}
	g.handler = New(g.Options) // the empty results of this batch are not in the contract
	g.postBatch("["+line(0)+","+line(1)+"]", "Idempotency-Key", "k")
	want := []string{"", detection.IdempotencyKey("drone-7", "!"), detection.IdempotencyKey("drone-7", longest), detection.IdempotencyKey("drone-7", "k/0"), detection.IdempotencyKey("drone-7", "k/1")}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBadIdempotencyKey(t *testing.T) {
	for _, values := range [][]string{{""}, {" "}, {"a b"}, {"é"}, {"a\x7f"}, {"a\tb"}, {strings.Repeat("a", 256)}, {"a", "a"}} {
		g := newRig()
		r := ask(http.MethodPost, detectionsPath, "")
		r.Body = http.NoBody
		r.Header["Idempotency-Key"] = values
		checkRefusal(t, g.serve(r), http.StatusBadRequest, codeParameter, "Idempotency-Key")
	}
}

// TestRepetition is answered 200 with the first one; a key of something else is refused.
func TestRepetition(t *testing.T) {
	g := newRig()
	g.Ingestor = fakeIngestor{func(_ context.Context, in detection.Input, by string) (detection.Accepted, error) {
		return detection.Accepted{Detection: detectionOf(in, by), Event: []byte(goodEvent), Durability: detection.InStore, Repeated: true}, nil
	}}
	w := g.post(goodBody, "Idempotency-Key", "a", "Accept", mediaJSON)
	if w.Code != http.StatusOK || w.Header().Get("Idempotent-Replay") != "true" || w.Header().Get("X-Detection-ID") != goodID {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
	g = newRig()
	if w := g.post(goodBody, "Idempotency-Key", "a"); w.Code != http.StatusCreated || w.Header().Get("Idempotent-Replay") != "" {
		t.Errorf("the first one: got %d %v", w.Code, w.Header())
	}
	g = newRig()
	g.ingestFails(&detection.Error{Code: detection.CodeKeyReused, Field: "Idempotency-Key", Message: "was used for something else"})
	checkRefusal(t, g.post(goodBody), http.StatusUnprocessableEntity, detection.CodeKeyReused, "Idempotency-Key")
}
