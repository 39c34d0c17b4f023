package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

func (g *rig) postBatch(body string, headers ...string) *httptest.ResponseRecorder {
	return g.serve(ask(http.MethodPost, batchPath, body, headers...))
}

// line is goodBody in one line, seen at a second of its own.
func line(second int) string {
	return strings.Replace(strings.Join(strings.Fields(goodBody), ""), "12:00:00Z", fmt.Sprintf("12:00:%02dZ", second), 1)
}

func batchOf(t *testing.T, w *httptest.ResponseRecorder) batchBody {
	t.Helper()
	var got batchBody
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
		t.Fatalf("got %d %s (%v)", w.Code, w.Body, err)
	}
	return got
}

// TestBatch sends what is sound, what is not and a repetition, in both forms: results keep the order, and say what the same
// detection would have been told alone.
func TestBatch(t *testing.T) {
	bad := strings.Replace(line(1), `"pixel_x":960`, `"pixel_x":-1`, 1)
	lines := []string{line(0), bad, line(2), line(3)}
	for contentType, body := range map[string]string{
		"":                                 "[" + strings.Join(lines, ",") + "]",
		"application/json; charset=utf-8":  " [\n" + strings.Join(lines, ",\n") + "] ",
		"application/x-ndjson":             strings.Join(lines, "\n") + "\n\n",
		"application/ndjson":               "\r\n" + strings.Join(lines, "\r\n"),
		"application/jsonl; charset=utf-8": strings.Join(lines, "\n\n"),
	} {
		g := newRig()
		var seen []string
		g.Batch = fakeBatch{func(ins []detection.Input, by string) []detection.Result {
			results := make([]detection.Result, len(ins))
			for i, in := range ins {
				seen = append(seen, in.SeenAt.Format("05"))
				results[i].Accepted = detection.Accepted{Detection: detectionOf(in, by), Durability: detection.InStore, Repeated: i == 1, Warnings: in.Warnings}
				if i == 2 {
					results[i] = detection.Result{Err: &detection.Error{Code: detection.CodeNoIntersection, Field: "sensor_metadata.pitch", Message: "sky", Err: errTest}}
				}
			}
			return results
		}}
		w := g.postBatch(body, "Content-Type", contentType)
		got := batchOf(t, w)
		if got.Accepted != 1 || got.Repeated != 1 || got.Refused != 2 || strings.Join(seen, " ") != "00 02 03" {
			t.Errorf("%s: got %+v, handed over %v", contentType, got, seen)
		}
		var statuses []int
		for i, item := range got.Results {
			statuses = append(statuses, item.Status)
			if item.Index != i {
				t.Errorf("item %d has index %d", i, item.Index)
			}
		}
		if fmt.Sprint(statuses) != "[201 422 200 422]" || got.Results[0].ID != goodID || got.Results[0].Flag != "GREEN" || *got.Results[0].LatDeg != 40.701 {
			t.Errorf("%s: got %v, %s", contentType, statuses, w.Body)
		}
		if e := got.Results[1].Error; e.Code != detection.CodeInvalidField || e.Details["field"] != "pixel_x" {
			t.Errorf("item 1: %+v", e)
		}
		if e := got.Results[3].Error; e.Code != detection.CodeNoIntersection || e.Details["field"] != "sensor_metadata.pitch" || strings.Contains(w.Body.String(), "secret-host") {
			t.Errorf("item 3: %+v", e)
		}
		metrics := g.get("/metrics").Body.String()
		for _, want := range []string{`detection_requests_total{status="201"} 1`, `detection_requests_total{status="200"} 1`, `detection_requests_total{status="422"} 2`, `geolocation_confidence_flag{flag="GREEN"} 2`} {
			if !strings.Contains(metrics, want+"\n") {
				t.Errorf("%q is missing", want)
			}
		}
		if text := g.log.String(); !strings.Contains(text, `"msg":"batch accepted"`) || !strings.Contains(text, `"items":4,"refused":2`) {
			t.Errorf("log: %s", text)
		}
	}
}

