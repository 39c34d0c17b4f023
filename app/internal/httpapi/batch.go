package httpapi

import (
	"context"
	"errors"
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

// readBatch reads an array or lines of JSON as they come in.
func (a *api) readBatch(x *exchange, r *http.Request) ([]reported, error) {
	format, err := formatOf(r)
	if err != nil {
		return nil, err
	}
	held := &lease{budget: a.inFlight}
	defer held.end()
	body, err := a.openBody(x, r, held, maxBatchHeldBytes)
	if err != nil {
		return nil, err
	}
	most := a.MaxBatchItems
	if n := a.subjects.most(); n > 0 {
		most = min(most, n)
	}
	reader := detection.NewBatchReader(body, format, detection.BatchOptions{
		ReadOptions: detection.ReadOptions{Pictures: a.Pictures}, MaxItems: most,
	})
	var batch []reported
	for {
		in, err := reader.Next()
		if errors.Is(err, io.EOF) && !reader.Broken() {
			break
		}
		if reader.Broken() {
			return nil, a.bodyError(err)
		}
		batch = append(batch, reported{input: in, Result: detection.Result{Err: err}})
	}
	if len(batch) == 0 {
		return nil, &detection.Error{Code: detection.CodeMalformed, Message: "the batch is empty"}
	}
	return batch, nil
}

// formatOf is what the Content-Type says, an array when it says nothing.
func formatOf(r *http.Request) (detection.BatchFormat, error) {
	said := r.Header.Get(headerContentType)
	if said == "" {
		return detection.BatchArray, nil
	}
	mediaType, _, err := mime.ParseMediaType(said)
	if err == nil {
		switch mediaType {
		case mediaJSON:
			return detection.BatchArray, nil
		case mediaNDJSON, "application/ndjson", "application/jsonl":
			return detection.BatchLines, nil
		}
	}
	return 0, &detection.Error{Code: codeMediaType, Field: headerContentType, Message: "must be " + mediaJSON + " or " + mediaNDJSON}
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
