package cot_test

import (
	"strings"
	"testing"

	"github.com/detection-api/detection-api/app/internal/cot"
)

func profile(t testing.TB, text string) *cot.Profile {
	t.Helper()
	p, err := cot.ParseProfile([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParseProfile(t *testing.T) {
	for _, test := range []struct{ name, text, class, want string }{
		{"nothing changes", `{}`, "car", "a-u-G-E-V"},
		{"the base is chosen", `{"base": "sar"}`, "person", "b-m-p-s-m"},
		{"a class gets another type", `{"classes": {"vehicle": {"type": "a-u-G-E-V-C"}}}`, "vehicle", "a-u-G-E-V-C"},
		{"its further names follow", `{"classes": {"vehicle": {"type": "a-u-G-E-V-C"}}}`, "car", "a-u-G-E-V-C"},
		{"it is named in another way", `{"classes": {"Armed Vehicle": {"affiliation": "p"}}}`, "tank", "a-p-G-E-V-A"},
		{"another affiliation in another type", `{"classes": {"vehicle": {"affiliation": "n", "type": "a-u-S"}}}`, "car", "a-n-S"},
		{"a new class", `{"classes": {"bear": {"type": "a-n-G", "names": ["Grizzly"]}}}`, "grizzly", "a-n-G"},
		{"names are replaced", `{"classes": {"vehicle": {"names": ["lorry"]}}}`, "car", "a-u-G"},
		{"names are replaced by these", `{"classes": {"vehicle": {"names": ["lorry"]}}}`, "lorry", "a-u-G-E-V"},
		{"a further name becomes a class", `{"classes": {"truck": {"type": "a-n-G"}, "vehicle": {"type": "a-u-G-E-V-C"}}}`, "truck", "a-n-G"},
		{"a name moves to another class", `{"classes": {"zebra": {"type": "a-n-G", "names": ["van"]}, "vehicle": {"color": "#ffffff"}}}`, "van", "a-n-G"},
		{"and leaves the others", `{"classes": {"zebra": {"type": "a-n-G", "names": ["van"]}, "vehicle": {"color": "#ffffff"}}}`, "car", "a-u-G-E-V"},
		{"the fallback", `{"fallback": {"type": "a-p-G"}}`, "whatever", "a-p-G"},
		{"hostile when told", `{"allow_hostile": true, "classes": {"tank": {"type": "a-h-G-E-V-A-T"}}}`, "tank", "a-h-G-E-V-A-T"},
		{"suspect when told", `{"allow_hostile": true, "classes": {"tank": {"type": "a-u-G", "affiliation": "s"}}}`, "tank", "a-s-G"},
		{"not ASCII, any case", `{"classes": {"véhicule": {"type": "a-n-G"}}}`, "VÉHICULE", "a-n-G"},
	} {
		if got := profile(t, test.text).TypeOf(test.class); got != test.want {
			t.Errorf("%s: %q is %s, want %s", test.name, test.class, got, test.want)
		}
	}
}

func TestParseProfileEncodes(t *testing.T) {
	p := profile(t, `{"color_by": "class", "classes": {"vehicle": {"how": "m-p", "color": "#80102030", "icon": "f7f71666/Fire/engine.png"}}}`)
	e := parse(t, encodeWith(t, cot.Encoder{Profile: p}, sample()))
	if e.How != "m-p" || e.Detail.Color.ARGB != "-2146426832" || e.Detail.Icon.Path != "f7f71666/Fire/engine.png" { // 0x80102030 - 2^32
		t.Errorf("how %s, color %s, icon %s", e.How, e.Detail.Color.ARGB, e.Detail.Icon.Path)
	}
	p = profile(t, `{"flag_colors": {"GREEN": "#0000ff"}, "classes": {"vehicle": {"icon": "none"}}}`)
	if b := string(encodeWith(t, cot.Encoder{Profile: p}, sample())); strings.Contains(b, "usericon") || !strings.Contains(b, `argb="-16776961"`) {
		t.Error(b)
	}
}

// TestParseProfileDoesNotTouchTheDefault holds that a file changes its own profile only.
func TestParseProfileDoesNotTouchTheDefault(t *testing.T) {
	profile(t, `{"flag_colors": {"GREEN": "#0000ff"}, "fallback": {"type": "a-p-G"}, "classes": {"vehicle": {"type": "a-n-G", "names": []}}}`)
	d := sample()
	d.ObjectClass = "car"
	if e := parse(t, encode(t, d)); e.Type != "a-u-G-E-V" || e.Detail.Color.ARGB != "-16711936" {
		t.Errorf("the default has type %s and colour %s now", e.Type, e.Detail.Color.ARGB)
	}
}

func TestParseProfileRefuses(t *testing.T) {
	for text, want := range map[string]string{
		``:                                    "no JSON object",
		`null`:                                "no JSON object",
		`[]`:                                  "no JSON object",
		`{`:                                   "EOF",
		`{} {}`:                               "more after",
		"{\"base\": \"\xff\"}":                "UTF-8",
		`{"base": "naval"}`:                   "base: no CoT profile is called",
		`{"klasses": {}}`:                     `unknown field "klasses"`,
		`{"base": "sar", "base": "tactical"}`: `"base" is there twice`,
		`{"base": "sar", "Base": "tactical"}`: "is there twice",
		`{"classes": {"vehicle": {"type": "a-u-G", "type": "a-u-A"}}}`:                `"classes.vehicle.type" is there twice`,
		`{"classes": {"vehicle": {}, "vehicle": {}}}`:                                 `"classes.vehicle" is there twice`,
		`{"classes": {"vehicle": {}, "Vehicle": {}}}`:                                 "is there twice",
		`{"classes": {"armed vehicle": {}, "armed-vehicle": {}}}`:                     `"armed_vehicle" is a name of classes.armed vehicle as well`,
		`{"classes": {"vehicle": {"names": ["x"]}, "person": {"names": ["X"]}}}`:      `classes.vehicle: "x" is a name of classes.person as well`,
		`{"classes": {"vehicle": {"names": ["x", "X"]}}}`:                             `"x" is a name of classes.vehicle as well`,
		`{"classes": {"vehicle": {"names": [" "]}}}`:                                  "classes.vehicle: \"\" is no name",
		`{"classes": {"": {"type": "a-u-G"}}}`:                                        "is no name",
		`{"classes": {"vehicle": {"kind": "x"}}}`:                                     `classes.vehicle: unknown field "kind"`,
		`{"classes": {"vehicle": {"type": 5}}}`:                                       "classes.vehicle: type: not a number",
		`{"classes": {"vehicle": null}}`:                                              "classes.vehicle: it is no JSON object",
		`{"classes": {"bear": {}}}`:                                                   "classes.bear: type: is missing",
		`{"classes": {"car": {}}}`:                                                    "classes.car: type: is missing",
		`{"classes": {"vehicle": {"type": ""}}}`:                                      "classes.vehicle: type: ",
		`{"classes": {"vehicle": {"type": "a-u-G\"/>"}}}`:                             "classes.vehicle: type: ",
		`{"classes": {"vehicle": {"type": "a-u-G-"}}}`:                                "classes.vehicle: type: ",
		`{"classes": {"vehicle": {"type": "a-q-G"}}}`:                                 "the affiliation must be one of p u a f n s h j k o",
		`{"classes": {"vehicle": {"type": "a-u-Q"}}}`:                                 "third part",
		`{"classes": {"vehicle": {"type": "a-u"}}}`:                                   "third part",
		`{"classes": {"vehicle": {"type": "t-x-d-d"}}}`:                               "no type of a thing on the map",
		`{"classes": {"vehicle": {"type": "b-t-f"}}}`:                                 "no type of a thing on the map",
		`{"classes": {"vehicle": {"type": "ab-u-G"}}}`:                                "no type of a thing on the map",
		`{"classes": {"vehicle": {"type": "a-u-G` + strings.Repeat("-x", 30) + `"}}}`: "longer than 48 bytes",
		`{"classes": {"vehicle": {"type": "a-h-G"}}}`:                                 `classes.vehicle: type: "a-h-G" is drawn as hostile`,
		`{"classes": {"vehicle": {"affiliation": "h"}}}`:                              `"a-h-G-E-V" is drawn as hostile`,
		`{"classes": {"vehicle": {"icon": "COT_MAPPING_2525B/a-h/a-h-G"}}}`:           "classes.vehicle: icon: ",
		`{"classes": {"vehicle": {"type": "b-r-h-O"}}}`:                               "is drawn as hostile",
		`{"fallback": {"type": "a-h-G"}}`:                                             `fallback: type: "a-h-G" is drawn as hostile`,
		`{"classes": {"vehicle": {"affiliation": "s"}}}`:                              `"a-s-G-E-V" is drawn as hostile`,
		`{"classes": {"vehicle": {"affiliation": "j"}}}`:                              `"a-j-G-E-V" is drawn as hostile`,
		`{"classes": {"vehicle": {"affiliation": "k"}}}`:                              `"a-k-G-E-V" is drawn as hostile`,
		`{"fallback": {"names": ["x"]}}`:                                              "fallback: names: ",
		`{"fallback": null}`:                                                          "fallback: it is no JSON object",
		`{"classes": {"fire": {"affiliation": "s"}}}`:                                 `classes.fire: affiliation: the type "b-l-f" has none`,
		`{"classes": {"vehicle": {"affiliation": "ss"}}}`:                             "classes.vehicle: affiliation: ",
		`{"classes": {"vehicle": {"how": "mi"}}}`:                                     "classes.vehicle: how: ",
		`{"classes": {"vehicle": {"how": "m"}}}`:                                      "classes.vehicle: how: ",
		`{"classes": {"vehicle": {"how": "m-g"}}}`:                                    "classes.vehicle: how: m-g is what an object with a GPS",
		`{"classes": {"vehicle": {"stale": "5"}}}`:                                    "classes.vehicle: stale: must be a duration",
		`{"classes": {"vehicle": {"stale": "0s"}}}`:                                   "classes.vehicle: stale: ",
		`{"stale": "-5m"}`:                                                            "stale: must be a duration",
		`{"stale": "9000h"}`:                                                          "stale: must be a duration",
		`{"classes": {"vehicle": {"color": "red"}}}`:                                  "classes.vehicle: color: must be #rrggbb",
		`{"classes": {"vehicle": {"color": "#12345"}}}`:                               "classes.vehicle: color: ",
		`{"classes": {"vehicle": {"color": "#+12345"}}}`:                              "classes.vehicle: color: ",
		`{"classes": {"vehicle": {"icon": ""}}}`:                                      "classes.vehicle: icon: ",
		`{"classes": {"vehicle": {"icon": "a\"/><x"}}}`:                               "classes.vehicle: icon: ",
		`{"errors": "ce95"}`:                                                          "errors: must be",
		`{"color_by": "mood"}`:                                                        "color_by: must be",
		`{"flag_colors": {"BLUE": "#0000ff"}}`:                                        "flag_colors.BLUE: must be GREEN, YELLOW or RED",
		`{"flag_colors": {"GREEN": "green"}}`:                                         "flag_colors.GREEN: must be #rrggbb",
		strings.Repeat(" ", 1<<20) + `{}`:                                             "longer than",
	} {
		_, err := cot.ParseProfile([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.100s: got %v, want %q in it", text, err, want)
		}
	}
}

func TestParseProfileTellsAllProblems(t *testing.T) {
	_, err := cot.ParseProfile([]byte(`{"errors": "x", "classes": {"vehicle": {"type": "x", "color": "x"}, "person": {"stale": "x"}}}`))
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"errors: ", "classes.vehicle: type: ", "color: ", "classes.person: stale: "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

// FuzzParseProfile holds that what is accepted makes events that keep the wire profile.
func FuzzParseProfile(f *testing.F) {
	f.Add(`{"base": "sar", "classes": {"vehicle": {"type": "a-u-G", "affiliation": "s", "how": "m-i", "stale": "5m", "color": "#102030", "icon": "auto", "names": ["x"]}}}`)
	f.Add(`{"fallback": {"icon": "a/b.png"}, "color_by": "class", "errors": "one-sigma", "flag_colors": {"RED": "#80ffffff"}, "stale": "1s", "allow_hostile": true}`)
	f.Add(`{"classes": {"vehicle": {"type": 1, "type": 2}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := cot.ParseProfile([]byte(text))
		if err != nil {
			return
		}
		for _, class := range []string{"vehicle", "person", "fire", "x", ""} {
			d := sample()
			d.ObjectClass = class
			b, err := cot.Encoder{Profile: p}.Encode(d, now)
			if err != nil {
				t.Fatal(err)
			}
			checkProfile(t, b)
			if kind := p.TypeOf(class); !strings.Contains(strings.ToLower(text), "allow_hostile") && strings.HasPrefix(kind, "a-") && strings.ContainsAny(kind[2:3], "hsjk") {
				t.Fatalf("%q is drawn as hostile", class)
			}
		}
	})
}
