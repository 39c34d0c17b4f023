package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// check returns what is not as described.
func (c *contract) check(e *witness) (faults []string) {
	op, found := c.find(e.request.Method, e.request.URL.EscapedPath())
	if !found {
		return c.checkStray(e)
	}
	responses := op.value["responses"].(map[string]any)
	described, ok := responses[strconv.Itoa(e.status)].(map[string]any)
	if !ok {
		return []string{"the status is not described"}
	}
	faults = c.checkAnswer(e, c.resolve(described))
	if e.status/100 == 2 {
		faults = append(faults, c.checkParameters(e.request, op)...)
		faults = append(faults, c.checkBody(e, op)...)
		c.mu.Lock()
		c.seen[op.name] = true
		c.mu.Unlock()
	}
	return faults
}

// checkStray looks at what belongs to no operation: it is refused.
func (c *contract) checkStray(e *witness) []string {
	if e.request.Method == http.MethodOptions && e.status == http.StatusNoContent {
		return nil
	}
	if !slices.Contains([]int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusUnauthorized}, e.status) {
		return []string{"the route is not described"}
	}
	return c.checkContent(e, map[string]any{mediaJSON: map[string]any{"schema": map[string]any{"$ref": "#/components/schemas/Error"}}})
}

func (c *contract) checkAnswer(e *witness, response map[string]any) (faults []string) {
	headers, _ := response["headers"].(map[string]any)
	for name, value := range headers {
		header := c.resolve(value.(map[string]any))
		got := e.Header().Get(name)
		switch {
		case got == "" && header["required"] == true:
			faults = append(faults, "the header field "+name+" is missing")
		case got != "":
			if err := c.validate(header["schema"].(map[string]any), typed(header["schema"].(map[string]any), got)); err != nil {
				faults = append(faults, fmt.Sprintf("header field %s: %v", name, err))
			}
		}
	}
	types, _ := response["content"].(map[string]any)
	return append(faults, c.checkContent(e, types)...)
}

func (c *contract) checkContent(e *witness, types map[string]any) []string {
	got := e.Header().Get("Content-Type")
	media, ok := types[got].(map[string]any)
	if plain, _, err := mime.ParseMediaType(got); !ok && err == nil {
		media, ok = types[plain].(map[string]any)
	}
	if !ok {
		return []string{"the media type is not described: " + got}
	}
	if e.request.Method == http.MethodHead || e.answered.Len() > maxWitnessBytes {
		return nil
	}
	return c.checkText(media["schema"].(map[string]any), got, e.answered.Bytes())
}

// checkText holds a body against its schema: JSON as what it says, other text as a string.
func (c *contract) checkText(schema map[string]any, mediaType string, text []byte) []string {
	var value any = string(text)
	if strings.Contains(mediaType, "json") && !strings.Contains(mediaType, "ndjson") {
		parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return []string{"the body is no JSON: " + err.Error()}
		}
		value = parsed
	}
	if err := c.validate(schema, value); err != nil {
		return []string{fmt.Sprintf("body: %v", err)}
	}
	return nil
}

// checkParameters looks at a request that was taken: what it says must be described.
func (c *contract) checkParameters(r *http.Request, op operation) (faults []string) {
	unknown := maps.Clone(map[string][]string(r.URL.Query()))
	for _, p := range op.parameters {
		name, schema := p["name"].(string), p["schema"].(map[string]any)
		values := r.Header.Values(name)
		if p["in"] == "query" {
			values = unknown[name]
			delete(unknown, name)
		}
		for _, value := range values {
			if name == "limit" && len(value) > 3 { // more than the maximum is taken for the maximum, as the standard demands
				continue
			}
			if err := c.validate(schema, typed(schema, value)); err != nil {
				faults = append(faults, fmt.Sprintf("parameter %s: %v", name, err))
			}
		}
	}
	for name := range unknown {
		faults = append(faults, "the parameter "+name+" is not described")
	}
	return faults
}

// typed reads a parameter as what its schema is about.
func typed(schema map[string]any, text string) any {
	switch schema["type"] {
	case "integer", "number":
		return json.Number(text)
	case "array":
		parts := []any{}
		for part := range strings.SplitSeq(text, ",") {
			parts = append(parts, json.Number(strings.TrimSpace(part)))
		}
		return parts
	}
	return text
}

func (c *contract) checkBody(e *witness, op operation) []string {
	described, ok := op.value["requestBody"].(map[string]any)
	if !ok || e.sent.Len() > maxWitnessBytes {
		return nil
	}
	if strings.HasSuffix(op.name, batchPath) && !strings.Contains(e.answered.String(), `"refused":0,`) {
		return nil // it has items that are not as described, and they were refused
	}
	mediaType := e.request.Header.Get("Content-Type")
	if mediaType == "" {
		mediaType = mediaJSON
	}
	plain, _, err := mime.ParseMediaType(mediaType)
	media, ok := described["content"].(map[string]any)[plain].(map[string]any)
	if err != nil || !ok {
		return []string{"the media type of the request is not described: " + mediaType}
	}
	if plain == mediaForm {
		return nil // its parameters are few, and the tests of tokens say what they do
	}
	return c.checkText(media["schema"].(map[string]any), plain, e.sent.Bytes())
}
