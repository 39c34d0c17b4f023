package cot_test

import (
	"testing"

	"github.com/detection-api/detection-api/app/internal/cot"
)

func TestHello(t *testing.T) {
	e := parse(t, cot.Hello("detection-api.pod-0", `d"api`, now))
	if e.Type != "a-f-G-E-S" || e.UID != "detection-api.pod-0" {
		t.Errorf("type %q uid %q", e.Type, e.UID)
	}
	if c := e.Detail.Contact; c.Endpoint != "*:-1:stcp" || c.Callsign != `d"api` {
		t.Errorf("contact %+v", c)
	}
}

func TestIsPong(t *testing.T) {
	const point = `<point lat="0.0" lon="0.0" hae="0.0" ce="9999999" le="9999999"/>`
	tests := []struct {
		name, event string
		want        bool
	}{
		{"TAK Server", `<event version="2.0" uid="takPong" type="t-x-c-t-r" how="h-g-i-g-o" time="x" start="x" stale="x">` + point + `</event>`, true},
		{"with declaration", `<?xml version="1.0"?><event type="t-x-c-t-r" uid="takPong">` + point + `</event>`, true},
		{"single quotes, another order", `<event uid='takPong' type='t-x-c-t-r'>` + point + `</event>`, true},
		{"echo of the ping (OpenTAKServer)", string(cot.Ping("pod-0", now)), true},
		{"a ping of the server's own", `<event type="t-x-c-t" uid="takPing">` + point + `</event>`, false},
		{"a detection that quotes it", `<event type="a-u-G" uid="t-x-c-t-r"><detail>type="t-x-c-t-r"</detail></event>`, false},
		{"another type", `<event type="t-x-c-t-rx" uid="u"></event>`, false},
		{"another element", `<pong type="t-x-c-t-r"></pong>`, false},
		{"junk", `t-x-c-t-r <<<`, false},
		{"nothing", ``, false},
	}
	for _, test := range tests {
		if got := cot.IsPong([]byte(test.event)); got != test.want {
			t.Errorf("%s: got %v", test.name, got)
		}
	}
}