// TestBatchLine: a broken line is one item, a broken array is none.
func TestBatchLine(t *testing.T) {
	got := batchOf(t, newRig().postBatch(line(0)+"\n{\n"+line(1), "Content-Type", mediaNDJSON))
	if got.Accepted != 2 || got.Results[1].Status != 400 || got.Results[1].Error.Code != detection.CodeMalformed {
		t.Errorf("got %+v", got)
	}
	untouched := newRig()
	untouched.Batch = nil // asking it would be a panic
	for _, tt := range []struct {
		body, contentType string
		status            int
		code              detection.Code
		field             string
	}{
		{"[" + line(0) + ",{]", "", 400, detection.CodeMalformed, "[2]"},
		{"[" + line(0), "", 400, detection.CodeMalformed, "[1]"},
		{"[" + line(0) + "]x", "", 400, detection.CodeMalformed, "[1]"},
		{"[]", "", 400, detection.CodeMalformed, ""},
		{"", "", 400, detection.CodeMalformed, "[0]"},
		{"\n\n", mediaNDJSON, 400, detection.CodeMalformed, ""},
		{line(0), "", 400, detection.CodeMalformed, "[0]"},
		{line(0), "text/csv", 415, codeMediaType, "Content-Type"},
		{line(0), ";", 415, codeMediaType, "Content-Type"},
		{"[" + line(0) + "]", "application/x-www-form-urlencoded", 415, codeMediaType, "Content-Type"},
		{"[" + strings.Repeat("1,", 1000) + "1]", "", 413, detection.CodeTooLarge, ""},
		{strings.Repeat("1\n", 1001), mediaNDJSON, 413, detection.CodeTooLarge, ""},
	} {
		checkRefusal(t, untouched.postBatch(tt.body, "Content-Type", tt.contentType), tt.status, tt.code, tt.field)
	}
}

// TestBatchThatCannotBeStored is answered like one detection; when some could be, each says so for itself.
func TestBatchThatCannotBeStored(t *testing.T) {
	g := newRig()
	stored := 0
	g.Batch = fakeBatch{func(ins []detection.Input, by string) []detection.Result {
		results := make([]detection.Result, len(ins))
		for i, in := range ins {
			results[i].Err = detection.ErrFull
			if i < stored {
				results[i] = detection.Result{Accepted: detection.Accepted{Detection: detectionOf(in, by), Durability: detection.InPod}}
			}
		}
		return results
	}}
	w := g.postBatch("[" + line(0) + "," + line(1) + ",1]")
	if w.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	checkRefusal(t, w, http.StatusInsufficientStorage, detection.CodeStorageFull, "")
	stored = 1
	got := batchOf(t, g.postBatch("["+line(0)+","+line(1)+",1]"))
	if got.Results[0].Status != 202 || got.Results[1].Status != 507 || got.Results[2].Status != 400 {
		t.Errorf("got %+v", got)
	}
}

// TestBatchCounts: each item counts against the rate of its subject and against what is in progress.
func TestBatchCounts(t *testing.T) {
	now := time.Date(2026, 2, 15, 12, 0, 0, 0, time.UTC)
	g := newRig()
	g.Now = func() time.Time { return now }
	g.SubjectRate = 1
	body := func(n int) string {
		return "[" + strings.TrimSuffix(strings.Repeat(line(0)+",", n), ",") + "]"
	}
	batchOf(t, g.postBatch(body(8)))
	w := g.postBatch(body(6))
	if got := w.Header().Get("Retry-After"); w.Code != http.StatusTooManyRequests || got != "4" {
		t.Errorf("got %d, Retry-After %q; want 429 and 4: one token was used up to ask", w.Code, got)
	}
	checkRefusal(t, g.postBatch(body(11)), http.StatusRequestEntityTooLarge, detection.CodeTooLarge, "")

	g = newRig()
	g.TargetWait, g.MinInProgress = time.Second, 10
	accept, inside := g.Batch, 0
	g.Batch = fakeBatch{func(ins []detection.Input, by string) []detection.Result {
		inside++
		if inside == 1 { // beside these 12, there is room for nobody
			checkRefusal(t, g.post(goodBody), http.StatusServiceUnavailable, detection.CodeOverloaded, "")
			checkRefusal(t, g.postBatch(body(1)), http.StatusServiceUnavailable, detection.CodeOverloaded, "")
		}
		return accept.AcceptAll(t.Context(), ins, by)
	}}
	batchOf(t, g.postBatch(body(12)))
	if w := g.post(goodBody); w.Code != http.StatusCreated {
		t.Errorf("after the batch: %d", w.Code)
	}
}

// TestBatchBytes: a batch is bounded like one detection.
func TestBatchBytes(t *testing.T) {
	g := newRig()
	g.MaxBodyBytes = 1 << 10
	checkRefusal(t, g.postBatch("["+line(0)+strings.Repeat(" ", 1<<10)+"]"), http.StatusRequestEntityTooLarge, detection.CodeTooLarge, "")
}

// FuzzBatch: whatever the body, there is a result for each item or one refusal.
func FuzzBatch(f *testing.F) {
	f.Add([]byte("["+line(0)+",null,{}]"), mediaJSON)
	f.Add([]byte(line(0)+"\n{\n"), mediaNDJSON)
	handler := New(newRig().Options)
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, ask(http.MethodPost, batchPath, string(body), "Content-Type", contentType))
		switch w.Code {
		case http.StatusOK:
			if got := batchOf(t, w); len(got.Results) == 0 || got.Accepted+got.Repeated+got.Refused != len(got.Results) {
				t.Errorf("got %s", w.Body)
			}
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		default:
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	})
}
