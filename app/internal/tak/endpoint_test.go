package tak_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/detection-api/detection-api/app/internal/tak"
)

func TestParseEndpoint(t *testing.T) {
	for text, want := range map[string]tak.Endpoint{
		"tak.example.org:8087":           {Scheme: tak.TCP, Addr: "tak.example.org:8087"},
		"tcp://10.0.0.1:8088?window=1":   {Scheme: tak.TCP, Addr: "10.0.0.1:8088", Window: 1},
		"tls://tak:8089?confirm=pong":    {Scheme: tak.TLS, Addr: "tak:8089", Answers: true},
		"TLS://[2001:db8::1]:8089/":      {Scheme: tak.TLS, Addr: "[2001:db8::1]:8089"},
		"udp://239.2.3.1:6969":           {Scheme: tak.UDP, Addr: "239.2.3.1:6969", TTL: 1},
		"udp://[ff02::1]:6969?ttl=3":     {Scheme: tak.UDP, Addr: "[ff02::1]:6969", TTL: 3},
		"udp://a:1?interface=eth0&ttl=9": {Scheme: tak.UDP, Addr: "a:1", TTL: 9, Interface: "eth0"},
		"http://tak/CoT?key=1":           {Scheme: tak.HTTP, Addr: "tak:80", URL: "http://tak/CoT?key=1"},
		"https://tak:8443/a/b":           {Scheme: tak.HTTPS, Addr: "tak:8443", URL: "https://tak:8443/a/b"},
		"https://[::1]/":                 {Scheme: tak.HTTPS, Addr: "[::1]:443", URL: "https://[::1]/"},
	} {
		if got, err := tak.ParseEndpoint(text); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
}

func TestParseEndpointRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "no address",
		"tcp://tak":                 "port is missing",
		"tcp://tak:0":               "from 1 to 65535",
		"ssl://tak:8089":            "use tcp, tls, udp, http or https",
		"tls://tak:8089/path":       "something follows the port",
		"tls://tak:8089#a":          "something follows the port",
		"tls://tak:8089?window=0":   "from 1 to 64",
		"tls://tak:8089?window=65":  "from 1 to 64",
		"tls://tak:8089?ttl=1":      "no such parameter",
		"udp://a:1?window=1":        "no such parameter",
		"udp://a:1?confirm=pong":    "no such parameter",
		"tls://tak:8089?confirm=no": "not pong",
		"udp://a:1?ttl=256":         "from 1 to 255",
		"udp://:6969":               "no valid host",
		"http:///CoT":               "no valid host",
		"http://user:s3cret@tak/":   "user name",
		"http://user:s3cret@tak:x/": "not a URL",
		"tcp://tak:8087?a=%zz":      "query",
		"user:s3cret@tak:8087":      "user name",
		"user:s3cret@tak":           "user name",
	} {
		_, err := tak.ParseEndpoint(text)
		var e *tak.Error
		if !errors.As(err, &e) || e.Retryable || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

func TestParseEndpoints(t *testing.T) {
	all, err := tak.ParseEndpoints(" tls://a:1,b:2\n udp://c:3 , https://d/x?secret=1 ")
	var texts []string
	for _, e := range all {
		texts = append(texts, e.String())
	}
	if want := []string{"tls://a:1", "tcp://b:2", "udp://c:3", "https://d/x"}; err != nil || !slices.Equal(texts, want) {
		t.Errorf("got %q, %v", texts, err)
	}
	if _, err := tak.ParseEndpoints("a:1,b"); err == nil {
		t.Error("an endpoint without a port was taken")
	}
	if none, err := tak.ParseEndpoints(" , "); err != nil || len(none) != 0 {
		t.Errorf("got %v, %v", none, err)
	}
}

// FuzzParseEndpoint holds that what is taken can be written and read again.
func FuzzParseEndpoint(f *testing.F) {
	for _, seed := range []string{"a:1", "tls://a:1?window=2", "udp://239.2.3.1:6969?interface=lo&ttl=2", "https://a/b?c#d", "http://[::1%25lo]:1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := tak.ParseEndpoint(text)
		if err != nil {
			return
		}
		if again, err := tak.ParseEndpoint(e.String()); err != nil || again.Addr != e.Addr || again.Scheme != e.Scheme {
			t.Errorf("%q is %+v, and %q is %+v, %v", text, e, e.String(), again, err)
		}
	})
}
