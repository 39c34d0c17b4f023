package httpapi

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/detection-api/detection-api/app/internal/httpapi/openapi"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// inContract is what every request and answer of this package's tests is held against.
var inContract = newContract(openapi.JSON())

// TestMain fails when an exchange was not as the description says, and when no test has seen an operation succeed.
func TestMain(m *testing.M) {
	code := m.Run()
	for _, fault := range inContract.faults {
		fmt.Println("openapi.json:", fault)
		code = 1
	}
	if whole := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.fuzz").Value.String() == ""; whole && code == 0 {
		for _, name := range inContract.unseen() {
			fmt.Println("openapi.json: no test has seen a success of", name)
			code = 1
		}
	}
	os.Exit(code)
}

// contract is a description that exchanges are held against.
type contract struct {
	document map[string]any
	compiler *jsonschema.Compiler
	all      []operation

	mu      sync.Mutex
	schemas map[string]*jsonschema.Schema
	faults  []string
	seen    map[string]bool // operations that succeeded
}

const contractURL = "https://contract.invalid/openapi.json"

func newContract(text []byte) *contract {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		panic(err)
	}
	document := value.(map[string]any)
	for name, schema := range document["components"].(map[string]any)["schemas"].(map[string]any) {
		if !strings.HasSuffix(name, "Input") { // what clients send more than we read is for the service to judge
			closeObjects(schema)
		}
	}
	closeObjects(document["paths"])
	c := &contract{
		document: document, compiler: jsonschema.NewCompiler(),
		schemas: map[string]*jsonschema.Schema{}, seen: map[string]bool{},
	}
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	c.compiler.AssertFormat()
	if err := c.compiler.AddResource(contractURL, document); err != nil {
		panic(err)
	}
	c.all = c.operations()
	return c
}

// closeObjects makes every object refuse what is not described. Clients are promised no such thing.
func closeObjects(value any) {
	switch v := value.(type) {
	case map[string]any:
		if _, described := v["properties"].(map[string]any); described && v["type"] == "object" && v["additionalProperties"] == nil {
			v["additionalProperties"] = false
		}
		for _, part := range v {
			closeObjects(part)
		}
	case []any:
		for _, part := range v {
			closeObjects(part)
		}
	}
}

// operation is one method of one path.
type operation struct {
	name       string
	path       *regexp.Regexp
	value      map[string]any
	parameters []map[string]any
}

func (c *contract) operations() []operation {
	var all []operation
	for path, methods := range c.document["paths"].(map[string]any) {
		for method, value := range methods.(map[string]any) {
			op := operation{
				name: strings.ToUpper(method) + " " + path, value: value.(map[string]any),
				path: regexp.MustCompile("^" + pathParameter.ReplaceAllString(strings.ReplaceAll(path, ".", `\.`), `[^/]+`) + "$"),
			}
			parameters, _ := op.value["parameters"].([]any)
			for _, p := range parameters {
				op.parameters = append(op.parameters, c.resolve(p.(map[string]any)))
			}
			all = append(all, op)
		}
	}
	return all
}

// find returns the operation of a request; one without parameters in its path goes first.
func (c *contract) find(method, path string) (operation, bool) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var found operation
	for _, op := range c.all {
		if !strings.HasPrefix(op.name, method+" ") || !op.path.MatchString(path) {
			continue
		}
		if found.value == nil || !strings.Contains(op.name, "{") {
			found = op
		}
	}
	return found, found.value != nil
}

func (c *contract) resolve(value map[string]any) map[string]any {
	ref, ok := value["$ref"].(string)
	if !ok {
		return value
	}
	var at any = c.document
	for _, key := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		at = at.(map[string]any)[key]
	}
	return at.(map[string]any)
}

func (c *contract) unseen() []string {
	var names []string
	for _, op := range c.all {
		if !c.seen[op.name] {
			names = append(names, op.name)
		}
	}
	slices.Sort(names)
	return names
}

// validate holds a value against a schema, which lies inside an operation or is named by it.
func (c *contract) validate(schema map[string]any, value any) error {
	key, err := json.Marshal(schema)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	compiled, ok := c.schemas[string(key)]
	if !ok {
		url := contractURL + "?" + strconv.Itoa(len(c.schemas))
		wrapped := map[string]any{"components": c.document["components"], "x": schema}
		if err := c.compiler.AddResource(url, wrapped); err != nil {
			return err
		}
		if compiled, err = c.compiler.Compile(url + "#/x"); err != nil {
			return err
		}
		c.schemas[string(key)] = compiled
	}
	return compiled.Validate(value)
}

// watch lets a handler answer and holds what it did against the contract.
func (c *contract) watch(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := &witness{ResponseWriter: w, request: r}
		heard := r.WithContext(r.Context()) // the server looks at the body of its own again
		if r.Body != nil {
			heard.Body = struct {
				io.Reader
				io.Closer
			}{io.TeeReader(r.Body, &e.sent), r.Body}
		}
		handler.ServeHTTP(e, heard)
		for _, fault := range c.check(e) {
			c.mu.Lock()
			c.faults = append(c.faults, fmt.Sprintf("%s %.200s: %d: %s", r.Method, r.URL.RequestURI(), e.status, fault))
			c.mu.Unlock()
		}
	})
}

// maxWitnessBytes is how much of a body is looked at; larger ones are not.
const maxWitnessBytes = 1 << 20

type cappedBuffer struct{ bytes.Buffer }

func (b *cappedBuffer) Write(p []byte) (int, error) {
	if b.Len() <= maxWitnessBytes {
		b.Buffer.Write(p)
	}
	return len(p), nil
}

