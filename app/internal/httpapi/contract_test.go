package httpapi

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
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
	closeObjects(document["components"].(map[string]any)["schemas"])
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
	for key := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
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
