package cot_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/detection-api/detection-api/app/internal/cot"
)

// event is what a receiver reads, by the standard library's parser and not by this package.
type event struct {
	XMLName xml.Name `xml:"event"`
	UID     string   `xml:"uid,attr"`
	Type    string   `xml:"type,attr"`
	How     string   `xml:"how,attr"`
	Time    string   `xml:"time,attr"`
	Start   string   `xml:"start,attr"`
	Stale   string   `xml:"stale,attr"`
	Point   struct {
		Lat string `xml:"lat,attr"`
		Lon string `xml:"lon,attr"`
		HAE string `xml:"hae,attr"`
		CE  string `xml:"ce,attr"`
		LE  string `xml:"le,attr"`
	} `xml:"point"`
	Detail *detail `xml:"detail"`
}

type detail struct {
	Contact struct {
		Callsign string `xml:"callsign,attr"`
		Endpoint string `xml:"endpoint,attr"`
	} `xml:"contact"`
	Remarks  string `xml:"remarks"`
	Location struct {
		Altitude string `xml:"altsrc,attr"`
	} `xml:"precisionlocation"`
	Link struct {
		UID      string `xml:"uid,attr"`
		Type     string `xml:"type,attr"`
		Relation string `xml:"relation,attr"`
	} `xml:"link"`
	Ellipse *struct {
		Major string `xml:"major,attr"`
		Minor string `xml:"minor,attr"`
		Angle string `xml:"angle,attr"`
	} `xml:"shape>ellipse"`
	Track *struct {
		Course string `xml:"course,attr"`
		Speed  string `xml:"speed,attr"`
	} `xml:"track"`
	Sensor *struct {
		Azimuth   string `xml:"azimuth,attr"`
		Elevation string `xml:"elevation,attr"`
		Roll      string `xml:"roll,attr"`
		FOV       string `xml:"fov,attr"`
		VFOV      string `xml:"vfov,attr"`
		Range     string `xml:"range,attr"`
	} `xml:"sensor"`
	Color struct {
		ARGB string `xml:"argb,attr"`
	} `xml:"color"`
	Icon struct {
		Path string `xml:"iconsetpath,attr"`
	} `xml:"usericon"`
	ForceDelete *struct{} `xml:"__forcedelete"`
}

func parse(t testing.TB, b []byte) event {
	t.Helper()
	var e event
	if err := xml.Unmarshal(b, &e); err != nil {
		t.Fatalf("not well-formed: %v\n%s", err, b)
	}
	return e
}

// checkProfile holds one event against the wire profile of the package comment.
func checkProfile(t testing.TB, b []byte) {
	t.Helper()
	if problem := profileProblem(b); problem != "" {
		t.Fatalf("%s in %q", problem, b)
	}
}

func profileProblem(b []byte) string {
	switch {
	case len(b) > cot.MaxEventBytes:
		return "too long: " + strconv.Itoa(len(b))
	case !bytes.HasPrefix(b, []byte("<event ")) || !bytes.HasSuffix(b, []byte("</detail></event>")):
		return "does not begin with <event or end with </detail></event>"
	case bytes.Count(b, []byte("</event>")) != 1:
		return "has more than one </event>"
	}
	for _, c := range b {
		if c < 0x20 || c > 0x7e {
			return "has the byte " + strconv.Itoa(int(c))
		}
	}
	return structureProblem(b)
}

// structure is what an event may consist of: each element with its attributes, those with '?' may be absent, and its
// children, of each at most one. It says the same as testdata/event.xsd, for the millions of events of a fuzz run.
var structure = map[string]struct{ attributes, children string }{
	"":                  {"", "event"},
	"event":             {"version uid type how time start stale", "point detail"},
	"point":             {"lat lon hae ce le", ""},
	"detail":            {"", "contact takv precisionlocation link __forcedelete shape track sensor color usericon remarks"},
	"contact":           {"callsign endpoint?", ""},
	"takv":              {"device platform os version", ""},
	"precisionlocation": {"geopointsrc? altsrc", ""},
	"link":              {"uid type relation", ""},
	"__forcedelete":     {"", ""},
	"shape":             {"", "ellipse"},
	"ellipse":           {"major minor angle", ""},
	"track":             {"course speed", ""},
	"sensor":            {"azimuth elevation roll fov vfov range?", ""},
	"color":             {"argb", ""},
	"usericon":          {"iconsetpath", ""},
	"remarks":           {"", ""},
}

func structureProblem(b []byte) string {
	decoder := xml.NewDecoder(bytes.NewReader(b))
	path, seen := []string{""}, map[string]bool{}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return ""
		}
		if err != nil {
			return err.Error()
		}
		parent := path[len(path)-1]
		switch token := token.(type) {
		case xml.StartElement:
			name := token.Name.Local
			if token.Name.Space != "" || seen[name] || !slices.Contains(strings.Fields(structure[parent].children), name) {
				return fmt.Sprintf("unexpected <%s> in <%s>", name, parent)
			}
			if problem := attributesProblem(token); problem != "" {
				return problem
			}
			seen[name] = true
			path = append(path, name)
		case xml.EndElement:
			path = path[:len(path)-1]
		case xml.CharData:
			if parent != "remarks" {
				return fmt.Sprintf("text %q in <%s>", token, parent)
			}
		default:
			return fmt.Sprintf("unexpected %T", token)
		}
	}
}

func attributesProblem(element xml.StartElement) string {
	left := strings.Fields(structure[element.Name.Local].attributes)
	for _, a := range element.Attr {
		i := slices.IndexFunc(left, func(name string) bool { return strings.TrimSuffix(name, "?") == a.Name.Local })
		if i < 0 || a.Name.Space != "" || a.Value == "" {
			return fmt.Sprintf("unexpected %s=%q in <%s>", a.Name.Local, a.Value, element.Name.Local)
		}
		left = slices.Delete(left, i, i+1)
	}
	if i := slices.IndexFunc(left, func(name string) bool { return !strings.HasSuffix(name, "?") }); i >= 0 {
		return fmt.Sprintf("<%s> has no %s", element.Name.Local, left[i])
	}
	return ""
}

func TestProfileProblemSeesEachProblem(t *testing.T) {
	good := string(encode(t, sample()))
	for name, bad := range map[string]string{
		"declaration":       `<?xml version="1.0"?>` + good,
		"newline":           good + "\n",
		"not ASCII":         strings.Replace(good, "cam-7", "caméra", 1),
		"too long":          strings.Replace(good, "cam-7", strings.Repeat("x", 2000), 1),
		"two events":        good + good,
		"comment":           strings.Replace(good, "<detail>", "<detail><!-- -->", 1),
		"unknown element":   strings.Replace(good, "<detail>", "<detail><x/>", 1),
		"element twice":     strings.Replace(good, "<detail>", `<detail><color argb="1"/>`, 1),
		"element elsewhere": strings.Replace(good, "<detail>", `<color argb="1"/><detail>`, 1),
		"unknown attribute": strings.Replace(good, "<event ", `<event x="1" `, 1),
		"no attribute":      strings.Replace(good, ` how="m-i"`, "", 1),
		"empty attribute":   strings.Replace(good, `how="m-i"`, `how=""`, 1),
		"attribute twice":   strings.Replace(good, `how="m-i"`, `how="m-i" how="m-i"`, 1),
		"text in between":   strings.Replace(good, "<detail>", "<detail>x", 1),
		"not closed":        strings.Replace(good, "</remarks>", "", 1),
	} {
		if profileProblem([]byte(bad)) == "" || bad == good {
			t.Errorf("%s: not noticed", name)
		}
	}
}
