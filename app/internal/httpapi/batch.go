package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"

	"github.com/detection-api/detection-api/app/internal/detection"
)

const (
	batchPath   = detectionsPath + ":batch"
	mediaNDJSON = "application/x-ndjson"
)

// BatchIngestor commits several detections, each for itself but in one group. There is a result for each, in order.
type BatchIngestor interface {
	AcceptAll(ctx context.Context, inputs []detection.Input, reportedBy string) []detection.Result
}

// batchBody is the answer to a batch.
type batchBody struct {
	Accepted int         `json:"accepted"` // new ones
	Repeated int         `json:"repeated"` // that had been accepted before
	Refused  int         `json:"refused"`
	Results  []batchItem `json:"results"` // in the order of the request
}

// batchItem is what the same detection would have been answered alone: either the second block, or Error.
type batchItem struct {
	Index  int `json:"index"`
	Status int `json:"status"`

	ID         string               `json:"detection_id,omitempty"`
	LatDeg     *float64             `json:"lat,omitempty"`
	LonDeg     *float64             `json:"lon,omitempty"`
	HAEMetres  *float64             `json:"hae_m,omitempty"`
	CE90Metres float64              `json:"ce90_m,omitempty"`
	Flag       string               `json:"flag,omitempty"`
	Durability detection.Durability `json:"durability,omitempty"`
	Warnings   []string             `json:"warnings,omitempty"`

	Error *batchError `json:"error,omitempty"`
}

type batchError struct {
	Code    detection.Code    `json:"error_code"`
	Message string            `json:"error_message"`
	Details map[string]string `json:"details"`
}

// createBatch answers 200 with a result for each item. When the service could take none of those that are sound, it answers
// as it does to one detection, so that clients who look at the status alone come back.
func (a *api) createBatch(x *exchange, r *http.Request) error {
	if err := a.admit(x); err != nil {
		return err
	}
	key, err := keyOf(r)
	if err != nil {
		return err
	}
	results, err := a.readBatch(x, r)
	if err != nil {
		return err
	}
	x.items = len(results)
	// One was taken by admit.
	if x.retryAfter = a.subjects.take(x.identity.Subject, len(results)-1, a.Now()); x.retryAfter > 0 {
		return errTooFast
	}
	for i := range results {
		if key != "" {
			results[i].input.IdempotencyKey = detection.IdempotencyKey(x.identity.Subject, key+"/"+strconv.Itoa(i))
		}
	}
	if err := a.commitBatch(r.Context(), results, x.identity.Subject); err != nil {
		return err
	}
	return a.answerBatch(x, results)
}

// reported is one item of a batch on its way.
type reported struct {
	input detection.Input
	detection.Result
}

// readBatch reads an array or lines of JSON. Its bytes count as in flight until they are decoded.
func (a *api) readBatch(x *exchange, r *http.Request) ([]reported, error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get(headerContentType))
	split := splitArray
	switch {
	case err == nil && (mediaType == mediaNDJSON || mediaType == "application/jsonl" || mediaType == "application/ndjson"):
		split = splitLines
	case r.Header.Get(headerContentType) != "" && (err != nil || mediaType != mediaJSON):
		return nil, &detection.Error{Code: codeParameter, Field: headerContentType, Message: "must be " + mediaJSON + " or " + mediaNDJSON}
	}
	held := &lease{budget: a.inFlight}
	defer held.end()
	body, err := a.readBody(x, r, held)
	if err != nil {
		return nil, err
	}
	most := a.MaxBatchItems
	if n := a.subjects.most(); n > 0 {
		most = min(most, n)
	}
	items, err := split(body, most)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return nil, &detection.Error{Code: detection.CodeMalformed, Message: "the batch is empty"}
	}
	batch := make([]reported, len(items))
	for i, item := range items {
		batch[i].input, batch[i].Err = detection.ParseInput(item)
	}
	return batch, nil
}

func tooMany(most int) error {
	return &detection.Error{Code: detection.CodeTooLarge, Message: fmt.Sprintf("a batch may have at most %d detections", most)}
}

