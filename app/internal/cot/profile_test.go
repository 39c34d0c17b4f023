package cot_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/cot"
	"github.com/detection-api/detection-api/app/internal/geo"
)

func TestEncodeTypes(t *testing.T) {
	for class, want := range map[string]string{
		"vehicle": "a-u-G-E-V", "Vehicle": "a-u-G-E-V", " VEHICLE ": "a-u-G-E-V",
		"armed_vehicle": "a-u-G-E-V-A", "Armed Vehicle": "a-u-G-E-V-A", "armed-vehicle": "a-u-G-E-V-A",
		"person": "a-u-G-U-C-I", "aircraft": "a-u-A", "drone": "a-u-A-M-F-Q", "vessel": "a-u-S", "fire": "b-l-f",
		"unknown": "a-u-G", "": "a-u-G", "hostile": "a-u-G", "a-h-G": "a-u-G", "a-u-A": "a-u-G", "fallback": "a-u-G",
		strings.Repeat("vehicle", 1000): "a-u-G",
	} {
		d := sample()
		d.ObjectClass = class
		got := parse(t, encode(t, d))
		if got.Type != want || got.How != "m-i" {
			t.Errorf("class %.20q: type %q how %q, want %q m-i", class, got.Type, got.How, want)
		}
	}
}

// TestIcons holds the paths against the templates of takcot's "Marker - 2525.xsd" and "Marker - Spot.xsd".
func TestIcons(t *testing.T) {
	sar, err := cot.ProfileNamed("sar")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		profile     *cot.Profile
		class, want string
	}{
		{nil, "vehicle", "COT_MAPPING_2525B/a-u/a-u-G-E-V"},
		{nil, "something", "COT_MAPPING_2525B/a-u/a-u-G"},
		{nil, "fire", ""},
		{sar, "person", "COT_MAPPING_SPOTMAP/b-m-p-s-m/-32768"},
		{sar, "fire", "COT_MAPPING_SPOTMAP/b-m-p-s-m/-65536"},
		{sar, "aircraft", "COT_MAPPING_2525B/a-u/a-u-A-C"},
	} {
		d := sample()
		d.ObjectClass = test.class
		if got := parse(t, encodeWith(t, cot.Encoder{Profile: test.profile}, d)).Detail.Icon.Path; got != test.want {
			t.Errorf("%s: icon %q, want %q", test.class, got, test.want)
		}
	}
}

func TestColourByFlag(t *testing.T) {
	for flag, want := range map[geo.Flag]uint32{geo.Green: 0xff00ff00, geo.Yellow: 0xffffff00, geo.Red: 0xffff0000, "": 0xffffffff} {
		d := sample()
		d.Fix.Flag = flag
		got := parse(t, encode(t, d)).Detail.Color.ARGB
		if got != strconv.Itoa(int(int32(want))) {
			t.Errorf("%q: argb %s, want %d", flag, got, int32(want))
		}
	}
}

func TestColourByClass(t *testing.T) {
	for class, want := range map[string]uint32{"person": 0xffff8000, "vehicle": 0xffffff00, "fire": 0xffff0000, "vessel": 0xff0080ff, "bear": 0xffffffff} {
		d := sample()
		d.ObjectClass = class
		got := parse(t, encodeWith(t, cot.Encoder{Profile: cot.SearchAndRescue()}, d)).Detail.Color.ARGB
		if got != strconv.Itoa(int(int32(want))) {
			t.Errorf("%q: argb %s, want %d", class, got, int32(want))
		}
	}
}

// TestStale has the order of what says how long an event stays: the class, the profile, the encoder, the default.
func TestStale(t *testing.T) {
	both := profile(t, `{"stale": "7m", "classes": {"vehicle": {"stale": "9m"}}}`)
	for _, test := range []struct {
		encoder cot.Encoder
		class   string
		want    time.Duration
	}{
		{cot.Encoder{}, "vehicle", 5 * time.Minute},
		{cot.Encoder{Stale: time.Hour}, "vehicle", time.Hour},
		{cot.Encoder{Stale: time.Hour, Profile: both}, "vehicle", 9 * time.Minute},
		{cot.Encoder{Stale: time.Hour, Profile: both}, "person", 7 * time.Minute},
		{cot.Encoder{Profile: cot.SearchAndRescue()}, "person", 30 * time.Minute},
		{cot.Encoder{Profile: cot.SearchAndRescue()}, "vehicle", 5 * time.Minute},
	} {
		d := sample()
		d.ObjectClass = test.class
		want := now.Add(test.want).Format("2006-01-02T15:04:05.000Z")
		if got := parse(t, encodeWith(t, test.encoder, d)).Stale; got != want {
			t.Errorf("%+v, %s: stale %s, want %s", test.encoder, test.class, got, want)
		}
	}
}

// TestOneSigma holds ce and le against FGDC-STD-007.3-1998, appendix 3-A: 2.1460 and 1.6449 standard deviations are 90 %.
func TestOneSigma(t *testing.T) {
	sigma := profile(t, `{"errors": "one-sigma"}`)
	for _, test := range []struct {
		profile     *cot.Profile
		ce, le      float64
		wantCE, le2 string
	}{
		{nil, 21.46, 16.449, "21.460", "16.449"},
		{sigma, 21.46, 16.449, "10.000", "10.000"},
		{sigma, -1, 1e300, "9999999.0", "9999999.0"},
	} {
		d := sample()
		d.Fix.CE90Metres, d.Fix.LE90Metres = test.ce, test.le
		e := parse(t, encodeWith(t, cot.Encoder{Profile: test.profile}, d))
		if e.Point.CE != test.wantCE || e.Point.LE != test.le2 {
			t.Errorf("%v %v: ce %s le %s, want %s %s", test.ce, test.le, e.Point.CE, e.Point.LE, test.wantCE, test.le2)
		}
		if test.ce > 0 && !strings.Contains(e.Detail.Remarks, "CE90 21.5 m") {
			t.Errorf("remarks %q do not tell the 90 %% error", e.Detail.Remarks)
		}
	}
}

func TestProfileNamed(t *testing.T) {
	for name, wantPerson := range map[string]string{"": "a-u-G-U-C-I", "tactical": "a-u-G-U-C-I", "sar": "b-m-p-s-m"} {
		p, err := cot.ProfileNamed(name)
		if err != nil || p.TypeOf("person") != wantPerson {
			t.Errorf("%q: %v, want a person to be %s", name, err, wantPerson)
		}
	}
	if _, err := cot.ProfileNamed("SAR"); err == nil {
		t.Error("a name that does not exist is accepted")
	}
}