// witness keeps what went to and fro.
type witness struct {
	http.ResponseWriter
	request  *http.Request
	status   int
	sent     cappedBuffer
	answered cappedBuffer
}

func (e *witness) WriteHeader(status int) {
	if e.status == 0 {
		e.status = status
	}
	e.ResponseWriter.WriteHeader(status)
}

func (e *witness) Write(p []byte) (int, error) {
	if e.status == 0 {
		e.status = http.StatusOK
	}
	e.answered.Write(p)
	return e.ResponseWriter.Write(p)
}

func (e *witness) Unwrap() http.ResponseWriter { return e.ResponseWriter }

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

// TestDescriptionNamesEveryRoute holds the description against the table of routes, in both directions, roles included.
func TestDescriptionNamesEveryRoute(t *testing.T) {
	for _, fault := range compareRoutes(inContract, (&api{}).routes()) {
		t.Error(fault)
	}
}

func compareRoutes(c *contract, routes []route) (faults []string) {
	described := map[string]operation{}
	for _, op := range c.all {
		described[op.name] = op
	}
	for _, r := range routes {
		name := r.method + " " + r.path
		op, ok := described[name]
		if !ok {
			faults = append(faults, name+" is not described")
			continue
		}
		delete(described, name)
		if got := rolesOf(op); !slices.Equal(got, []string{string(r.role)}) {
			faults = append(faults, fmt.Sprintf("%s is described with the roles %q, it needs %q", name, got, r.role))
		}
	}
	for name := range described {
		faults = append(faults, name+" is described and does not exist")
	}
	return faults
}

// rolesOf returns the roles that any way into an operation needs, "" for none.
func rolesOf(op operation) []string {
	roles := map[string]bool{}
	for _, way := range op.value["security"].([]any) {
		for _, names := range way.(map[string]any) {
			for _, role := range names.([]any) {
				roles[role.(string)] = true
			}
		}
	}
	if len(roles) == 0 {
		roles[""] = true
	}
	return slices.Sorted(maps.Keys(roles))
}

// TestContractNotices is the control: each fault that is put into a sound exchange, or a route that is put in or left out,
// is found.
func TestContractNotices(t *testing.T) {
	c := newContract(openapi.JSON())
	exchange := func(method, target, body, contentType string, status int, answer string) *witness {
		e := &witness{ResponseWriter: blank{}, request: ask(method, target, body), status: status}
		e.sent.WriteString(body)
		e.answered.WriteString(answer)
		e.Header().Set("Content-Type", contentType)
		return e
	}
	page := `{"type":"FeatureCollection","features":[],"links":[],"timeStamp":"2026-02-15T12:00:00Z","numberReturned":0}`
	tests := []struct {
		name string
		e    *witness
		want string // "": nothing is wrong
	}{
		{"sound", exchange("GET", "/api/v1/detections?limit=5&bbox=1,2,3,4", "", mediaGeoJSON, 200, page), ""},
		{"unknown route", exchange("GET", "/api/v2", "", mediaJSON, 200, page), "route is not described"},
		{"unknown status", exchange("GET", "/api/v1/detections", "", mediaGeoJSON, 206, page), "status is not described"},
		{"unknown media type", exchange("GET", "/api/v1/detections", "", "text/csv", 200, page), "media type is not described"},
		{"unknown field", exchange("GET", "/api/v1/detections", "", mediaGeoJSON, 200, strings.Replace(page, "{", `{"next":1,`, 1)), "additional properties 'next'"},
		{"missing field", exchange("GET", "/api/v1/detections", "", mediaGeoJSON, 200, strings.Replace(page, `"links":[],`, "", 1)), "'links'"},
		{"wrong format", exchange("GET", "/api/v1/detections", "", mediaGeoJSON, 200, strings.Replace(page, "T12:00:00Z", "", 1)), "date-time"},
		{"no JSON", exchange("GET", "/api/v1/detections", "", mediaGeoJSON, 200, "x"), "no JSON"},
		{"unknown parameter", exchange("GET", "/api/v1/detections?colour=red", "", mediaGeoJSON, 200, page), "parameter colour"},
		{"wrong parameter", exchange("GET", "/api/v1/detections?bbox=1,2,3", "", mediaGeoJSON, 200, page), "parameter bbox"},
		{"missing header", exchange("GET", "/api/v1/detections", "", mediaJSON, 429, `{"error_code":"rate_limited","error_message":"x","details":{"request_id":"x"}}`), "Retry-After is missing"},
		{"unknown code", exchange("GET", "/api/v1/detections", "", mediaJSON, 403, `{"error_code":"new","error_message":"x","details":{"request_id":"x"}}`), "error_code"},
		{"wrong request", exchange("POST", "/api/v1/detections:batch", `[{"pixel_x":-1}]`, mediaJSON, 200, `{"accepted":0,"repeated":0,"refused":0,"results":[]}`), "pixel_x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := strings.Join(c.check(tt.e), "; ")
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("found %q, want %q", got, tt.want)
			}
		})
	}
	routes := (&api{}).routes()
	if len(compareRoutes(c, routes[1:])) != 1 || len(compareRoutes(c, append(routes, route{method: "GET", path: "/x"}))) != 1 {
		t.Error("a route that is missing on one side is not found")
	}
	routes[0].role = Operate
	if len(compareRoutes(c, routes)) != 1 {
		t.Error("another role is not found")
	}
}

// blank is the header of an answer.
type blank map[string][]string

func (b blank) Header() http.Header       { return http.Header(b) }
func (blank) Write(p []byte) (int, error) { return len(p), nil }
func (blank) WriteHeader(int)             {}
