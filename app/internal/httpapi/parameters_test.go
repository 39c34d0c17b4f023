package httpapi

import (
	"net/http"
	"strings"
	"testing"
)

func TestBadParameters(t *testing.T) {
	tests := []struct{ query, field string }{
		{"colour=red", "colour"},
		{"Limit=5", "Limit"},
		{"limit=0", "limit"},
		{"limit=-1", "limit"},
		{"limit=ten", "limit"},
		{"limit=1e2", "limit"},
		{"limit=", "limit"},
		{"limit=1&limit=2", "limit"},
		{"class=", "class"},
		{"camera=", "camera"},
		{"track=", "track"},
		{"bbox=1,2,9,3,4,8", "bbox"},
		{"bbox=1,2,3", "bbox"},
		{"bbox=1,2,3,4,5", "bbox"},
		{"bbox=", "bbox"},
		{"bbox=1,2,3,x", "bbox"},
		{"bbox=1,2,3,NaN", "bbox"},
		{"bbox=1,2,3,Inf", "bbox"},
		{"bbox=1,20,3,4", "bbox"},
		{"datetime=yesterday", "datetime"},
		{"datetime=2026-02-15", "datetime"},
		{"datetime=", "datetime"},
		{"datetime=..", "datetime"},
		{"datetime=2026-02-15T12:00:05Z/2026-02-15T12:00:04Z", "datetime"},
		{"flag=green", "flag"},
		{"class=" + strings.Repeat("x", 513), "class"},
		{"class=%FF", "class"},
		{"cursor=1", "cursor"},
		{"cursor=", "cursor"},
		{"cursor=cDE!", "cursor"},
		{"cursor=cC0x", "cursor"},
		{"%zz", ""},
		{"a;b", ""},
		{strings.Repeat("x", 100) + "=1", strings.Repeat("x", 64)},
	}
	g, _ := recordOf(1)
	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			checkRefusal(t, g.get(detectionsPath+"?"+tt.query), http.StatusBadRequest, codeParameter, tt.field)
		})
	}
}
