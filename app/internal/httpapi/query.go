package httpapi

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
)

const (
	defaultLimit = 100  // features in a page
	maxLimit     = 1000 // about 1 MB of GeoJSON
	// maxTextBytes bounds a text in a query. It is longer than any field of a detection may be.
	maxTextBytes = 512
)

// query is the query of a request. Each parameter is read once, and finish refuses what nobody has read: a filter that is
// misspelt would select everything (OGC 17-069r4, /req/core/query-param-unknown). The first fault is kept.
type query struct {
	values url.Values
	err    error
}

func queryOf(r *http.Request) *query {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return &query{err: &detection.Error{Code: codeParameter, Message: "the query cannot be decoded", Err: err}}
	}
	return &query{values: values}
}

func (q *query) refuse(name, format string, args ...any) {
	if q.err == nil {
		q.err = &detection.Error{Code: codeParameter, Field: name, Message: fmt.Sprintf(format, args...)}
	}
}

// text returns a parameter, and whether it is there.
func (q *query) text(name string) (string, bool) {
	values, found := q.values[name]
	delete(q.values, name)
	switch {
	case !found:
		return "", false
	case len(values) > 1:
		q.refuse(name, "must not be given more than once")
	case len(values[0]) > maxTextBytes || !utf8.ValidString(values[0]):
		q.refuse(name, "must be text of at most %d bytes", maxTextBytes)
	}
	return values[0], true
}

// exactly returns a text that is looked for as it is, empty when there is none. An empty one would select everything.
func (q *query) exactly(name string) string {
	text, given := q.text(name)
	if given && text == "" {
		q.refuse(name, "must not be empty; leave it out to select all")
	}
	return text
}

// finish returns the first fault.
func (q *query) finish() error {
	if unread := slices.Sorted(maps.Keys(q.values)); len(unread) > 0 {
		name := strings.ToValidUTF8(unread[0][:min(len(unread[0]), 64)], "")
		q.refuse(name, "is no parameter of this path")
	}
	return q.err
}

// filter reads what selects detections.
func (q *query) filter() detection.Query {
	var f detection.Query
	f.Class, f.Camera, f.Track = q.exactly("class"), q.exactly("camera"), q.exactly("track")
	if flag, given := q.text("flag"); given {
		f.Flag = geo.Flag(flag)
		if !slices.Contains([]geo.Flag{geo.Green, geo.Yellow, geo.Red}, f.Flag) {
			q.refuse("flag", "must be GREEN, YELLOW or RED")
		}
	}
	if box, given := q.text("bbox"); given {
		f.Within = q.box(box)
	}
	return f
}

// limit reads how many are wanted. More than there may be is no error (OGC 17-069r4, /req/core/fc-limit-response-1).
func (q *query) limit() int {
	text, given := q.text("limit")
	if !given {
		return defaultLimit
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if errors.Is(err, strconv.ErrRange) {
		return maxLimit
	}
	if err != nil || n == 0 {
		q.refuse("limit", "must be a whole number from 1 on")
	}
	return int(min(n, maxLimit))
}

// since reads a place in the record, and whether it is there.
func (q *query) since() (int64, bool) {
	text, given := q.text("since")
	if !given {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		q.refuse("since", "must be a position: a whole number from 0 on")
	}
	return n, true
}

// box reads west, south, east and north, or west, south, lowest, east, north and highest (OGC 17-069r4, section 7.15.3).
// Heights do not select: those of many detections are not known.
func (q *query) box(text string) *detection.Box {
	parts := strings.Split(text, ",")
	numbers := make([]float64, len(parts))
	for i, part := range parts {
		n, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			q.refuse("bbox", "must be 4 or 6 numbers with commas between them")
			return nil
		}
		numbers[i] = n
	}
	switch len(numbers) {
	case 4:
	case 6:
		if numbers[2] > numbers[5] {
			q.refuse("bbox", "must not have its lowest above its highest")
		}
		numbers = []float64{numbers[0], numbers[1], numbers[3], numbers[4]}
	default:
		q.refuse("bbox", "must be 4 or 6 numbers, has %d", len(numbers))
		return nil
	}
	box := detection.Box{West: numbers[0], South: numbers[1], East: numbers[2], North: numbers[3]}
	if box.South > box.North {
		q.refuse("bbox", "must not have its south above its north")
	}
	return wrap(box)
}

// wrap brings a box into the ranges of latitude and longitude: a map that is panned over the antimeridian or shows more than
// the world asks for longitudes beyond 180 degrees.
func wrap(box detection.Box) *detection.Box {
	box.South, box.North = min(max(box.South, -90), 90), min(max(box.North, -90), 90)
	if box.West <= box.East && box.East-box.West >= 360 {
		box.West, box.East = -180, 180
		return &box
	}
	box.West, box.East = wrapLon(box.West), wrapLon(box.East)
	return &box
}

func wrapLon(deg float64) float64 {
	if deg >= -180 && deg <= 180 {
		return deg
	}
	return deg - 360*math.Floor((deg+180)/360)
}

// interval reads a time or an interval, closed or open at one end or both (OGC 17-069r4, section 7.15.4).
func (q *query) interval() (from, until time.Time) {
	text, given := q.text("datetime")
	if !given {
		return
	}
	first, last, isInterval := strings.Cut(text, "/")
	from = q.instant(first, isInterval)
	if !isInterval {
		return from, from
	}
	until = q.instant(last, true)
	if !from.IsZero() && !until.IsZero() && from.After(until) {
		q.refuse("datetime", "must not begin after it ends")
	}
	return from, until
}

func (q *query) instant(text string, mayBeOpen bool) time.Time {
	if mayBeOpen && (text == "" || text == "..") {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, strings.ToUpper(text))
	if err != nil {
		q.refuse("datetime", "must be a time such as 2026-02-15T12:00:00Z, or two with / between them, .. for an open end; + is %%2B in a query")
	}
	return at.UTC()
}
