package cot_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/detection-api/detection-api/app/internal/cot"
	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
)

// xmllint returns what libxml2 says about the events, one file each, against testdata/event.xsd.
func xmllint(t *testing.T, events ...[]byte) (string, error) {
	t.Helper()
	program, err := exec.LookPath("xmllint")
	if err != nil {
		t.Fatal("xmllint is not installed; on Debian and Ubuntu: apt-get install libxml2-utils")
	}
	dir := t.TempDir()
	args := []string{"--noout", "--nonet", "--schema", filepath.Join("testdata", "event.xsd")}
	for i, event := range events {
		path := filepath.Join(dir, fmt.Sprintf("%d.xml", i))
		if err := os.WriteFile(path, event, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	output, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	return string(output), err
}

// everyKind returns one event of each kind that is written, and of each class and flag under each built-in profile.
func everyKind(t *testing.T) [][]byte {
	t.Helper()
	events := [][]byte{cot.Hello("a", "b", now), cot.Hello("", "", now), cot.Ping("a", now)}
	for _, d := range []detection.Detection{filmed(), {ID: "x", CameraID: "\u202e", SeenAt: now, Datum: detection.MSL}} {
		events = append(events, cameraEvent(t, cot.Encoder{}, d))
	}
	profiles := []*cot.Profile{
		nil, cot.SearchAndRescue(),
		profile(t, `{"errors": "one-sigma", "color_by": "class", "stale": "1h", "fallback": {"icon": "none"}}`),
		profile(t, `{"allow_hostile": true, "classes": {"tank": {"type": "a-h-G-E-V-A-T", "how": "m-s"}}}`),
	}
	for _, p := range profiles {
		for _, class := range []string{"vehicle", "armed_vehicle", "person", "aircraft", "drone", "vessel", "fire", "tank", "unknown", ""} {
			for _, flag := range []geo.Flag{geo.Green, geo.Yellow, geo.Red, ""} {
				d := tracked()
				d.ObjectClass, d.Track.Fix.Flag = class, flag
				events = append(events, encodeWith(t, cot.Encoder{Profile: p}, d), encodeWith(t, cot.Encoder{Profile: p}, retraction(d)))
				d.Track, d.Fix.Flag = nil, flag
				events = append(events, encodeWith(t, cot.Encoder{Profile: p}, d), encodeWith(t, cot.Encoder{Profile: p}, retraction(d)))
			}
		}
	}
	return events
}

func TestSchemaAccepts(t *testing.T) {
	events := everyKind(t)
	for _, test := range hostile {
		d := tracked()
		d.ObjectClass, d.Source, d.CameraID, d.Fix.HAEMetres, d.Track.Fix.HAEMetres = test.in, test.in, test.in, nil, nil
		events = append(events, encode(t, d), encode(t, retraction(d)))
		d.Track = nil
		events = append(events, encode(t, d), cot.Hello(test.in, test.in, now), cot.Ping(test.in, now))
	}
	random := rand.New(rand.NewPCG(6, 6))
	for i := range 100 {
		events = append(events, encode(t, anyDetection(random, i)))
	}
	if output, err := xmllint(t, events...); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}

// TestSchemaRefuses is the positive control: each rule of the schema has an event that breaks only that rule.
func TestSchemaRefuses(t *testing.T) {
	object, filmed := string(encode(t, tracked())), string(cameraEvent(t, cot.Encoder{}, filmed()))
	deletion, hello := string(encode(t, retraction(sample()))), string(cot.Hello("a", "b", now))
	for name, test := range map[string]struct{ in, from, to string }{
		"version 1":             {object, `version="2.0"`, `version="1.0"`},
		"no version":            {object, `version="2.0"`, ``},
		"no uid":                {object, `uid="detection-api.` + trackID + `"`, ``},
		"empty uid":             {object, `uid="detection-api.` + trackID + `"`, `uid=""`},
		"no how":                {object, ` how="m-f"`, ``},
		"how of one word":       {object, ` how="m-f"`, ` how="mf"`},
		"no type":               {object, ` type="a-u-G-E-V"`, ``},
		"empty type":            {object, ` type="a-u-G-E-V"`, ` type=""`},
		"type ends with -":      {object, ` type="a-u-G-E-V"`, ` type="a-u-"`},
		"type with a space":     {object, ` type="a-u-G-E-V"`, ` type="a-u G"`},
		"no time":               {object, ` time="2026-03-04T05:06:09.250Z"`, ``},
		"no start":              {object, ` start="2026-03-04T05:06:06.250Z"`, ``},
		"no stale":              {object, ` stale="2026-03-04T05:11:09.250Z"`, ``},
		"zone and Z":            {object, `time="2026-03-04T05:06:09.250Z"`, `time="2026-03-04T05:06:09+00:00Z"`},
		"zone":                  {object, `time="2026-03-04T05:06:09.250Z"`, `time="2026-03-04T05:06:09.250+00:00"`},
		"no zone":               {object, `time="2026-03-04T05:06:09.250Z"`, `time="2026-03-04T05:06:09.250"`},
		"no milliseconds":       {object, `time="2026-03-04T05:06:09.250Z"`, `time="2026-03-04T05:06:09Z"`},
		"microseconds":          {object, `time="2026-03-04T05:06:09.250Z"`, `time="2026-03-04T05:06:09.250000Z"`},
		"no such day":           {object, `time="2026-03-04T`, `time="2026-02-30T`},
		"ce inf":                {object, `ce="6.500"`, `ce="inf"`},
		"ce NaN":                {object, `ce="6.500"`, `ce="NaN"`},
		"negative ce":           {object, `ce="6.500"`, `ce="-6.500"`},
		"negative le":           {object, `le="2.500"`, `le="-2.500"`},
		"angle of 360":          {object, ` angle="45"`, ` angle="360"`},
		"exponent":              {object, `ce="6.500"`, `ce="1e-05"`},
		"decimal comma":         {object, `ce="6.500"`, `ce="6,500"`},
		"no le":                 {object, `le="2.500"`, ``},
		"empty hae":             {object, `hae="290.500"`, `hae=""`},
		"latitude too high":     {object, `lat="33.83550000"`, `lat="90.00000001"`},
		"longitude too low":     {object, `lon="-84.53850000"`, `lon="-180.00000001"`},
		"two points":            {object, `<detail>`, `<point lat="0" lon="0" hae="0" ce="0" le="0"/><detail>`},
		"unknown attribute":     {object, `<event `, `<event x="" `},
		"unknown detail":        {object, `<detail>`, `<detail><x/>`},
		"text between details":  {object, `<detail>`, `<detail>x`},
		"no callsign":           {object, ` callsign="vehicle fedcba"`, ``},
		"no altsrc":             {object, ` altsrc="CALC"`, ``},
		"unknown altsrc":        {object, ` altsrc="CALC"`, ` altsrc="guess"`},
		"link without uid":      {object, `<link uid="detection-api.camera.cam-7"`, `<link`},
		"link uid with a space": {object, `camera.cam-7`, `camera.cam 7`},
		"link without relation": {object, ` relation="p-p"`, ``},
		"other relation":        {object, ` relation="p-p"`, ` relation="none"`},
		"angle with a fraction": {object, ` angle="45"`, ` angle="45.5"`},
		"negative axis":         {object, ` major="16.00"`, ` major="-16.00"`},
		"no minor axis":         {object, ` minor="12.00"`, ``},
		"course of 360":         {object, ` course="270.0"`, ` course="360"`},
		"no speed":              {object, ` speed="8.25"`, ``},
		"colour in hex":         {object, `argb="-256"`, `argb="#ffff00"`},
		"colour of 33 bits":     {object, `argb="-256"`, `argb="4294967040"`},
		"no icon path":          {object, ` iconsetpath="COT_MAPPING_2525B/a-u/a-u-G-E-V"`, ``},
		"two remarks":           {object, `</detail>`, `<remarks>x</remarks></detail>`},
		"azimuth of 360":        {filmed, `azimuth="270.0"`, `azimuth="360.0"`},
		"no azimuth":            {filmed, `azimuth="270.0"`, ``},
		"elevation too low":     {filmed, `elevation="-45.0"`, `elevation="-90.1"`},
		"roll of -180":          {filmed, `roll="2.5"`, `roll="-180"`},
		"negative range":        {filmed, `range="142"`, `range="-1"`},
		"deletes with content":  {deletion, `<__forcedelete/>`, `<__forcedelete>x</__forcedelete>`},
		"takv without version":  {hello, ` version="1"/>`, `/>`},
		"no detail":             {string(cot.Ping("a", now)), `<detail></detail>`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			bad := strings.Replace(test.in, test.from, test.to, 1)
			if bad == test.in {
				t.Fatalf("%q is not in %s", test.from, test.in)
			}
			var exit *exec.ExitError
			output, err := xmllint(t, []byte(bad))
			if !errors.As(err, &exit) || exit.ExitCode() != 3 { // 3: it does not validate
				t.Errorf("accepted, or not for the schema's sake (%v): %s", err, output)
			}
		})
	}
}
