package server_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/cot"
	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
	"github.com/detection-api/detection-api/app/internal/tak"
	"github.com/detection-api/detection-api/app/internal/tak/taktest"
)

// TestWireProfile sends the service's own events, as package cot writes them, to the six imitated receivers over TCP and TLS,
// read whole, split and joined: each takes all of them, and answers the service's own hello and pings.
func TestWireProfile(t *testing.T) {
	authority := taktest.NewAuthority(t, "test authority")
	client := authority.Issue(t, "detection-api")
	files := tak.TLSOptions{
		CAFile:   writeFile(t, "ca.pem", taktest.CertificatePEM(authority.Certificate)),
		CertFile: writeFile(t, "client.pem", taktest.CertificatePEM(client.Leaf)),
		KeyFile:  writeFile(t, "client.key", taktest.KeyPEM(t, client.PrivateKey)),
	}
	for _, imitation := range taktest.Imitations() {
		for _, scheme := range []tak.Scheme{tak.TCP, tak.TLS} {
			for _, feed := range []taktest.Feed{taktest.Whole, taktest.Split, taktest.Joined} {
				fragile := imitation.Name == taktest.OpenTAKServer().Name
				if fragile && scheme == tak.TLS && feed != taktest.Whole {
					continue // it reads one record of TLS at a time, and a record is an event
				}
				t.Run(fmt.Sprintf("%s %s %s", imitation.Name, scheme, feed), func(t *testing.T) {
					t.Parallel()
					opts := tak.DialerOptions{TLS: files, Conn: wireOptions(imitation)}
					endpoint := tak.Endpoint{Scheme: scheme}
					if fragile && scheme == tak.TCP {
						endpoint.Window, opts.Conn.PingEvery = 1, 100*time.Millisecond // it loses pings as well
					}
					var cfg *tls.Config
					if scheme == tak.TLS {
						cfg = authority.Server(t)
					}
					server := imitation.Listen(t, feed, cfg)
					endpoint.Addr = server.Addr
					opts.Endpoints = []tak.Endpoint{endpoint}
					takesAll(t, server, opts, fragile && feed == taktest.Split)
				})
			}
		}
	}
}

func wireOptions(imitation taktest.Imitation) tak.Options {
	opts := tak.Options{
		Hello:     func() []byte { return cot.Hello("detection-api.pod-1", "pod-1", time.Now()) },
		Ping:      func() []byte { return cot.Ping("detection-api.pod-1", time.Now()) },
		IsPong:    cot.IsPong,
		ProbeWait: 200 * time.Millisecond, Hold: 30 * time.Millisecond,
	}
	if imitation.Answers {
		opts.ProbeWait = 2 * time.Second
	}
	return opts
}

// takesAll sends all events and holds that the server has them, in order. losesPings permits faults, but no loss.
func takesAll(t *testing.T, server *taktest.Server, opts tak.DialerOptions, losesPings bool) {
	dialer, err := tak.NewDialer(opts)
	if err != nil {
		t.Fatal(err)
	}
	link, err := dialer.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	events, uids := wireEvents(t)
	if link.Window() == 1 { // one event of each kind with each text; each is waited for
		events, uids = events[:3*len(nastyTexts)], uids[:3*len(nastyTexts)]
	}
	for window := range slices.Chunk(events, min(link.Window(), tak.BarrierWindow)) {
		if err := link.Send(t.Context(), window); err != nil {
			t.Fatalf("%v; %v", err, server.Faults())
		}
	}
	failed := func() bool { return len(server.Faults()) > 0 && !losesPings }
	server.Await(t, "all events", func() bool { return len(server.Taken()) >= len(uids) || failed() })
	if got := server.Taken(); !slices.Equal(got, uids) || failed() {
		t.Errorf("took %d of %d, missing %v; %v", len(got), len(uids), server.Missing(uids), server.Faults())
	}
}

