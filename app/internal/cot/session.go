package cot

import (
	"bytes"
	"encoding/xml"
	"strings"
	"time"
)

const (
	pingType   = "t-x-c-t"
	pongType   = "t-x-c-t-r"
	pingSuffix = "-ping"
	// helloStale is how long the service stays in the list of contacts after it has connected.
	helloStale = 5 * time.Minute
	// pingStale is ATAK's order of magnitude; a ping is answered at once or never.
	pingStale = 20 * time.Second

	noPosition  = `<point lat="0.0" lon="0.0" hae="9999999.0" ce="9999999.0" le="9999999.0"/>`
	maxNameSize = 128
)

// Hello returns the event with which the service names itself, the first one on every connection: FreeTAKServer takes the
// first event for the client's identity, whatever it is, and TAK Server answers pings only after it. The service has no
// position; it says so with unknown errors at 0, 0.
func Hello(uid, callsign string, now time.Time) []byte {
	b := make([]byte, 0, 768)
	b = appendName(append(b, headStart...), uid, maxNameSize)
	b = appendHead(b, "a-f-G-E-S", "h-g-i-g-o", times{time: now, start: now, stale: now.Add(helloStale)})
	b = append(b, noPosition...)
	b = append(b, `<detail><contact callsign="`...)
	b = appendName(b, callsign, maxNameSize)
	b = append(b, `" endpoint="*:-1:stcp"/><takv device="server" platform="detection-api" os="linux" version="1"/>`...)
	return append(b, detailEnd...)
}

// Ping returns the event that TAK servers answer with a pong. uid is that of Hello.
func Ping(uid string, now time.Time) []byte {
	b := make([]byte, 0, 512)
	b = appendName(append(b, headStart...), uid, maxNameSize)
	b = append(b, pingSuffix...)
	b = appendHead(b, pingType, "m-g", times{time: now, start: now, stale: now.Add(pingStale)})
	b = append(b, noPosition...)
	return append(b, "<detail>"+detailEnd...)
}

// IsPong tells whether one received event answers a ping: a pong, or, from OpenTAKServer, the ping itself sent back.
func IsPong(event []byte) bool {
	if !bytes.Contains(event, []byte(pingType)) { // most traffic is neither; spare the parser
		return false
	}
	root, ok := rootElement(event)
	if !ok || root.Name.Local != "event" {
		return false
	}
	var kind, uid string
	for _, a := range root.Attr {
		switch a.Name.Local {
		case "type":
			kind = a.Value
		case "uid":
			uid = a.Value
		}
	}
	return kind == pongType || kind == pingType && strings.HasSuffix(uid, pingSuffix)
}

func rootElement(event []byte) (xml.StartElement, bool) {
	decoder := xml.NewDecoder(bytes.NewReader(event))
	for {
		token, err := decoder.RawToken()
		if err != nil {
			return xml.StartElement{}, false
		}
		if start, ok := token.(xml.StartElement); ok {
			return start, true
		}
	}
}
