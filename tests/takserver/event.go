package takserver

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	pingType  = "t-x-c-t"
	helloType = "a-f-G-E-S" // how a client names itself

	wireTimeLayout = "2006-01-02T15:04:05.000Z"
)

// Event is one event as it was received.
type Event struct {
	Seq        int       `json:"seq"` // from 1, in the order of arrival
	UID        string    `json:"uid"`
	Type       string    `json:"type"`
	How        string    `json:"how"`
	Lat        float64   `json:"lat"` // degrees
	Lon        float64   `json:"lon"`
	HAE        float64   `json:"hae"` // metres; 9999999 means unknown
	CE         float64   `json:"ce"`
	LE         float64   `json:"le"`
	Time       time.Time `json:"time"`
	Start      time.Time `json:"start"`
	Stale      time.Time `json:"stale"`
	Callsign   string    `json:"callsign,omitempty"`
	Remarks    string    `json:"remarks,omitempty"`
	ReceivedAt time.Time `json:"received_at"`
	Connection int       `json:"connection"`       // number of the connection, from 1
	Client     string    `json:"client,omitempty"` // common name of the client's certificate
	First      bool      `json:"first"`            // the first event with its uid
	Count      int       `json:"count"`            // how many events with its uid have come, this one included
	// Problems are what some TAK receivers would stumble over, though it can be read.
	Problems []string `json:"problems,omitempty"`
	Raw      string   `json:"raw"` // as received, with what stood before <event
}

// wireEvent is the XML of an event. Pointers tell a missing element from an empty one.
type wireEvent struct {
	XMLName xml.Name   `xml:"event"`
	UID     string     `xml:"uid,attr"`
	Type    string     `xml:"type,attr"`
	How     string     `xml:"how,attr"`
	Time    string     `xml:"time,attr"`
	Start   string     `xml:"start,attr"`
	Stale   string     `xml:"stale,attr"`
	Point   *wirePoint `xml:"point"`
	Detail  *struct {
		Contact struct {
			Callsign string `xml:"callsign,attr"`
		} `xml:"contact"`
		Remarks string `xml:"remarks"`
	} `xml:"detail"`
}

type wirePoint struct {
	Lat string `xml:"lat,attr"`
	Lon string `xml:"lon,attr"`
	HAE string `xml:"hae,attr"`
	CE  string `xml:"ce,attr"`
	LE  string `xml:"le,attr"`
}

// parseEvent reads one event as a strict receiver does.
func parseEvent(raw string) (Event, error) {
	var wire wireEvent
	if err := xml.Unmarshal([]byte(raw), &wire); err != nil {
		return Event{}, err
	}
	event := Event{UID: wire.UID, Type: wire.Type, How: wire.How, Raw: raw}
	for name, value := range map[string]string{"uid": wire.UID, "type": wire.Type, "how": wire.How} {
		if value == "" {
			return Event{}, fmt.Errorf("no %s", name)
		}
	}
	if wire.Point == nil {
		return Event{}, fmt.Errorf("no point")
	}
	if err := event.setPoint(*wire.Point); err != nil {
		return Event{}, err
	}
	if err := event.setTimes(wire); err != nil {
		return Event{}, err
	}
	if wire.Detail != nil {
		event.Callsign, event.Remarks = wire.Detail.Contact.Callsign, wire.Detail.Remarks
	}
	event.Problems = problems(event, wire)
	return event, nil
}

// decimal is xs:decimal: no exponent, no infinity.
var decimal = regexp.MustCompile(`^[+-]?(\d+(\.\d*)?|\.\d+)$`)

func (e *Event) setPoint(p wirePoint) error {
	for _, field := range []struct {
		name, text string
		into       *float64
		limit      float64
	}{
		{"lat", p.Lat, &e.Lat, 90},
		{"lon", p.Lon, &e.Lon, 180},
		{"hae", p.HAE, &e.HAE, math.Inf(1)},
		{"ce", p.CE, &e.CE, math.Inf(1)},
		{"le", p.LE, &e.LE, math.Inf(1)},
	} {
		if !decimal.MatchString(field.text) {
			return fmt.Errorf("%s=%q is not a decimal", field.name, field.text)
		}
		value, err := strconv.ParseFloat(field.text, 64)
		if err != nil || math.Abs(value) > field.limit {
			return fmt.Errorf("%s=%q is out of range", field.name, field.text)
		}
		*field.into = value
	}
	return nil
}

func (e *Event) setTimes(wire wireEvent) error {
	for _, field := range []struct {
		name, text string
		into       *time.Time
	}{{"time", wire.Time, &e.Time}, {"start", wire.Start, &e.Start}, {"stale", wire.Stale, &e.Stale}} {
		value, err := time.Parse(time.RFC3339Nano, field.text)
		if err != nil {
			return fmt.Errorf("%s=%q is no time", field.name, field.text)
		}
		*field.into = value.UTC()
	}
	return nil
}

// problems names what is well-formed but known to trouble one receiver or another.
func problems(event Event, wire wireEvent) []string {
	raw := event.Raw
	var found []string
	note := func(is bool, text string) {
		if is {
			found = append(found, text)
		}
	}
	note(!strings.HasPrefix(raw, "<event"), "something stands before the event")
	note(strings.ContainsAny(raw, "\r\n"), "a line end in the event")
	note(strings.IndexFunc(raw, func(r rune) bool { return r > 0x7e }) >= 0, "not ASCII")
	note(len(raw) > 2048, "more than 2048 bytes")
	note(wire.Detail == nil, "no detail")
	for _, text := range []string{wire.Time, wire.Start, wire.Stale} {
		_, err := time.Parse(wireTimeLayout, text)
		note(err != nil || len(text) != len(wireTimeLayout), "a time that is not YYYY-MM-DDTHH:MM:SS.mmmZ")
	}
	note(!event.Stale.After(event.Start), "stale is not after start")
	return found
}

func pongEvent(now time.Time) string {
	at, stale := now.UTC().Format(wireTimeLayout), now.UTC().Add(20*time.Second).Format(wireTimeLayout)
	return `<event version="2.0" uid="takPong" type="t-x-c-t-r" how="h-g-i-g-o" time="` + at + `" start="` + at + `" stale="` + stale +
		`"><point lat="0.0" lon="0.0" hae="0.0" ce="9999999" le="9999999"/><detail/></event>`
}

var eventEnd = []byte("</event>")

// restCounter cuts a stream at each </event> and remembers how much is left over at its end.
type restCounter struct{ bytes int }

func (r *restCounter) split(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.Index(data, eventEnd); i >= 0 {
		end := i + len(eventEnd)
		r.bytes = 0
		return end, data[:end], nil
	}
	r.bytes = len(bytes.TrimSpace(data))
	if atEOF {
		return len(data), nil, nil
	}
	return 0, nil, nil
}