// TestWireProfileControls is the positive control: each thing that the profile rules out makes a receiver lose events.
func TestWireProfileControls(t *testing.T) {
	type change = func(event string) string
	before := func(prefix string) change { return func(event string) string { return prefix + event } }
	replace := func(from, to string) change {
		return func(event string) string { return strings.Replace(event, from, to, 1) }
	}
	match := func(pattern, to string) change {
		from := regexp.MustCompile(pattern)
		return func(event string) string { return from.ReplaceAllString(event, to) }
	}
	text := func(more string) change { return replace("<remarks>", "<remarks>"+more) }
	const declaration = "<?xml version='1.0'?>"
	original := match(`\.(\d{3})Z"`, `.${1}000+00:00Z"`) // times as the Python original writes them
	for name, test := range map[string]struct {
		imitation taktest.Imitation
		feed      taktest.Feed
		change    change
	}{
		"nothing changed":                  {taktest.Goatak(), taktest.Whole, before("")},
		"a declaration before each event":  {taktest.FreeTAKServer(), taktest.Joined, before(declaration)},
		"a declaration in an event":        {taktest.ATAK(), taktest.Whole, replace("<point", declaration+"<point")},
		"a newline and a declaration":      {taktest.OpenTAKServer(), taktest.Whole, before("\n" + declaration)},
		"a DOCTYPE":                        {taktest.TAKServer(0), taktest.Whole, before("<!DOCTYPE event>")},
		"the end of an event in a text":    {taktest.TAKServer(0), taktest.Whole, text("<![CDATA[</event>]]>")},
		"markup in a text":                 {taktest.Taky(), taktest.Whole, text("a < b & c")},
		"a character of two bytes, cut":    {taktest.OpenTAKServer(), taktest.Split, text(strings.Repeat("\u00fc", 20))},
		"more than 2048 bytes":             {taktest.Goatak(), taktest.Whole, text(strings.Repeat("x", 100))},
		"no how":                           {taktest.ATAK(), taktest.Whole, replace(" how=", " access=")},
		"no uid":                           {taktest.ATAK(), taktest.Whole, replace(" uid=", " access=")},
		"no detail":                        {taktest.FreeTAKServer(), taktest.Whole, match(`<detail>.*</detail>`, "")},
		"times of the original":            {taktest.ATAK(), taktest.Whole, original},
		"times of the original, at goatak": {taktest.Goatak(), taktest.Whole, original},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := test.imitation.Listen(t, test.feed, nil)
			conn, err := net.Dial("tcp", server.Addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			events, uids := wireEvents(t)
			all := append([][]byte{cot.Hello("detection-api.pod-1", "pod-1", time.Now())}, events...)
			sent := 0
			for _, event := range all {
				n, err := io.WriteString(conn, test.change(string(event)))
				if err != nil {
					break // it has hung up
				}
				sent += n
			}
			server.Await(t, "all bytes", func() bool {
				read, _ := server.Bytes()
				return read >= sent || strings.Contains(strings.Join(server.Faults(), ""), "hangs up")
			})
			if lost := len(server.Missing(uids)); (lost == 0) != (name == "nothing changed") {
				t.Errorf("%d events of %d were lost; %v", lost, len(uids), server.Faults())
			}
		})
	}
}

// nastyTexts are what a client may put into a text: what ends an event, what XML has no room for, and what fills an event.
var nastyTexts = []string{
	"", "</event>", "]]></remarks></detail></event>", "<?xml version='1.0'?><event>", "a\r\nb\x00\x1b", "\ufffe\u202e<&\"'",
	"\xff\xed\xa0\x80", strings.Repeat("\u00fc\u20ac\U0001f6a8", 12), strings.Repeat("<&\"'", 1000),
}

// wireEvents are events of every kind, with texts that want much escaping, and their uids.
func wireEvents(t *testing.T) (events [][]byte, uids []string) {
	now := time.Now()
	add := func(uid string, event []byte, err error) {
		if err != nil {
			t.Fatal(err)
		}
		events, uids = append(events, event), append(uids, uid)
	}
	longest := 0
	for i, class := range slices.Repeat([]string{"vehicle", "person", "fire", "unknown"}, 8) {
		d := wireDetection(fmt.Sprintf("0195650f-6c1a-7d3e-8f00-%012d", i), class, nastyTexts[i%len(nastyTexts)], now)
		uid := cot.UIDPrefix + d.ID
		if i%3 == 0 {
			motion := &detection.Motion{SpeedMetresPerSecond: 8, CourseDeg: 270}
			d.Track = &detection.Track{ID: fmt.Sprintf("track-%d", i), Fix: d.Fix, Detections: 4, Motion: motion}
			uid = cot.UIDPrefix + d.Track.ID
		}
		event, err := cot.Encoder{}.Encode(d, now)
		add(uid, event, err)
		longest = max(longest, len(event))
		event, err = cot.Encoder{}.Camera(d, now)
		add(cameraUID(event), event, err)
		d.ID, d.Retracts, d.Reason = fmt.Sprintf("retraction-%d", i), d.ID, strings.Repeat(d.Source, 100)
		event, err = cot.Encoder{}.Encode(d, now)
		add(cot.UIDPrefix+d.ID, event, err)
		longest = max(longest, len(event))
	}
	if longest < cot.MaxEventBytes-10 {
		t.Fatalf("the longest event has %d bytes", longest)
	}
	return events, uids
}

// cameraUID reads the uid of a camera's event, which is made of its id in a way of its own.
func cameraUID(event []byte) string {
	_, rest, _ := bytes.Cut(event, []byte(` uid="`))
	uid, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(uid)
}

func wireDetection(id, class, text string, now time.Time) detection.Detection {
	hae := 288.25
	return detection.Detection{
		ID: id, ReceivedAt: now.Add(-732 * time.Second), SeenAt: now.Add(-733 * time.Second), Datum: detection.HAE,
		ObjectClass: class, AIConfidence: 0.93, Source: text, CameraID: "cam \u20ac" + text,
		Fix: detection.Fix{
			LatDeg: 33.83545871, LonDeg: -84.53849211, HAEMetres: &hae, CE90Metres: 12.345, LE90Metres: 4.5, Flag: geo.Green,
			Ellipse: detection.Ellipse{MajorMetres: 30.5, MinorMetres: 18.25, BearingDeg: 359.7}, SlantRangeMetres: 141,
		},
		Sensor: detection.Sensor{
			LatDeg: 33.8364, LonDeg: -84.5385, ElevationMetres: 388, HeadingDeg: 270, PitchDeg: -45,
			FocalLengthPx: 2000, ImageWidthPx: 4000, ImageHeightPx: 2000,
		},
	}
}

func writeFile(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
