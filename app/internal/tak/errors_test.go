package tak_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/detection-api/detection-api/app/internal/tak"
)

func TestCheckAddr(t *testing.T) {
	for addr, want := range map[string]string{
		"tak.example.org:8087":       "",
		"10.0.0.1:1":                 "",
		"[2001:db8::1]:8087":         "",
		"":                           "write host:port",
		"tak.example.org":            "the port is missing",
		"tcp://tak.example.org:8087": "leave out the scheme",
		"2001:db8::1":                "in brackets",
		":8087":                      "no valid host",
		"a b:8087":                   "no valid host",
		"tak.example.org:":           "from 1 to 65535",
		"tak.example.org:0":          "from 1 to 65535",
		"tak.example.org:65536":      "from 1 to 65535",
		"tak.example.org:cot":        "from 1 to 65535",
	} {
		err := tak.CheckAddr(addr)
		if want == "" {
			if err != nil {
				t.Errorf("%q: %v", addr, err)
			}
			continue
		}
		var e *tak.Error
		if !errors.As(err, &e) || e.Retryable || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q, not retryable", addr, err, want)
		}
		opts := options(func(o *tak.Options) { o.Addr = addr })
		if _, err := tak.Dial(t.Context(), opts); tak.Retryable(err) {
			t.Errorf("Dial %q: got %v", addr, err)
		}
	}
}
