package openapi

import (
	"encoding/json"
	"html/template"
	"regexp"
	"strings"
	"testing"
)

// TestPageShowsAll holds that every operation, parameter and schema is on the page, each link on it leads somewhere, and
// nothing is fetched from elsewhere.
func TestPageShowsAll(t *testing.T) {
	page, err := Page()
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal(JSON(), &d); err != nil {
		t.Fatal(err)
	}
	text := string(page)
	for path, methods := range d.Paths {
		for method, o := range methods {
			if !strings.Contains(text, `<code class="method">`+strings.ToUpper(method)+"</code> <code>"+path+"</code> "+template.HTMLEscapeString(o.Summary)) {
				t.Errorf("%s %s is missing", method, path)
			}
		}
	}
	for name := range d.Components.Schemas {
		if !strings.Contains(text, `id="schema-`+name+`"`) {
			t.Errorf("schema %s is missing", name)
		}
	}
	links := regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(text, -1)
	for _, link := range links {
		if id, local := strings.CutPrefix(link[1], "#"); local && !strings.Contains(text, `id="`+id+`"`) {
			t.Errorf("%s leads nowhere", link[1])
		}
	}
	if len(links) < 50 || regexp.MustCompile(`(?i)<script|https?://|src=|@import`).MatchString(text) {
		t.Errorf("the page has %d links, or fetches something", len(links))
	}
}
