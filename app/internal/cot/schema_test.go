package cot_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/detection-api/detection-api/app/internal/cot"
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

func TestSchemaAccepts(t *testing.T) {
	events := [][]byte{encode(t, sample()), cot.Hello("a", "b", now), cot.Ping("a", now)}
	for _, test := range hostile {
		d := sample()
		d.ObjectClass, d.Source, d.CameraID = test.in, test.in, test.in
		d.Fix.HAEMetres = nil
		events = append(events, encode(t, d))
	}
	for _, class := range []string{"vehicle", "armed_vehicle", "person", "aircraft", "drone", "vessel", "fire", "unknown"} {
		d := sample()
		d.ObjectClass = class
		events = append(events, encode(t, d))
	}
	if output, err := xmllint(t, events...); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}

// TestSchemaRefuses is the positive control: each rule of the schema has an event that breaks only that rule.
func TestSchemaRefuses(t *testing.T) {
	good := string(encode(t, sample()))
	for name, change := range map[string][2]string{
		"version 1":         {`version="2.0"`, `version="1.0"`},
		"no uid":            {`uid="detection-api.0195650f-6c1a-7d3e-8f00-1234567890ab"`, ``},
		"no how":            {`how="m-i"`, ``},
		"empty type":        {`type="a-u-G-E-V"`, `type=""`},
		"double offset":     {`time="2026-03-04T05:06:09.250Z"`, `time="2026-03-04T05:06:09+00:00Z"`},
		"ce inf":            {`ce="12.345"`, `ce="inf"`},
		"exponent":          {`ce="12.345"`, `ce="1e-05"`},
		"latitude too high": {`lat="33.83545871"`, `lat="90.00000001"`},
		"no le":             {`le="4.500"`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			bad := strings.Replace(good, change[0], change[1], 1)
			if bad == good {
				t.Fatalf("%q is not in %s", change[0], good)
			}
			var exit *exec.ExitError
			if output, err := xmllint(t, []byte(bad)); !errors.As(err, &exit) {
				t.Errorf("accepted (%v): %s", err, output)
			}
		})
	}
}