func splitArray(body []byte, most int) ([][]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	broken := func(n int) error {
		return &detection.Error{Code: detection.CodeMalformed, Field: fmt.Sprintf("[%d]", n), Message: "the array of JSON breaks off at this item; nothing was accepted"}
	}
	if token, err := decoder.Token(); err != nil || token != json.Delim('[') {
		return nil, &detection.Error{Code: detection.CodeMalformed, Message: "the body must be an array of JSON, or lines of JSON with Content-Type " + mediaNDJSON}
	}
	var items [][]byte
	for decoder.More() {
		if len(items) == most {
			return nil, tooMany(most)
		}
		var item json.RawMessage
		if err := decoder.Decode(&item); err != nil {
			return nil, broken(len(items))
		}
		items = append(items, item)
	}
	if _, err := decoder.Token(); err != nil {
		return nil, broken(len(items))
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, &detection.Error{Code: detection.CodeMalformed, Message: "more data after the array"}
	}
	return items, nil
}

// splitLines leaves out empty lines. A line that is no JSON is an item that is refused.
func splitLines(body []byte, most int) ([][]byte, error) {
	var items [][]byte
	for line := range bytes.SplitSeq(body, []byte("\n")) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if len(items) == most {
			return nil, tooMany(most)
		}
		items = append(items, line)
	}
	return items, nil
}

// commitBatch hands over the items that could be read, in order, and sets the results of theirs.
func (a *api) commitBatch(ctx context.Context, batch []reported, subject string) error {
	var sound []int
	var inputs []detection.Input
	for i := range batch {
		if batch[i].Err == nil {
			sound, inputs = append(sound, i), append(inputs, batch[i].input)
		}
	}
	if len(inputs) == 0 {
		return nil
	}
	if !a.admission.enter(len(inputs)) {
		return errOverloaded
	}
	committed := 0
	defer func() { a.admission.leave(len(inputs), committed) }() // also after a panic
	for n, result := range a.Batch.AcceptAll(ctx, inputs, subject) {
		batch[sound[n]].Result = result
		if result.Err == nil {
			committed++
		}
	}
	return nil
}

func (a *api) answerBatch(x *exchange, batch []reported) error {
	body := batchBody{Results: make([]batchItem, len(batch))}
	var ours error // the first fault that is not the client's
	for i := range batch {
		item := itemOf(i, &batch[i])
		body.Results[i] = item
		switch {
		case item.Status == http.StatusOK:
			body.Repeated++
		case item.Error == nil:
			body.Accepted++
		default:
			body.Refused++
			if item.Status >= http.StatusInternalServerError && ours == nil {
				ours = batch[i].Err
			}
		}
	}
	x.refused = body.Refused
	if ours != nil && body.Accepted+body.Repeated == 0 {
		return ours
	}
	x.answered, x.err = true, ours // for the log
	for i, item := range body.Results {
		a.count(item.Status, batch[i].Err)
		if item.Error == nil {
			a.metrics.flags.WithLabelValues(item.Flag).Inc()
		}
	}
	x.Header().Set(headerCacheControl, "no-store")
	return writeJSON(x, http.StatusOK, body)
}

func itemOf(index int, r *reported) batchItem {
	if r.Err != nil {
		refusal := refusalOf(r.Err)
		details := map[string]string{}
		if refusal.Field != "" {
			details["field"] = refusal.Field
		}
		return batchItem{
			Index: index, Status: statuses[refusal.Code],
			Error: &batchError{refusal.Code, refusal.Message, details},
		}
	}
	d := &r.Detection
	return batchItem{
		Index: index, Status: statusOf(r.Accepted), ID: d.ID, LatDeg: &d.Fix.LatDeg, LonDeg: &d.Fix.LonDeg, HAEMetres: d.Fix.HAEMetres,
		CE90Metres: d.Fix.CE90Metres, Flag: string(d.Fix.Flag), Durability: r.Durability, Warnings: r.Warnings,
	}
}
