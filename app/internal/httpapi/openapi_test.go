package httpapi

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/httpapi/openapi"
)

// TestDescriptionNamesEveryRoute holds the description against the table of routes, in both directions, roles included.
func TestDescriptionNamesEveryRoute(t *testing.T) {
	for _, fault := range compareRoutes(inContract, (&api{}).routes()) {
		t.Error(fault)
	}
}

// TestDescriptionNamesEveryCode holds the description against the table of codes, in both directions.
func TestDescriptionNamesEveryCode(t *testing.T) {
	schema := inContract.resolve(map[string]any{"$ref": "#/components/schemas/ErrorCode"})
	described := map[detection.Code]bool{}
	for _, code := range schema["enum"].([]any) {
		described[detection.Code(code.(string))] = true
	}
	for code := range statuses {
		if !described[code] {
			t.Errorf("%s is not described", code)
		}
	}
	if len(described) != len(statuses) {
		t.Errorf("%d codes are described, there are %d", len(described), len(statuses))
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
