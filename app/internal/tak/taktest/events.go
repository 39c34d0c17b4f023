package taktest

import (
	"encoding/xml"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Millis is the only layout of a time that all receivers read alike.
const Millis = "2006-01-02T15:04:05.000Z"

// Hello is an event by which a client names itself.
func Hello() []byte {
	return Event("hello", "a-f-G-E-S", `<takv device="test" platform="test" os="0" version="0"/><contact callsign="test" endpoint="*:-1:stcp"/>`)
}

// Ping is an event that servers answer.
func Ping() []byte { return Event("hello-ping", pingType, "") }

// IsPong recognises the answer: a pong, or the ping itself.
func IsPong(event []byte) bool {
	e, err := parse(string(event))
	return err == nil && (e.Type == pongType || e.Type == pingType)
}

// Event is one that all receivers take, of the kind and with the detail, which may be empty.
func Event(uid, kind, detail string) []byte {
	now := time.Now().UTC()
	at, stale := now.Format(Millis), now.Add(time.Hour).Format(Millis)
	return fmt.Appendf(nil, `<event version="2.0" uid="%s" type="%s" how="m-i" time="%s" start="%s" stale="%s">`+
		`<point lat="33.8354587" lon="-84.5384921" hae="245.3" ce="12.0" le="9.5"/><detail>%s</detail></event>`, uid, kind, at, at, stale, detail)
}

// Sized is an event of so many bytes, at least about 320.
func Sized(uid string, bytes int) []byte {
	bare := len(Event(uid, "a-u-G", "<remarks></remarks>"))
	return Event(uid, "a-u-G", "<remarks>"+strings.Repeat("x", max(0, bytes-bare))+"</remarks>")
}

const (
	pingType = "t-x-c-t"
	pongType = "t-x-c-t-r"
	endTag   = "</event>"
)

// event is what the receivers look at.
type event struct {
	XMLName xml.Name `xml:"event"`
	UID     string   `xml:"uid,attr"`
	Type    string   `xml:"type,attr"`
	How     string   `xml:"how,attr"`
	Time    string   `xml:"time,attr"`
	Start   string   `xml:"start,attr"`
	Stale   string   `xml:"stale,attr"`
	Point   *struct {
		Lat float64 `xml:"lat,attr"`
		Lon float64 `xml:"lon,attr"`
	} `xml:"point"`
	Detail *struct {
		Takv *struct{} `xml:"takv"`
	} `xml:"detail"`
}

func (e event) isPing() bool  { return e.Type == pingType }
func (e event) isHello() bool { return e.Detail != nil && e.Detail.Takv != nil }

// parse reads one event and nothing else, as strictly as expat and Xerces do where encoding/xml is lenient.
func parse(text string) (event, error) {
	var e event
	if i := strings.Index(text, "<?xml"); i > 0 {
		return e, errors.New("an XML declaration that is not at the beginning")
	}
	decoder := xml.NewDecoder(strings.NewReader(text))
	if err := decoder.Decode(&e); err != nil {
		return e, err
	}
	if rest := strings.TrimSpace(text[decoder.InputOffset():]); rest != "" {
		return e, errors.New("something after the event")
	}
	return e, nil
}

// cut takes the complete events off the buffer, each with what stands before it.
func cut(buf *string) []string {
	var all []string
	for {
		i := strings.Index(*buf, endTag)
		if i < 0 {
			return all
		}
		all = append(all, (*buf)[:i+len(endTag)])
		*buf = (*buf)[i+len(endTag):]
	}
}

// complete names what ATAK misses in an event.
func (e event) complete() error {
	for name, value := range map[string]string{"uid": e.UID, "type": e.Type, "time": e.Time, "start": e.Start, "stale": e.Stale, "how": e.How} {
		if value == "" {
			return errors.New("no " + name)
		}
	}
	if e.Point == nil || e.Point.Lat < -90 || e.Point.Lat > 90 || e.Point.Lon < -180 || e.Point.Lon > 180 {
		return errors.New("no point on earth: " + strconv.Quote(e.UID))
	}
	return nil
}

var dateTime = regexp.MustCompile(`^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$`)

// atakTime reads a time as ATAK does: what it cannot read is now, and a zone counts for nothing.
func atakTime(text string, now time.Time) time.Time {
	parts := dateTime.FindStringSubmatch(text)
	if parts == nil {
		return now
	}
	t, err := time.Parse("2006-01-02T15:04:05", parts[1])
	if err != nil {
		return now
	}
	return t
}
