package httpapi

import "testing"

func TestPrefersJSON(t *testing.T) {
	const byDefault = "default"
	tests := []struct{ accept, want string }{
		{"", byDefault},
		{"*/*", byDefault},
		{"application/*", byDefault},
		{"text/html", byDefault},
		{"text/plain;q=0.5, image/png", byDefault},
		{"application/json;q=0, application/xml;q=0", byDefault},
		{"application/json", "json"},
		{"APPLICATION/JSON", "json"},
		{" application/json ; charset=utf-8 ", "json"},
		{"application/json, text/plain, */*", "json"}, // axios
		{"application/json;q=0.9, */*;q=0.8", "json"},
		{"application/xml;q=0.5, application/json", "json"},
		{"application/json, application/xml", "json"},
		{"application/xml;q=0, */*", "json"},
		{"application/xml;q=x, application/json;q=0.1", "json"},
		{"application/xml;q=NaN, application/json;q=0.1", "json"},
		{"application/xml;q=2, application/json;q=0.1", "json"},
		{"application/xml", "xml"},
		{"text/xml", "xml"},
		{"application/xml, application/json", "xml"},
		{"application/json;q=0.5, application/xml", "xml"},
		{"application/json;q=0, */*", "xml"},
		{"application/json;Q=0.1, application/*;q=0.2", "xml"},
		{"text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8", "xml"}, // browsers
		{",;,;q=,", byDefault},
	}
	for _, tt := range tests {
		t.Run(tt.accept, func(t *testing.T) {
			for _, jsonByDefault := range []bool{true, false} {
				want := tt.want == "json" || tt.want == byDefault && jsonByDefault
				if got := prefersJSON([]string{tt.accept}, jsonByDefault); got != want {
					t.Errorf("default JSON %t: got %t, want %t", jsonByDefault, got, want)
				}
			}
		})
	}
	if !prefersJSON([]string{"application/xml;q=0.1", "application/json"}, false) {
		t.Error("several Accept headers are not read as one")
	}
}
