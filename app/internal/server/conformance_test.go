package server_test

import (
	"fmt"
	"os"
	"path/filepath"
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

// TestWireProfile sends the service's own events, as package cot writes them, to the six imitated receivers over TCP and TLS:
// each takes all of them, and answers the service's own hello and pings.
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
			t.Run(imitation.Name+" "+string(scheme), func(t *testing.T) {
				var server *taktest.Server
				if scheme == tak.TLS {
					server = imitation.Listen(t, taktest.Whole, authority.Server(t))
				} else {
					server = imitation.Listen(t, taktest.Whole, nil)
				}
				endpoint := tak.Endpoint{Scheme: scheme, Addr: server.Addr}
				if imitation.Name == taktest.OpenTAKServer().Name && scheme == tak.TCP {
					endpoint.Window = 1
				}
				takesAll(t, server, tak.DialerOptions{Endpoints: []tak.Endpoint{endpoint}, TLS: files})
			})
		}
	}
}

func takesAll(t *testing.T, server *taktest.Server, opts tak.DialerOptions) {
	opts.Conn = tak.Options{
		Hello:     func() []byte { return cot.Hello("detection-api.pod-1", "pod-1", time.Now()) },
		Ping:      func() []byte { return cot.Ping("detection-api.pod-1", time.Now()) },
		IsPong:    cot.IsPong,
		ProbeWait: 200 * time.Millisecond, Hold: 30 * time.Millisecond,
	}
	if server.Answers {
		opts.Conn.ProbeWait = 10 * time.Second
	}
	dialer, err := tak.NewDialer(opts)
	if err != nil {
		t.Fatal(err)
	}
	link, err := dialer.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	events := wireEvents(t)
	for window := range slices.Chunk(events, min(link.Window(), tak.BarrierWindow)) {
		if err := link.Send(t.Context(), window); err != nil {
			t.Fatal(err)
		}
	}
	server.Await(t, "all events", func() bool { return len(server.Taken()) >= len(events) || len(server.Faults()) > 0 })
	if faults := server.Faults(); len(server.Taken()) != len(events) || len(faults) > 0 {
		t.Errorf("took %d of %d; %v", len(server.Taken()), len(events), faults)
	}
}

// wireEvents are detections of several classes, with texts that want much escaping, and one retraction.
func wireEvents(t *testing.T) [][]byte {
	now, hae := time.Now(), 288.25
	var events [][]byte
	for i, class := range slices.Repeat([]string{"vehicle", "person", "fire", "unknown"}, 20) {
		d := detection.Detection{
			ID: fmt.Sprintf("0195650f-6c1a-7d3e-8f00-%012d", i), ReceivedAt: now.Add(-2 * time.Second), SeenAt: now.Add(-3 * time.Second),
			ObjectClass: class, AIConfidence: 0.93, Source: strings.Repeat("\u00fc<&\"'", i%4*16), CameraID: fmt.Sprintf("cam \u20ac %d", i),
			Fix: detection.Fix{
				LatDeg: 33.83545871, LonDeg: -84.53849211, HAEMetres: &hae, CE90Metres: 12.345, LE90Metres: 4.5, Flag: geo.Green,
				Ellipse: detection.Ellipse{MajorMetres: 30.5, MinorMetres: 18.25, BearingDeg: 359.7},
			},
		}
		event, err := cot.Encoder{}.Encode(d, now)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, event)
	}
	retraction, err := cot.Encoder{}.Encode(detection.Detection{
		ID: "0195650f-6c1a-7d3e-8f00-123456789abc", ReceivedAt: now, SeenAt: now, Retracts: "0195650f-6c1a-7d3e-8f00-000000000000",
	}, now)
	if err != nil {
		t.Fatal(err)
	}
	return append(events, retraction)
}

func writeFile(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
